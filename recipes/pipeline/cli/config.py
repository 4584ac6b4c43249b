"""The settings that all recipes share: which data, where to, what to leave behind."""

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from recipes.checks.settings import Settings, setting
from recipes.errors import ArgumentError

LARGEST_SEED = 2**32 - 1  # NumPy's limit
# A data frame: of any library that has one of the protocols.
Frame: TypeAlias = Any
_FRAME_PROTOCOLS = ("__arrow_c_stream__", "__dataframe__")


def is_frame(value: Any) -> bool:
    """Return whether a value is a data frame."""
    return any(hasattr(value, name) for name in _FRAME_PROTOCOLS)


@dataclass(frozen=True, kw_only=True)
class DataConfig(Settings):
    """The fields that every recipe's `Config` has; each is a flag.

    Raises:
        ArgumentError: If a value is wrong.
    """

    dataset: str | Frame = setting(
        "",
        "embedded name, tfds:NAME[/CONFIG][:VERSION], or a file: .csv .tsv .txt .data "
        ".parquet .feather .jsonl .xlsx .libsvm .svm .npz, or images, "
        "…-images-idx3-ubyte; also .gz .bz2 .xz .zip; tables with the same columns: "
        "a folder, or a pattern in quotes, 'sales/*.csv'",
    )
    test_dataset: str | Frame = setting(
        "", "separate test set, same forms; empty: split one off"
    )
    test_fraction: float = setting(
        0.2, "share of rows held out for the test", above=0, below=1
    )
    target: str = setting("", "target column of a table; empty: the last one")
    drop: tuple[str, ...] = setting((), "columns of a table to leave out")
    features: tuple[str, ...] = setting(
        (), "columns of a table to use, and no others; empty: all"
    )
    keep: tuple[str, ...] = setting(
        (), "columns to use though their numbers seem to name the rows"
    )
    categorical: tuple[str, ...] = setting(
        (), "columns whose values are categories, also if they are numbers"
    )
    numeric: tuple[str, ...] = setting((), "columns whose values are numbers")
    text_features: int = setting(
        2000, "words and pairs of words of a column of free text, at most", least=1
    )
    na_values: tuple[str, ...] = setting(
        (), "texts that mean 'not known', besides NA, ?, null and the like"
    )
    separator: str = setting(
        "auto", "what separates a table's cells: a character, tab, blank or auto"
    )
    decimal: Literal["auto", ".", ","] = setting(
        "auto", "the sign before the decimals of a table's numbers"
    )
    encoding: str = setting(
        "auto", "a table's encoding, such as utf-8 or cp1252, or auto"
    )
    columns: str = setting(
        "", "read a table's columns as another run's columns.json says"
    )
    header: Literal["auto", "yes", "no"] = setting(
        "auto", "whether a table's first line has the columns' names"
    )
    task: Literal["auto", "regression", "classification"] = setting(
        "auto", "what to predict: numbers or classes; auto: as the target looks"
    )
    seed: int = setting(
        0,
        "the same seed gives the same numbers to the bit",
        least=0,
        most=LARGEST_SEED,
    )
    out_dir: str = setting("", "folder for the run's files; empty: runs/RECIPE/DATASET")
    report: bool = setting(True, "write report.html")
    export: bool = setting(True, "write model.keras and the SavedModel export/N")
    split: str = setting(
        "random",
        "which rows are held out: random, time:COLUMN (the last ones by it) or "
        "group:COLUMN (those with the same value stay together)",
    )
    positive_class: str = setting(
        "", "of two classes, the one of index 1; empty: the last by name"
    )
    threshold: str = setting(
        "",
        "of two classes, from what probability of the positive one (or score, where "
        "there are no probabilities) a row is of it: a number, balanced or "
        "cost=FN:FP; empty: the score decides",
    )
    log_target: bool = setting(
        False, "numbers: learn the target's logarithm; predict, and score, the target"
    )
    weights: str = setting("", "column of a table that holds the rows' weights")
    resume: bool = setting(
        False, "go on from what a run that ended early has left in out_dir"
    )

    def __post_init__(self) -> None:
        """Check the values; data may come as a data frame, too."""
        super().__post_init__()
        for name in ("dataset", "test_dataset"):
            value = getattr(self, name)
            if not isinstance(value, str) and not is_frame(value):
                expected = "a name, a file or a data frame, of pandas or polars"
                raise ArgumentError(name, expected, value)
