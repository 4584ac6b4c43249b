"""Gradient descent on the squared error, and the proof of its optimum."""
