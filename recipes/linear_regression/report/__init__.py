"""The report of a linear regression."""
