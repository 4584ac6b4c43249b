"""A run: its folder, timing and record, and the files that it leaves."""

from recipes.pipeline.run.checkpoint import Checkpoint
from recipes.pipeline.run.folder import newest_export
from recipes.pipeline.run.session import Run, Session, tensorboard, verbosity

__all__ = [
    "Checkpoint",
    "Run",
    "Session",
    "newest_export",
    "tensorboard",
    "verbosity",
]
