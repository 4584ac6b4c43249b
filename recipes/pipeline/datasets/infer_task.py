"""The task, regression or classification, inferred from the request and the target."""

from collections.abc import Iterator
from typing import Literal

import numpy as np
import numpy.typing as npt

from recipes.errors import InputError, quote
from recipes.pipeline.datasets.description import Task
from recipes.pipeline.datasets.source import Source, quote_first_five

RequestedTask = Literal["auto", "regression", "classification"]

_FEW = 20  # a target with at most this many whole numbers is taken as classes
_ROWS_PER_CLASS = 5  # needed on average if there are more classes
_ROWS_PER_NUMBERED_CLASS = 50


def infer_task(requested: RequestedTask, source: Source) -> Task:
    """Infer the task from the request and the target.

    Raises:
        InputError: The target does not suit the request.
    """
    target, labels = source.target, source.train.target
    if target.kind == "categorical" and requested == "regression":
        raise InputError(
            f"--task: the target {quote(target.name)} of {source.where} has classes "
            f"({quote_first_five(target.levels)}); regression needs a numeric target"
        )
    different, counts = np.unique(labels, return_counts=True)
    if len(different) < 2:
        held = f"{labels[0]:g}" if target.kind == "numeric" else quote(target.levels[0])
        raise InputError(
            f"{source.where}: the target {quote(target.name)} is {held} in every row; "
            "there is nothing to learn"
        )
    if requested == "regression":
        return "regression"
    whole = target.kind == "categorical" or bool(np.all(different % 1 == 0))
    if requested == "auto" and not (
        target.kind == "categorical"
        or (whole and len(different) <= _FEW)
        or _are_numbered_classes(different, counts)
    ):
        return "regression"
    if len(different) > _FEW and (
        not whole or len(labels) < _ROWS_PER_CLASS * len(different)
    ):
        raise InputError(
            f"--target: {quote(target.name)} of {source.where} has {len(different)} "
            f"different values in {len(labels)} rows, too many for classes; name "
            "another column"
            + (", or use --task=regression" if target.kind == "numeric" else "")
        )
    return "classification"


def explain_task(requested: RequestedTask, source: Source, task: Task) -> Iterator[str]:
    """Note how whole numbers were taken, if they could be either."""
    target, labels = source.target, source.train.target
    different = np.unique(labels)
    if requested != "auto" or target.kind == "categorical" or np.any(different % 1):
        return
    name = quote(target.name)
    values = f"the {len(different)} different values of {name} are taken as "
    if task == "classification" and len(different) > 2:
        yield values + "classes; --task=regression takes them as numbers"
    elif task == "regression" and len(labels) >= _ROWS_PER_CLASS * len(different):
        yield values + "numbers; --task=classification takes them as classes"


def _are_numbered_classes(
    different: npt.NDArray[np.float64], counts: npt.NDArray[np.int64]
) -> bool:
    """Return whether many whole numbers look like numbered classes, such as 26 letters.

    Classes are numbered from 0 or 1 without gaps, and usually have similar numbers of
    rows. Counts, ages and marks thin out towards their extremes.
    """
    return bool(
        different[0] in (0, 1)
        and np.array_equal(different, different[0] + np.arange(len(different)))
        and counts.min() >= max(_ROWS_PER_NUMBERED_CLASS, counts.max() / 2)
    )
