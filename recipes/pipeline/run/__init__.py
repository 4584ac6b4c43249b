"""A run: its folder, timing and record, and the files that it leaves."""

from recipes.pipeline.run import checkpoint
from recipes.pipeline.run.session import (
    Run,
    Session,
    newest_export,
    tensorboard,
    verbosity,
)

__all__ = [
    "Run",
    "Session",
    "checkpoint",
    "newest_export",
    "tensorboard",
    "verbosity",
]
