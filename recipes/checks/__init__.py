"""Checks of what models are given: arguments, data, labels."""
