"""Linear regression compared with its peers."""
