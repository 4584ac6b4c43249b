"""Small data: this recipe and its peers where overhead decides."""
