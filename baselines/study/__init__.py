"""A study as one graph of stages, its engines, its report."""
