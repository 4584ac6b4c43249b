"""The article's three learners, each trained by its own descent method."""
