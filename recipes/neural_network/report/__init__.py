"""The report of a neural network."""
