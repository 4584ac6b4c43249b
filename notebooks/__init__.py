"""The recipes as notebooks; `python -m notebooks` runs them and stores the outputs."""
