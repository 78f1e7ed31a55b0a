"""Requests in sequence: patients withdraw one batch after the other, each from the model that the last one left."""
