"""Support vector machines beside their peers."""
