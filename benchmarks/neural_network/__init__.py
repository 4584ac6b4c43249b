"""Neural networks compared with their peers."""
