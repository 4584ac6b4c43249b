"""Data sets in scikit-learn's wheel: real data without a network."""

import numpy as np
import sklearn.datasets

from recipes.pipeline.datasets import source
from recipes.pipeline.datasets.description import Column
from recipes.pipeline.datasets.source import Source

NAMES = ("diabetes", "breast_cancer", "digits", "iris", "wine")

# Units of the measurements, where documented.
_DIABETES_UNITS = {"age": "years", "bmi": "kg/m²", "bp": "mmHg"}
_TARGETS = {
    "diabetes": "progression",
    "breast_cancer": "diagnosis",
    "digits": "digit",
    "iris": "species",
    "wine": "cultivar",
}


def read(name: str) -> Source:
    """Read an embedded data set.

    Args:
        name: One of `NAMES`.

    Returns:
        Its rows; diabetes as measured, not scaled by scikit-learn.
    """
    options = {"scaled": False} if name == "diabetes" else {}
    bunch = getattr(sklearn.datasets, f"load_{name}")(**options)
    columns = tuple(_describe_column(name, str(text)) for text in bunch.feature_names)
    classes = tuple(str(text) for text in getattr(bunch, "target_names", ()))
    target = Column(
        _TARGETS[name], "categorical" if classes else "numeric", "", classes
    )
    labels = np.asarray(bunch.target, np.float64)
    return Source(
        name=name,
        where=name,
        tabular=False,
        columns=columns,
        target=target,
        train=source.check_rows(bunch.data, labels, columns, target.name, name),
        image_shape=bunch.images.shape[1:] if name == "digits" else (),
    )


def _describe_column(name: str, text: str) -> Column:
    if name == "iris":
        return Column(text.removesuffix(" (cm)"), unit="cm")
    return Column(
        text, unit=_DIABETES_UNITS.get(text, "") if name == "diabetes" else ""
    )
