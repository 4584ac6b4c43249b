"""A run: its folder, clock and record, and the files that it leaves."""

from recipes.pipeline.run import checkpoint
from recipes.pipeline.run.session import (
    Run,
    Session,
    discard,
    interrupted,
    newest_export,
    tensorboard,
    verbosity,
)

__all__ = [
    "Run",
    "Session",
    "checkpoint",
    "discard",
    "interrupted",
    "newest_export",
    "tensorboard",
    "verbosity",
]
