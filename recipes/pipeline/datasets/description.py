"""The result of the data stage: rows in memory and their description."""

import dataclasses
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from recipes.pipeline.datasets import batches

Task = Literal["regression", "classification"]
# A NumPy array or a scipy.sparse.csr_array; SciPy has no type hints.
FeatureMatrix: TypeAlias = Any


Log = Literal["", "log", "log1p"]
Kind = Literal["numeric", "categorical", "date", "text"]
BLANK_LEVEL = "(blank)"  # what the level "" is called where people read it


@dataclass(frozen=True)
class Column:
    """A column: its name, its kind and how its cells are read.

    A date is the number of days since 1970-01-01, with the time as a fraction.
    """

    name: str
    kind: Kind = "numeric"
    unit: str = ""  # empty if unknown
    levels: tuple[str, ...] = ()  # code i stands for levels[i]; "" is the blank
    # What tells the values of a numeric column, or a date's, apart.
    dtype: Literal["float32", "float64"] = "float32"
    # How texts are read, as in `layers.cells`: of a date, and of numbers that are not
    # written plainly, such as `$1,000.0`. Empty: the cells are numbers, or levels.
    format: str = ""
    na_values: tuple[str, ...] = ()  # texts of blanks, besides `layers.cells.BLANKS`
    # All different cells of free text, in all rows: place i stands for texts[i].
    texts: tuple[str, ...] = dataclasses.field(default=(), repr=False)

    @property
    def level_names(self) -> tuple[str, ...]:
        """The levels as people read them."""
        return tuple(level or BLANK_LEVEL for level in self.levels)


@dataclass(frozen=True)
class Threshold:
    """What decides for the second of two classes, index 1: this value or a larger one.

    `of` is its probability, or its score (with two scores, its lead).
    """

    value: float
    of: Literal["probability", "score"]
    rule: str  # as --threshold has it
    rows: str = ""  # in words, those that it was chosen on


@dataclass(frozen=True)
class Description:
    """Everything known about a data set besides its rows."""

    name: str  # short, for folders: "diabetes", a file's stem, the catalogue's name
    source: str  # the --dataset value as given
    tabular: bool  # one serving input per named column; else one, `features`
    columns: tuple[Column, ...]
    target: Column  # numeric for regression; else categorical, levels = classes
    task: Task
    notes: tuple[str, ...] = ()  # for the user: what was dropped, unseen or assumed
    image_shape: tuple[int, ...] = ()  # (h, w) or (h, w, c) if rows are images
    # How a text table was divided into cells: see `CsvTable.layout`.
    layout: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    # Subtracted from the target for the learner, and added to what it predicts; not 0
    # if float32 does not tell the target's values apart.
    target_offset: float = 0.0
    # What the learner takes the target by, before the offset: its logarithm, or that
    # of 1 + target. The prediction is then a median, not a mean.
    target_log: Log = ""
    threshold: Threshold | None = None  # None: the scores decide
    weights: str = ""  # name of the column that the rows' weights come from
    # All columns of a table without a header line, where the names count the places;
    # else 0.
    unnamed_columns: int = 0

    @property
    def learned_name(self) -> str:
        """The name of what the learner learns: "y" or "log(y)"."""
        name = self.target.name
        return {"": name, "log": f"log({name})", "log1p": f"log(1 + {name})"}[
            self.target_log
        ]

    def to_learned(self, target: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return targets as the learner takes them, of the same shape."""
        logarithm = {"log": np.log, "log1p": np.log1p}.get(self.target_log)
        target = logarithm(target) if logarithm else target
        return target - self.target_offset if self.target_offset else target

    def to_target(self, learned: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return what a learner predicts in the target's unit: the way back."""
        if not (self.target_log or self.target_offset):
            return learned
        wide = learned.astype(np.float64) + self.target_offset
        inverse = {"log": np.exp, "log1p": np.expm1}.get(self.target_log)
        return inverse(wide) if inverse else wide

    @property
    def kinds(self) -> str:
        """How many columns of each kind there are: "5 numeric, 3 categorical"."""
        counts = Counter(column.kind for column in self.columns)
        return ", ".join(
            f"{counts[kind]:,} {kind}" for kind in get_args(Kind) if counts[kind]
        )


@dataclass(frozen=True)
class Examples:
    """Feature rows and their targets, in memory.

    `features` is [n, d], dense or CSR: float32, or float64 if a column's values need
    it; NaN stands for a blank. A categorical
    column holds codes, NaN for a level that no training row has, and for a blank if no
    training row is blank. A column of free text holds places. An image is
    a row, too: its pixels line by line, none of them blank.
    `target` is [n]: float64 for regression, int64 class index for classification.
    `weight` is [n], float64 and positive; `None` if every row counts the same.
    `key` is [n], float64: what the rows are divided by; `None` if at random.
    """

    features: FeatureMatrix
    target: npt.NDArray[Any]
    weight: npt.NDArray[np.float64] | None = None
    key: npt.NDArray[np.float64] | None = None

    def take(self, rows: npt.NDArray[Any]) -> "Examples":
        """Return a copy of some rows, by number or by mask."""
        return Examples(
            self.features[rows],
            self.target[rows],
            None if self.weight is None else self.weight[rows],
            None if self.key is None else self.key[rows],
        )


@dataclass(frozen=True)
class Data:
    """Training rows, test rows and their description.

    A recipe may hold out some of the training rows for validation.
    """

    train: Examples
    test: Examples
    description: Description
    validation: Examples | None = None

    @property
    def parts(self) -> dict[str, Examples]:
        """The rows under "train", "validation" (if held out) and "test"."""
        held_out = {"validation": self.validation} if self.validation else {}
        return {"train": self.train, **held_out, "test": self.test}

    @property
    def targets(self) -> dict[str, npt.NDArray[Any]]:
        """Each part's targets as a learner takes them, less `target_offset`."""
        convert = self.description.to_learned
        return {name: convert(rows.target) for name, rows in self.parts.items()}

    def with_notes(self, *notes: str) -> "Data":
        """Return the same data with more notes for the user."""
        about = self.description
        about = dataclasses.replace(about, notes=(*about.notes, *notes))
        return dataclasses.replace(self, description=about)

    def train_dataset(
        self, batch_size: int, *, shuffle_seed: int | None = None
    ) -> tf.data.Dataset:
        """Return the training rows batch by batch.

        Args:
            batch_size: Rows in a batch; the last batch holds the remainder.
            shuffle_seed: Seed of the rows' order, which is new in each epoch; the same
                seed gives the same sequence of orders. Defaults to `None`: the rows
                stay in order.

        Returns:
            Dataset of (features [b, d], target [b, 1] as in `targets`), with the
            weight [b, 1] third if the rows have weights.
        """
        return batches.make_batches(
            self.train.features,
            self.targets["train"],
            batch_size,
            shuffle_seed,
            self.train.weight,
        )

    def test_dataset(self, batch_size: int) -> tf.data.Dataset:
        """Return the test rows batch by batch, in order.

        Args:
            batch_size: Rows in a batch; the last batch holds the remainder.

        Returns:
            Dataset of the same form as `train_dataset`.
        """
        return batches.make_batches(
            self.test.features,
            self.targets["test"],
            batch_size,
            None,
            self.test.weight,
        )
