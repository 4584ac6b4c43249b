"""The report of a support vector machine."""
