"""What a model holds likely: memorisation, membership, distributions."""
