"""What is known of the dual problems of a run before they are solved."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from recipes.pipeline.report import quoted
from recipes.svm.models.inputs import class_weights

if TYPE_CHECKING:
    from recipes.pipeline.run import Run

Vector = npt.NDArray[np.float64]


class Beginning(NamedTuple):
    """One problem at β = 0, where SMO starts and the dual objective is 0."""

    name: str  # of what it tells apart, where there are several problems; or empty
    duality_gap: float
    max_kkt_violation: float


def bounds(run: Run) -> Vector:
    """The most that each training row's coefficient may be, in size; `[n]`."""
    chosen, target = run.metrics["parameters"], run.data.train.target
    weight = np.ones(len(target))
    if chosen.get("class_weight") == "balanced":
        classes = np.arange(len(run.data.description.target.levels))
        weight = class_weights("balanced", classes, target, weight)
    return chosen["C"] * weight


def beginnings(run: Run) -> list[Beginning]:
    """Every problem at β = 0, in the order of the model's `traces`."""
    bound, target = bounds(run), run.data.train.target
    if run.data.description.task == "regression":
        return [_of_regression(target, bound, run.metrics["parameters"]["epsilon"])]
    levels = run.data.description.target.levels
    return [
        # All scores are 0: every row costs as much as its bound, and the two sides
        # disagree on the bias by the whole width of the margin.
        Beginning(name, float(bound[rows].sum()), 2.0)
        for name, rows in _problems(run.model, levels, target)
    ]


def _problems(
    model: Any, levels: tuple[str, ...], target: npt.NDArray[np.int64]
) -> Iterator[tuple[str, npt.NDArray[np.bool_]]]:
    """The names and rows of the problems of a classification."""
    every = np.ones(len(target), bool)
    if len(levels) == 2:
        yield "", every
    elif model.multiclass == "one_vs_rest":
        yield from ((f"{quoted(name)} against the rest", every) for name in levels)
    else:
        for a, one in enumerate(levels):
            for b in range(a + 1, len(levels)):
                name = f"{quoted(one)} against {quoted(levels[b])}"
                yield name, (target == a) | (target == b)


def _of_regression(target: Vector, bound: Vector, epsilon: float) -> Beginning:
    """The flat tube in the middle of the targets."""
    low, high = float(target.min()), float(target.max())
    outside = np.maximum(np.abs(target - (low + high) / 2) - epsilon, 0.0)
    return Beginning("", float(bound @ outside), max(high - low - 2 * epsilon, 0.0))
