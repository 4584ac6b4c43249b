"""Recipes compared with their peers, in one run on one machine, as ratios."""
