"""Planes to look at a machine on: that of two columns, or of two main directions."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt
from sklearn.decomposition import PCA

from recipes.pipeline import report

if TYPE_CHECKING:
    from recipes.pipeline.run import Run

Matrix = npt.NDArray[Any]
_ENTRIES = 2**24  # of the matrix that the directions are computed from
_ROWS = 5000  # likewise


class Plane(NamedTuple):
    """A plane through the features.

    Attributes:
        points: where the training rows lie on it, `[n, 2]`.
        labels: of its axes.
        lift: from points on it `[g, 2]` to features `[g, p]`.
        is_all: whether it holds all there is: nothing is left out of sight.
        words: what it is.
    """

    points: Matrix
    labels: tuple[str, str]
    lift: Callable[[Matrix], Matrix]
    is_all: bool
    words: str


def plane(run: Run, features: Matrix) -> Plane | None:
    """The plane to draw a run's machine on; None where the features are a line.

    Args:
        run: the run.
        features: the preprocessed training rows, `[n, p]`.
    """
    columns = run.data.description.columns
    numeric = all(column.kind == "numeric" for column in columns)
    if features.shape[1] == 2 and len(columns) == 2 and numeric:
        return _raw(run)
    return _principal(features) if features.shape[1] > 1 else None


def _raw(run: Run) -> Plane:
    """The plane of the data's two columns, in their own units."""
    preprocessing: Any = run.serving_model.preprocessing
    raw = run.data.train.features
    raw = raw.toarray() if hasattr(raw, "toarray") else raw
    first, second = (
        report.shorten(
            f"{column.name} ({column.unit})" if column.unit else column.name, 30
        )
        for column in run.data.description.columns
    )
    return Plane(
        preprocessing.imputation(raw).numpy(),
        (first, second),
        lambda points: preprocessing(points.astype(np.float32)).numpy(),
        True,
        "The plane of the two columns.",
    )


def _principal(features: Matrix) -> Plane:
    """The plane on which the rows are spread the most."""
    rows, width = features.shape
    chosen = report.sample(rows, min(_ROWS, max(_ENTRIES // width, 50)))
    found = PCA(2, random_state=0).fit(features[chosen].astype(np.float64))
    directions, mean = found.components_, found.mean_
    shares = found.explained_variance_ratio_
    first, second = (
        f"Principal component {number} ({report.percent(share, 2)} of the variance)"
        for number, share in enumerate(shares, 1)
    )
    return Plane(
        (features - mean) @ directions.T,
        (first, second),
        lambda points: (points @ directions + mean).astype(np.float32),
        width == 2,
        "The plane through the mean of the training rows along the two directions in "
        "which they vary most, the principal components of the standardised columns: "
        f"it holds {report.percent(float(shares.sum()), 2)} of their variance.",
    )
