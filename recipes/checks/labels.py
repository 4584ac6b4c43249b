"""Labels of classes, integers or strings, and the weights of classes."""

from collections.abc import Mapping
from numbers import Number
from typing import Any

import numpy as np
import numpy.typing as npt

from recipes.checks.arguments import check_positive
from recipes.errors import shorten

Array = npt.NDArray[Any]


def to_array(values: Any) -> Array:
    """Return values as an array, without conversions that would make some equal.

    NumPy makes "1" of 1 and "nan" of NaN among strings, and 1 of True among numbers.
    Such mixtures become an array of objects, which `as_labels` refuses.
    """
    if not hasattr(values, "dtype"):
        objects = np.asarray(values, object)
        if len({_kind_of(value) for value in objects.flat}) > 1:
            return objects
    return np.asarray(values)


def _kind_of(value: Any) -> type:
    kinds = str, bytes, bool, np.bool_, Number
    return next((kind for kind in kinds if isinstance(value, kind)), type(value))


def as_labels(y: Array, regressor: str) -> Array:
    """Return labels as integers or strings, whichever they are.

    Args:
        y: Any values, `[n]`.
        regressor: The name of the model that takes numbers in place of labels.

    Raises:
        ValueError: If they are neither.
    """
    if y.dtype.kind == "O":
        kinds = {_kind_of(value) for value in y}
        if len(kinds) > 1:
            names = ", ".join(sorted(kind.__name__ for kind in kinds))
            raise ValueError(
                "`y` should hold labels of one type: integers or strings. "
                f"Received: a mixture of {names}"
            )
        y = np.array(list(y))
    if y.dtype.kind == "S":  # as a dataset's strings are
        return np.char.decode(y, "utf-8")
    if y.dtype.kind == "f":
        fit = bool(np.isfinite(y).all() and (y == np.round(y)).all())
    else:
        fit = y.dtype.kind in "biuU"
    if not fit:
        raise ValueError(
            "`y` should hold labels: integers or strings. Received: "
            + ("fractions or NaN" if y.dtype.kind == "f" else f"dtype {y.dtype}")
            + f"; for numbers there is {regressor}"
        )
    return y


def class_index(y: Array, classes: Array) -> npt.NDArray[np.int64]:
    """Return which of the `classes` each label is, `[n]`.

    Args:
        y: Labels, `[n]`.
        classes: All labels there may be, in ascending order, `[k]`.

    Raises:
        ValueError: If a label is not among the classes.
    """
    strings = y.dtype.kind == "U", classes.dtype.kind == "U"
    place = np.zeros(len(y), np.int64)
    known = np.zeros(len(y), bool)
    if strings[0] == strings[1]:
        place = np.minimum(np.searchsorted(classes, y), len(classes) - 1)
        known = classes[place] == y
    if not known.all():
        strange = y[~known][0].item()
        raise ValueError(
            f"`y` should hold the labels {_listed(classes)}. Received: "
            f"{shorten(repr(strange))} in {np.count_nonzero(~known)} of {len(y)} rows"
        )
    return place


def class_factors(
    class_weight: Mapping[Any, float] | str | None,
    classes: Array,
    counts: Array,
) -> npt.NDArray[np.float64]:
    """Return the weight of a row of each class, `[k]`.

    Args:
        class_weight: `{label: weight}`, where omitted labels count 1; `"balanced"`
            for n / (classes · rows of the class); `None` for 1.
        classes: The labels, `[k]`.
        counts: Rows of each class, `[k]`.

    Raises:
        ValueError: If a label is unknown, or a weight not a positive, finite number.
    """
    if class_weight is None:
        return np.ones(len(classes))
    if isinstance(class_weight, str) and class_weight == "balanced":
        return counts.sum() / (len(classes) * np.maximum(counts, 1))
    if not isinstance(class_weight, Mapping):
        raise ValueError(
            '`class_weight` should be a dict, "balanced" or None. '
            f"Received: class_weight={shorten(repr(class_weight))}"
        )
    factors = np.ones(len(classes))
    for label, factor in class_weight.items():
        place = np.flatnonzero(classes == label)
        if not len(place):
            raise ValueError(
                f"`class_weight` should have keys among the labels {_listed(classes)}. "
                f"Received: {shorten(repr(label))}"
            )
        check_positive(**{f"class_weight[{shorten(repr(label))}]": factor})
        factors[place] = factor
    return factors


def _listed(classes: Array, most: int = 20) -> str:
    """Return the labels in brackets, or the first of many."""
    listed = ", ".join(shorten(repr(label.item())) for label in classes[:most])
    return f"[{listed}{', …' if len(classes) > most else ''}]"
