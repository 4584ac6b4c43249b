"""A configuration dataclass, read as the flags of a command line."""

import csv
import dataclasses
import io
import shutil
import textwrap
from collections.abc import Iterable
from typing import Any

from recipes.checks.domain import Domain
from recipes.checks.settings import Settings, domains
from recipes.checks.suggestions import suggest
from recipes.pipeline.cli.config import DataConfig

_HELP_COLUMN = 28  # where the help texts begin


@dataclasses.dataclass(frozen=True)
class Field:
    """One setting that has a flag.

    Attributes:
        name: The field's name, and its flag's.
        default: Its default value.
        help: What it means, and what values it takes.
        is_shared: Whether it is one of those that all recipes have.
        domain: The values that it takes.
    """

    name: str
    default: Any
    help: str
    is_shared: bool
    domain: Domain

    @property
    def placeholder(self) -> str:
        """What stands for the value in a usage line."""
        if self.domain.several:
            return "TEXT,..." if self.domain.several is str else "INTEGER,..."
        kinds = {int: ["INTEGER"], float: ["NUMBER"], None: []}
        return "|".join([*kinds[self.domain.number], *self.domain.words]) or "TEXT"

    def read(self, argument: str) -> Any:
        """Turn what a user wrote into the value; its bounds are checked later.

        Args:
            argument: The text behind the flag's `=`.

        Raises:
            ValueError: If it is no value of the setting; the message says what is.
        """
        domain = self.domain
        try:
            if domain.several:
                parts = (
                    next(csv.reader([argument], skipinitialspace=True), [])
                    if argument.strip()
                    else []
                )
                return tuple(domain.several(part.strip()) for part in parts)
            if domain.number and argument not in domain.words:
                return domain.number(argument)
        except ValueError:
            near = suggest(argument, domain.words)
            separated = ", with commas between them" if domain.several else ""
            raise ValueError(f"should be {domain.expected}{separated}{near}") from None
        if argument in domain.words or domain.text:
            return argument
        near = suggest(argument, domain.words)
        raise ValueError(f"should be {domain.expected}{near}")


def fields_of(config_class: type[Settings]) -> list[Field]:
    """List the settings of a configuration that have a flag, in its order.

    Raises:
        TypeError: If a field has no help text, or a type that no flag can have.
    """
    is_recipe = issubclass(config_class, DataConfig)
    shared = {field.name for field in dataclasses.fields(DataConfig) if is_recipe}
    found = domains(config_class)
    return [
        Field(
            field.name,
            field.default,
            field.metadata["help"],
            field.name in shared,
            found[field.name],
        )
        for field in dataclasses.fields(config_class)
        if field.metadata["is_flag"]
    ]


def help_text(fields: Iterable[Field], recipe: str, doc: str) -> str:
    """Write what `--help` shows: the command's own settings, then the shared ones.

    Args:
        fields: The settings of the recipe, or of another command.
        recipe: Its name, as in `python -m recipes.NAME`.
        doc: What it does; the first paragraph is shown.

    Returns:
        Lines for a terminal, as wide as it is (60 to 100 characters).
    """
    width = max(60, min(100, shutil.get_terminal_size().columns))
    lines = [*textwrap.wrap(doc.strip().split("\n\n")[0], width), ""]
    lines += ["Usage:", f"  python -m recipes.{recipe} [--flag=value ...]"]
    title = recipe.replace("_", " ").capitalize()
    for heading, shared in ((title, False), ("Data and run", True)):
        group = [field for field in fields if field.is_shared == shared]
        if group:
            lines += ["", f"{heading}:"]
        for field in group:
            lines += _entry(*_field_entry(field), width)
    lines += ["", "Also:"]
    lines += _entry("--flagfile=FILE", "read flags from a file, one a line", width)
    lines += _entry("--helpfull", "list absl's own flags too", width)
    return "\n".join(lines) + "\n"


def as_text(value: Any) -> str:
    """Write a value as a flag takes it: `true`, `0.01`, `auto`, `256,128`.

    A text with a comma stands in quotation marks: `age,"height, cm"`. An object that no
    flag takes is shown by its type: `<DataFrame>`.
    """
    if not isinstance(value, str | int | float | tuple):
        return f"<{type(value).__name__}>"
    if isinstance(value, tuple):
        line = io.StringIO()
        csv.writer(line, lineterminator="").writerow(value)
        return line.getvalue()
    return str(value).lower() if isinstance(value, bool) else str(value)


def _field_entry(field: Field) -> tuple[str, str]:
    domain = field.domain
    if domain.switch:
        state = "on" if field.default else "off"
        return f"--[no]{field.name}", f"{field.help} (default: {state})"
    bounds = [str(domain.bounds)] if str(domain.bounds) else []
    default = (
        [f"default: {as_text(field.default)}"] if field.default not in ("", ()) else []
    )
    notes = "; ".join([*bounds, *default])
    left = f"--{field.name}={field.placeholder}"
    return left, f"{field.help} ({notes})" if notes else field.help


def _entry(left: str, right: str, width: int) -> list[str]:
    lines = textwrap.wrap(right, width - _HELP_COLUMN, break_on_hyphens=False)
    indent = " " * _HELP_COLUMN
    if len(left) > _HELP_COLUMN - 4:
        return [f"  {left}", *(indent + line for line in lines)]
    first = f"  {left}".ljust(_HELP_COLUMN) + lines[0]
    return [first, *(indent + line for line in lines[1:])]
