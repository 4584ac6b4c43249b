"""Class targets: labels, or distributions over the classes."""

from typing import Any

import numpy as np

from recipes.checks.labels import Array, as_labels, class_index


class ClassTargets:
    """A classifier's targets: for each row a label, or a distribution over the classes.

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
        """Whether the targets are strings."""
        return self._labels is not None and self._labels.dtype.kind == "U"

    def find_classes(self) -> Array:
        """Return the distinct labels, or the column numbers, in ascending order, `[k]`.

        Raises:
            ValueError: If there are fewer than two.
        """
        if self._labels is None:
            return sort_classes(np.arange(self._distribution.shape[1]))
        return sort_classes(np.unique(self._labels))

    def find_class_index(self, classes: Array) -> Array:
        """Return the index in `classes` of each row's (likeliest) class, `[n]`.

        Raises:
            ValueError: If a label is not among the classes, or there is not one column
                for each class.
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


def sort_classes(classes: Array) -> Array:
    """Return the labels of the classes in ascending order.

    Raises:
        ValueError: If there are fewer than two, or a label is repeated.
    """
    labels = _as_labels(classes)
    unique = np.unique(labels)
    if len(unique) < 2 or len(unique) < len(labels):
        raise ValueError(
            "There should be at least two classes, each named once. Received: "
            f"{labels.tolist()}"
        )
    return unique


def _as_labels(y: Array) -> Array:
    return as_labels(y, "MultilayerPerceptronRegressor")


def _as_distribution(y: Array) -> Any:
    """Return `y` `[n, k]` in float64 if it holds distributions; `None` for labels.

    Raises:
        ValueError: If a row is no distribution.
    """
    if y.ndim == 1:
        return None
    if y.dtype.kind not in "fiub":
        raise ValueError("`y` should hold one label per row, or numbers in k columns.")
    p = y.astype(np.float64)
    if p.min() < 0 or not np.allclose(p.sum(axis=1), 1, atol=1e-3):
        raise ValueError(
            "`y` with several columns should hold a distribution over the classes in "
            "each row, as one-hot rows do: nonnegative numbers that sum to 1."
        )
    return p
