"""What a classifier is told of its rows: labels, or distributions over the classes."""

from typing import Any

import numpy as np

from recipes.checks import labels
from recipes.checks.labels import Array, class_index


class Truth:
    """The truth about some rows: a label for each, or a distribution.

    Args:
        y: Labels, `[n]`, integers or strings, or a distribution over the classes in
            each row, `[n, k]`.

    Raises:
        ValueError: If `y` is neither.
    """

    def __init__(self, y: Array) -> None:
        self._distribution = _as_distribution(y)
        self._labels = _as_labels(y) if self._distribution is None else None

    @property
    def are_strings(self) -> bool:
        """Whether they are labels, and strings."""
        return self._labels is not None and self._labels.dtype.kind == "U"

    def classes(self) -> Array:
        """The labels that there are, or the numbers of the columns, ascending, `[k]`.

        Raises:
            ValueError: If there are fewer than two.
        """
        if self._labels is None:
            return as_classes(np.arange(self._distribution.shape[1]))
        return as_classes(np.unique(self._labels))

    def index(self, classes: Array) -> Array:
        """Which of the `classes` each row has, `[n]`; of a distribution the likeliest.

        Raises:
            ValueError: If it is none of them, or columns are not as many.
        """
        if self._labels is not None:
            return class_index(self._labels, classes)
        columns = self._distribution.shape[1]
        if columns != len(classes):
            raise ValueError(
                f"`y` should have {len(classes)} columns, one for each class. "
                f"Received: {columns}"
            )
        return self._distribution.argmax(axis=1)


def as_classes(given: Array) -> Array:
    """The labels in ascending order.

    Raises:
        ValueError: If there are fewer than two, or one comes twice.
    """
    given = _as_labels(given)
    classes = np.unique(given)
    if len(classes) < 2 or len(classes) < len(given):
        raise ValueError(
            "There should be at least two classes, each named once. Received: "
            f"{given.tolist()}"
        )
    return classes


def _as_labels(y: Array) -> Array:
    return labels.as_labels(y, "MultilayerPerceptronRegressor")


def _as_distribution(y: Array) -> Any:
    """`y` `[n, k]`, float, if it is a distribution; `None` if it is labels.

    Raises:
        ValueError: If rows are no distributions.
    """
    if y.ndim == 1:
        return None
    if y.dtype.kind not in "fiub":
        raise ValueError("`y` should hold one label a row, or numbers in k columns.")
    p = y.astype(np.float64)
    if p.min() < 0 or not np.allclose(p.sum(axis=1), 1, atol=1e-3):
        raise ValueError(
            "`y` of several columns should hold a distribution over the classes in "
            "each row, as one-hot rows do: not negative, with the sum 1."
        )
    return p
