"""Regression or classification: what was asked, and what the target is fit for."""

from typing import Literal

import numpy as np

from recipes.pipeline.datasets.description import Task
from recipes.pipeline.datasets.source import Source, some
from recipes.pipeline.errors import InputError

_FEW = 20  # a target with at most so many whole numbers is taken for classes
_ROWS_PER_CLASS = 5  # with more classes than that, each should have so many rows


def decide(
    asked: Literal["auto", "regression", "classification"], source: Source
) -> Task:
    """Decide the task by what was asked and by the target.

    Raises:
        InputError: The target is not fit for what was asked.
    """
    target, labels = source.target, source.train.target
    if target.kind == "categorical" and asked == "regression":
        raise InputError(
            f"--task: the target '{target.name}' of {source.where} has classes "
            f"({some(target.levels)}); regression needs a numeric target"
        )
    different = np.unique(labels)
    if len(different) < 2:
        held = f"{labels[0]:g}" if target.kind == "numeric" else f"'{target.levels[0]}'"
        raise InputError(
            f"{source.where}: the target '{target.name}' is {held} in every row; "
            "there is nothing to learn"
        )
    if asked == "regression":
        return "regression"
    whole = target.kind == "categorical" or bool(np.all(different % 1 == 0))
    if asked == "auto" and not (
        target.kind == "categorical" or (whole and len(different) <= _FEW)
    ):
        return "regression"
    if len(different) > _FEW and (
        not whole or len(labels) < _ROWS_PER_CLASS * len(different)
    ):
        raise InputError(
            f"--target: '{target.name}' of {source.where} has {len(different)} "
            f"different values in {len(labels)} rows: no classes; name another column"
            + (", or take --task=regression" if target.kind == "numeric" else "")
        )
    return "classification"
