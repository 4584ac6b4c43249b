"""A configuration dataclass, read as the settings of a command line.

Field by field: name, type, default, and as help text the comment behind it.
"""

import ast
import dataclasses
import inspect
import shutil
import textwrap
import tokenize
import types
import typing
from collections.abc import Iterable
from io import StringIO
from typing import Any, Literal

from recipes.checks.suggestions import suggest
from recipes.pipeline.cli.config import DataConfig

_HELP_COLUMN = 28  # where the help texts begin


@dataclasses.dataclass(frozen=True)
class Field:
    """One setting.

    Attributes:
        name: the field's name, and its flag's.
        default: its default value.
        help: the comment behind the field.
        shared: whether all recipes have it.
        switch: whether it is on or off.
        number: int or float where it may be a number.
        words: the words that it may be.
        text: whether it may be any text.
        several: whether it is any number of whole numbers, with commas between them.
    """

    name: str
    default: Any
    help: str
    shared: bool
    switch: bool = False
    number: type[int] | type[float] | None = None
    words: tuple[str, ...] = ()
    text: bool = False
    several: bool = False

    @property
    def expected(self) -> str:
        """What the value should be, in words."""
        if self.several:
            return "whole numbers with commas between them"
        kinds = {int: ["a whole number"], float: ["a number"], None: []}
        return " or ".join([*kinds[self.number], *self.words])

    @property
    def placeholder(self) -> str:
        """What stands for the value in a usage line."""
        if self.several:
            return "INTEGER,..."
        kinds = {int: ["INTEGER"], float: ["NUMBER"], None: []}
        return "|".join([*kinds[self.number], *self.words]) or "TEXT"

    def read(self, argument: str) -> Any:
        """Turns what a user wrote into the value (of all but switches).

        Raises:
            ValueError: says what the value should be.
        """
        if argument in self.words:
            return argument
        if self.several:
            return self._numbers(argument)
        if self.number:
            try:
                return self.number(argument)
            except ValueError:
                pass
        if self.text:
            return argument
        raise ValueError(f"should be {self.expected}{suggest(argument, self.words)}")

    def _numbers(self, argument: str) -> tuple[int, ...]:
        try:
            return tuple(int(part) for part in argument.split(",") if argument.strip())
        except ValueError:
            raise ValueError(f"should be {self.expected}, as 256,128") from None


def fields_of(config_class: type[DataConfig]) -> list[Field]:
    """Lists the settings of a configuration.

    Args:
        config_class: a dataclass; its fields are bool, int, float, str, `Literal[...]`
          of words, or a union of these with one number at most, as in
          `float | Literal["auto"]`, or `tuple[int, ...]`; each with a default and a
          comment behind it.

    Returns:
        The settings, in the dataclass's order.

    Raises:
        TypeError: a field lacks its default or its comment, or is of another type.
    """
    hints = typing.get_type_hints(config_class)
    comments = _comments(config_class)
    shared = {field.name for field in dataclasses.fields(DataConfig)}
    fields = []
    for field in dataclasses.fields(config_class):
        where = f"{config_class.__name__}.{field.name}"
        if field.default is dataclasses.MISSING:
            raise TypeError(f"{where} should have a default")
        if not comments.get(field.name):
            raise TypeError(f"{where} should have a comment behind it, for --help")
        fields.append(
            Field(
                field.name,
                field.default,
                comments[field.name],
                field.name in shared,
                **_kinds(hints[field.name], where),
            )
        )
    return fields


def help_text(fields: Iterable[Field], recipe: str, doc: str) -> str:
    """Writes what `--help` shows: the recipe's own settings, then the shared ones.

    Args:
        fields: the recipe's settings.
        recipe: the recipe's name, as in `python -m recipes.NAME`.
        doc: what the recipe does; its first paragraph is shown.

    Returns:
        Lines for a terminal, as wide as it is (60 to 100 characters).
    """
    width = max(60, min(100, shutil.get_terminal_size().columns))
    lines = [*textwrap.wrap(doc.strip().split("\n\n")[0], width), ""]
    lines += ["Usage:", f"  python -m recipes.{recipe} [--flag=value ...]"]
    title = recipe.replace("_", " ").capitalize()
    for heading, shared in ((title, False), ("Data and run", True)):
        group = [field for field in fields if field.shared == shared]
        if group:
            lines += ["", f"{heading}:"]
        for field in group:
            lines += _entry(*_field_entry(field), width)
    lines += ["", "Besides:"]
    lines += _entry("--flagfile=FILE", "read flags from a file, one a line", width)
    lines += _entry("--helpfull", "list absl's own flags too", width)
    return "\n".join(lines) + "\n"


def as_text(value: Any) -> str:
    """Writes a value as a flag takes it: `true`, `0.01`, `auto`, `256,128`."""
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    return str(value).lower() if isinstance(value, bool) else str(value)


def _kinds(hint: Any, where: str) -> dict[str, Any]:
    """A type hint as the arguments of `Field` that say what values it takes."""
    if hint is bool:
        return {"switch": True}
    if hint == tuple[int, ...]:
        return {"several": True}
    union = typing.get_origin(hint) in (typing.Union, types.UnionType)
    number: type[int] | type[float] | None = None
    words: tuple[str, ...] = ()
    text = False
    for part in typing.get_args(hint) if union else (hint,):
        if typing.get_origin(part) is Literal:
            words += typing.get_args(part)
        elif part is str:
            text = True
        elif part in (int, float) and number is None:
            number = part
        else:
            raise TypeError(f"{where}: {hint} cannot be a flag")
    return {"number": number, "words": words, "text": text}


def _comments(config_class: type) -> dict[str, str]:
    """The comment behind each field, over the class and its bases.

    Whole-line comments that follow at once go on with it.
    """
    comments: dict[str, str] = {}
    for base in reversed(config_class.__mro__):
        if not dataclasses.is_dataclass(base):
            continue
        source = textwrap.dedent(inspect.getsource(base))
        lines = {
            token.start[0]: token
            for token in tokenize.generate_tokens(StringIO(source).readline)
            if token.type == tokenize.COMMENT
        }
        (tree,) = ast.parse(source).body
        for node in typing.cast(ast.ClassDef, tree).body:
            if not isinstance(node, ast.AnnAssign) or node.end_lineno not in lines:
                continue
            number = node.end_lineno
            parts = [lines[number].string]
            while (below := lines.get(number + 1)) and _is_whole_line(below):
                parts.append(below.string)
                number += 1
            name = typing.cast(ast.Name, node.target).id
            comments[name] = " ".join(part.lstrip("# ").rstrip() for part in parts)
    return comments


def _is_whole_line(comment: tokenize.TokenInfo) -> bool:
    return comment.line.lstrip().startswith("#")


def _field_entry(field: Field) -> tuple[str, str]:
    if field.switch:
        left = f"--[no]{field.name}"
        default = "on" if field.default else "off"
    else:
        left = f"--{field.name}={field.placeholder}"
        default = as_text(field.default)
    return left, f"{field.help} (default: {default})" if default else field.help


def _entry(left: str, right: str, width: int) -> list[str]:
    lines = textwrap.wrap(right, width - _HELP_COLUMN, break_on_hyphens=False)
    indent = " " * _HELP_COLUMN
    if len(left) > _HELP_COLUMN - 4:
        return [f"  {left}", *(indent + line for line in lines)]
    first = f"  {left}".ljust(_HELP_COLUMN) + lines[0]
    return [first, *(indent + line for line in lines[1:])]
