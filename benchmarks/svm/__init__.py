"""Support vector machines compared with their peers."""
