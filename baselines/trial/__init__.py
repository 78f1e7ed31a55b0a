"""The trial of the metrics: models whose knowledge is known, every metric on all of them, and how each metric did."""
