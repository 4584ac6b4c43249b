"""The names of a SavedModel's inputs: those of the table's columns, whatever they are.

A signature allows any string. When TensorFlow loads one in Python, though, it makes
parameters of its inputs, with `_` for whatever is neither letter nor digit.
"""

import itertools
import keyword
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class InputName:
    """What a column's input is called.

    Attributes:
        column: The column's name, and that of the input in the signature.
        keyword: The name in a call of the loaded signature, `signature(**columns)`: the
            column's, unless Python cannot pass it beside the others.
        argument: The name in the loaded signature's `structured_input_signature`: the
            keyword, unless no parameter can be called so.
    """

    column: str
    keyword: str
    argument: str


def name_inputs(columns: Iterable[str]) -> list[InputName]:
    """Name the inputs of columns, in the order of the loaded signature's parameters.

    A column that has to have another name becomes `input_0`, `input_1`, …
    """
    # A name that needs no change goes before one that would become the same.
    columns = sorted(columns, key=lambda column: _as_parameter(column) != column)
    owners: dict[str, str | None] = {"self": None, "": None}
    for column in columns:
        owners.setdefault(_as_parameter(column), column)
    others = (f"input_{number}" for number in itertools.count())
    free = (other for other in others if other not in owners)
    names = []
    for column in columns:
        spoken = column if owners[_as_parameter(column)] == column else next(free)
        argument = spoken if _is_parameter(_as_parameter(spoken)) else next(free)
        names.append(InputName(column, spoken, argument))
    return sorted(names, key=lambda name: _as_parameter(name.argument))


def _as_parameter(name: str) -> str:
    """Return the parameter that TensorFlow makes of a name."""
    word = re.sub(r"\W", "_", name)
    return word if word[:1].isalpha() or not word else f"arg_{word}"


def _is_parameter(word: str) -> bool:
    """Return whether Python takes the word for a parameter, whatever its version.

    Later versions know more letters. To one that does not know a letter, the word, and
    with it the order of the parameters, would be another.
    """
    return (
        word.isidentifier()
        and not keyword.iskeyword(word)
        and all(unicodedata.ucd_3_2_0.category(letter) != "Cn" for letter in word)
    )
