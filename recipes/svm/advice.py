"""What the user is told about the data before a machine is fitted to them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from recipes.pipeline.errors import InputError
from recipes.pipeline.report import number

if TYPE_CHECKING:
    from recipes.pipeline.datasets import Data

MANY_ROWS = 50_000
MANY_PROBLEMS = 1000


def on_target(data: Data) -> str:
    """What to know of the settings where the target is a number."""
    return (
        "C, epsilon and tolerance count standard deviations of the target, "
        f"{number(float(data.train.target.std()))}"
    )


def check_probability(data: Data) -> None:
    """Refuses probabilities where a class has no second row to hold out.

    Raises:
        InputError: names the class.
    """
    sizes = np.bincount(data.train.target)
    if sizes.min() < 2:
        name = data.description.target.levels[int(sizes.argmin())]
        raise InputError(
            f"--probability: the class '{name}' has a single training row, and none "
            "can be held out to fit probabilities; take --noprobability, or add rows"
        )


def on_cost(multiclass: str, data: Data) -> Iterator[str]:
    """Says before a long fit that it will be one."""
    rows, classes = len(data.train.target), len(data.description.target.levels)
    if rows > MANY_ROWS:
        yield (
            f"{rows:,} training rows: the time to fit grows with their square, or "
            "nearly so; a share of them tells how long it will take"
        )
    pairs = classes * (classes - 1) // 2
    if multiclass == "one_vs_one" and pairs > MANY_PROBLEMS:
        yield (
            f"{classes} classes: {pairs:,} pairs, a problem for each; "
            f"--multiclass=one_vs_rest has {classes} larger ones"
        )
