"""What a model answers, what it holds likely, and the verdict."""
