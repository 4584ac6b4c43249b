"""The optimality of a run's dual problems at β = 0, before they are solved."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from recipes.pipeline.report import quoted
from recipes.pipeline.run import Run
from recipes.svm.models.inputs import weigh_rows

Vector = npt.NDArray[np.float64]


class InitialGap(NamedTuple):
    """One problem at β = 0, where SMO starts and the dual objective is 0."""

    name: str  # the classes it separates, as "‘a’ against ‘b’"; empty if it is the only
    duality_gap: float
    max_kkt_violation: float


def compute_bounds(run: Run) -> Vector:
    """Return the largest size that each training row's coefficient may have, `[n]`."""
    parameters, target = run.metrics["parameters"], run.data.train.target
    weight = run.data.train.weight
    weight = np.ones(len(target)) if weight is None else weight
    if parameters.get("class_weight") == "balanced":
        classes = np.arange(len(run.data.description.target.levels))
        weight = weigh_rows("balanced", classes, target, weight)
    return parameters["C"] * weight


def compute_initial_gaps(run: Run) -> list[InitialGap]:
    """Return every problem at β = 0, in the order of the model's `traces`."""
    bound, target = compute_bounds(run), run.data.targets["train"]
    if run.data.description.task == "regression":
        epsilon = run.metrics["parameters"]["epsilon"]
        return [_compute_regression_gap(target, bound, epsilon)]
    levels = run.data.description.target.levels
    return [
        # All scores are 0: every row costs as much as its bound, and the two classes
        # disagree about the bias by the whole width of the margin, 2.
        InitialGap(name, float(bound[rows].sum()), 2.0)
        for name, rows in _list_problems(run.model, levels, target)
    ]


def _list_problems(
    model: Any, levels: tuple[str, ...], target: npt.NDArray[np.int64]
) -> Iterator[tuple[str, npt.NDArray[np.bool_]]]:
    """List the names and rows of the problems of a classification."""
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


def _compute_regression_gap(
    target: Vector, bound: Vector, epsilon: float
) -> InitialGap:
    """Return the gap of the flat tube in the middle of the targets."""
    low, high = float(target.min()), float(target.max())
    outside = np.maximum(np.abs(target - (low + high) / 2) - epsilon, 0.0)
    return InitialGap("", float(bound @ outside), max(high - low - 2 * epsilon, 0.0))
