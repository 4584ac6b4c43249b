"""What is written for each row: the kept columns, and the model's answers."""

import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from recipes.errors import quote
from recipes.pipeline.datasets.source import list_first_five
from recipes.predict.exported import Exported

BLANKS_FILLED, UNSEEN_LEVELS = "blanks_filled", "unseen_levels"


def name_answers(
    model: Exported, classes: Sequence[str], *, levels_known: bool
) -> tuple[list[str], tuple[str, ...]]:
    """Name the columns of the answers.

    Args:
        model: The model.
        classes: The names of the classes, if they are known.
        levels_known: Whether unseen levels are counted.

    Returns:
        The names, and notes.
    """
    notes: tuple[str, ...] = ()
    if "prediction" in model.outputs:
        names = ["prediction"]
    else:
        kind = "probabilities" if "probabilities" in model.outputs else "scores"
        width = model.outputs[kind]
        if width > 1 and len(classes) != width:
            classes = [str(place) for place in range(width)]
            notes = (
                "the names of the classes are not known: the columns are numbered, in "
                "the ascending order of the labels",
            )
        stem = "probability" if kind == "probabilities" else "score"
        names = ["label", *(f"{stem}_{name}" for name in classes)]
        if width == 1:
            names = ["label", stem]
    names.append(BLANKS_FILLED)
    return [*names, UNSEEN_LEVELS] if levels_known else names, notes


def tell_apart(
    names: Iterable[str], taken: Iterable[str]
) -> tuple[list[str], tuple[str, ...]]:
    """Give a suffix to names that other columns have, and say so."""
    used, found, changed = set(taken), [], []
    for name in names:
        endings = (f"_{number}" for number in itertools.count(2))
        new = next(
            each
            for each in itertools.chain([name], (name + end for end in endings))
            if each not in used
        )
        used.add(new)
        found.append(new)
        if new != name:
            changed.append(f"{quote(name)} as {quote(new)}")
    if not changed:
        return found, ()
    return found, (
        f"the table has columns of the same name, so these are written under another: "
        f"{list_first_five(changed)}",
    )


def answer_columns(
    outputs: Mapping[str, Any], blanks: Any, unseen: Any | None
) -> list[pa.Array]:
    """Return the answers' columns, in the order of `name_answers`.

    Args:
        outputs: The model's, by name.
        blanks: Needed cells of each row that are blank, [n].
        unseen: Texts of each row that no level is, [n]; None if that is not known.
    """
    counts = [blanks] if unseen is None else [blanks, unseen]
    if "prediction" in outputs:
        columns = [outputs["prediction"][:, 0]]
    else:
        kind = "probabilities" if "probabilities" in outputs else "scores"
        columns = [*np.ascontiguousarray(outputs[kind].T)]
    arrays = [pa.array(column) for column in (*columns, *counts)]
    if "label" in outputs:
        arrays.insert(0, pa.array(outputs["label"].tolist(), pa.string()))
    return arrays
