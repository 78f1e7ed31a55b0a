"""Requests in sequence: patients withdraw one batch after the other, each from the model that the last one left."""

# What is run where nothing else is wished, half an hour of two cores: the control and two methods, in three orders.
METHODS = ("retain_ft", "gd", "npo")
BATCHES = (8, 2)
ORDERS = 3
