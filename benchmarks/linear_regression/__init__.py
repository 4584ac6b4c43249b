"""Linear regression beside its peers."""
