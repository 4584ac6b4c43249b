"""The plane on which a classifier is drawn: two columns, or two main components."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse
from sklearn.decomposition import PCA

from recipes.pipeline import report
from recipes.pipeline.run import Run

Matrix = Any  # an array, or a `scipy.sparse.csr_array` of features
# The matrix from which the directions are computed has at most this many entries
_MAX_ENTRIES = 2**24
# and rows.
_MAX_ROWS = 5000


class Plane(NamedTuple):
    """A plane through the features.

    Attributes:
        points: the training rows, projected onto it, `[n, 2]`.
        labels: the labels of its axes.
        lift: maps points on it `[g, 2]` to features `[g, p]`.
        is_complete: whether it is the whole feature space.
        description: what it is, in a sentence.
    """

    points: Matrix
    labels: tuple[str, str]
    lift: Callable[[Matrix], Matrix]
    is_complete: bool
    description: str


def choose_plane(run: Run, features: Matrix) -> Plane | None:
    """Choose the plane on which to draw a run's model; None for a single feature.

    Args:
        run: the run.
        features: the preprocessed training rows, `[n, p]`.
    """
    columns = run.data.description.columns
    names = tuple(column.name for column in columns)
    # Other outputs are levels, parts of dates or marks of blanks.
    if len(names) == 2 and run.serving_model.preprocessing.output_names == names:
        return _span_columns(run)
    return _fit_principal_plane(features) if features.shape[1] > 1 else None


def _span_columns(run: Run) -> Plane:
    """Return the plane of the data's two columns, in their own units."""
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
        lambda points: preprocessing(points).numpy(),
        True,
        "The axes are the two columns.",
    )


def _fit_principal_plane(features: Matrix) -> Plane:
    """Return the plane with the largest variance of the rows."""
    rows, width = features.shape
    # ARPACK takes sparse rows, if there are more columns than components.
    is_sparse = scipy.sparse.issparse(features) and min(rows, width) > 2
    entries = features.nnz // rows + 1 if is_sparse else width
    chosen = report.sample(rows, min(_MAX_ROWS, max(_MAX_ENTRIES // entries, 50)))
    sample = features[chosen].astype(np.float64)
    if scipy.sparse.issparse(sample) and not is_sparse:
        sample = sample.toarray()
    solver = "arpack" if is_sparse else "auto"
    pca = PCA(2, svd_solver=solver, random_state=0).fit(sample)
    directions, mean = pca.components_, pca.mean_
    shares = pca.explained_variance_ratio_
    first, second = (
        f"Principal component {number} ({report.percent(share, 2)} of the variance)"
        for number, share in enumerate(shares, 1)
    )
    return Plane(
        features @ directions.T - mean @ directions.T,
        (first, second),
        lambda points: (points @ directions + mean).astype(np.float32),
        width == 2,
        "The plane goes through the mean of the training rows, along their first two "
        "principal components (of the preprocessed columns), which hold "
        f"{report.percent(float(shares.sum()), 2)} of the variance.",
    )
