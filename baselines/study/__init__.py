"""A study as one graph of stages, its runner, its report."""
