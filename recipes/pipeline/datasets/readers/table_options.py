"""What the user says of a table."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from recipes.checks.suggestions import suggest
from recipes.errors import InputError, quote
from recipes.pipeline.cli.config import DataConfig
from recipes.pipeline.datasets.columns_file import ColumnsFile, read_columns
from recipes.pipeline.datasets.description import Column
from recipes.pipeline.datasets.readers.csv_layout import LayoutOptions
from recipes.pipeline.datasets.source import quote_first_five
from recipes.pipeline.datasets.split import parse_split

_OF_COLUMNS = ("drop", "features", "keep", "categorical", "numeric", "na_values")


@dataclass(frozen=True)
class TableOptions:
    """How a table is to be read; what is empty is detected.

    Attributes:
        target: The column to predict; empty for the last.
        drop: Columns that are left out.
        features: The only columns that are used, besides the target; empty for all.
        keep: Columns that are used though they seem to name rows.
        categorical: Columns that hold categories, whatever they look like.
        numeric: Columns that hold numbers.
        na_values: Texts that mean "not known", besides the usual ones.
        others: Columns that are used for something else than to predict, as they are
            read if nothing else says how.
        decimal: The sign before decimals, "." or ",".
        layout: How a text table is divided into cells.
        text_flag: The first flag that is set and that only text tables have.
        columns: How the columns of another run's table were read, as theirs are to be.
    """

    target: str = ""
    drop: tuple[str, ...] = ()
    features: tuple[str, ...] = ()
    keep: tuple[str, ...] = ()
    categorical: tuple[str, ...] = ()
    numeric: tuple[str, ...] = ()
    na_values: tuple[str, ...] = ()
    others: tuple[Column, ...] = ()
    decimal: str = ""
    layout: LayoutOptions = field(default_factory=LayoutOptions)
    text_flag: str = ""
    columns: ColumnsFile | None = None

    @classmethod
    def of_config(cls, config: DataConfig) -> "TableOptions":
        """Return what the flags say.

        Raises:
            InputError: The separator is not one character.
        """
        separator = {"auto": "", "tab": "\t", "blank": " "}.get(
            config.separator, config.separator
        )
        if len(separator) > 1 or separator in ('"', "\n"):
            raise InputError(
                f"--separator={config.separator}: should be one character, tab, blank "
                "or auto"
            )
        taken = ("target", *_OF_COLUMNS)
        of_text = ("separator", "encoding", "header")
        how, key = parse_split(config.split)
        others = (
            Column(config.weights),
            Column(key, "categorical" if how == "group" else "numeric"),
        )
        options = cls(
            text_flag=next((f for f in of_text if getattr(config, f) != "auto"), ""),
            **{name: getattr(config, name) for name in taken},
            others=tuple(column for column in others if column.name),
            decimal=config.decimal.removeprefix("auto"),
            layout=LayoutOptions(
                separator, config.encoding.removeprefix("auto"), config.header
            ),
        )
        return options._with_file(config.columns) if config.columns else options

    def _with_file(self, path: str) -> "TableOptions":
        """Return the options with those of a `columns.json`."""
        if self.named:
            raise InputError(
                f"--{self.named}: --columns={path} says how columns are read; change "
                "it there"
            )
        content = read_columns(Path(path))
        if self.target and self.target != content.target.name:
            raise InputError(
                f"--target: {quote(self.target)}, but the target of {path} is "
                f"{quote(content.target.name)}"
            )
        if content.target.kind not in ("numeric", "categorical"):
            raise InputError(
                f"{path}: the target is of kind {content.target.kind}; it should be "
                "numeric or categorical"
            )
        if len(content.table.get("separator", ",")) != 1:
            raise InputError(f"{path}: table.separator should be one character")
        before, detected = LayoutOptions.of_table(content.table), LayoutOptions()
        layout = self.layout if self.layout != detected else before
        return replace(self, columns=content, layout=layout)

    @property
    def needed(self) -> tuple[str, ...]:
        """The columns that are never left out."""
        return (self.target, *(column.name for column in self.others))

    @property
    def named(self) -> str:
        """The first flag that is set and that only tables have; empty if none is."""
        return next((name for name in _OF_COLUMNS if getattr(self, name)), "")

    def check(self, names: Iterable[str], where: str) -> None:
        """Check that the columns that are named exist, each under one flag.

        Raises:
            InputError: A column does not exist, or two flags contradict each other.
        """
        names = list(names)
        for flag in ("drop", "features", "keep", "categorical", "numeric"):
            for name in getattr(self, flag):
                if name not in names:
                    hint = suggest(name, names, "'{}'")
                    hint = hint or f"; there are {quote_first_five(names)}"
                    raise InputError(
                        f"--{flag}: no column {quote(name)} in {where}{hint}"
                    )
        for one, other in (("drop", "features"), ("drop", "keep"),
                           ("categorical", "numeric")):  # fmt: skip
            if both := set(getattr(self, one)) & set(getattr(self, other)):
                raise InputError(
                    f"--{one} and --{other} both name {quote_first_five(sorted(both))}"
                )
        if self.target in self.drop:
            raise InputError(f"--drop: {quote(self.target)} is the target")
