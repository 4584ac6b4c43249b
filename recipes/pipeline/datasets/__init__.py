"""The data stage: any `--dataset` as rows in memory, with a description."""

from recipes.pipeline.datasets.description import (
    Column,
    Data,
    Description,
    Examples,
    Task,
)
from recipes.pipeline.datasets.loading import load

__all__ = ["Column", "Data", "Description", "Examples", "Task", "load"]
