"""What the data stage hands on: rows in memory and the words that describe them."""

import dataclasses
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy.typing as npt
import tensorflow as tf

from recipes.pipeline.datasets import batches

Task = Literal["regression", "classification"]
# A numpy array or a scipy.sparse.csr_array, float32; SciPy carries no types.
FeatureMatrix: TypeAlias = Any


@dataclass(frozen=True)
class Column:
    """One column: its name, kind and unit; of a categorical one also the levels."""

    name: str
    kind: Literal["numeric", "categorical"] = "numeric"
    unit: str = ""  # empty where unknown
    levels: tuple[str, ...] = ()  # code i stands for levels[i]


@dataclass(frozen=True)
class Description:
    """What is known about a data set besides its rows."""

    name: str  # short, for folders: "diabetes", a file's stem, the catalogue's name
    source: str  # the --dataset value as given
    tabular: bool  # named columns, one serving input each; else one input `features`
    columns: tuple[Column, ...]
    target: Column  # numeric for regression; categorical, levels = classes, else
    task: Task
    notes: tuple[str, ...] = ()  # words for the user: what was dropped, new, filled
    image_shape: tuple[int, ...] = ()  # (h, w) or (h, w, c) where rows are images


@dataclass(frozen=True)
class Examples:
    """Feature rows and their targets, in memory.

    `features` is [n, d] float32, dense or CSR; NaN stands for a blank. A categorical
    column holds its code, NaN for a blank or a level that training has not seen. An
    image is a row as well: its pixels line by line, and never blank.
    `target` is [n]: float64 for regression, int64 class index for classification.
    """

    features: FeatureMatrix
    target: npt.NDArray[Any]


@dataclass(frozen=True)
class Data:
    """Training rows, test rows and their description.

    A recipe may hold out some of the training rows, for validation.
    """

    train: Examples
    test: Examples
    description: Description
    validation: Examples | None = None

    @property
    def parts(self) -> dict[str, Examples]:
        """The rows by `train`, perhaps `validation`, and `test`."""
        held_out = {"validation": self.validation} if self.validation else {}
        return {"train": self.train, **held_out, "test": self.test}

    def with_notes(self, *notes: str) -> "Data":
        """Give the same data with more words for the user."""
        about = self.description
        about = dataclasses.replace(about, notes=(*about.notes, *notes))
        return dataclasses.replace(self, description=about)

    def train_dataset(
        self, batch_size: int, *, shuffle_seed: int | None = None
    ) -> tf.data.Dataset:
        """Give the training rows batch by batch.

        Args:
            batch_size: Rows in a batch; the last batch holds what is left over.
            shuffle_seed: Where given, every epoch takes the rows in another order;
                the same seed gives the same sequence of orders. Default value: `None`,
                the rows in their own order.

        Returns:
            Dataset of (features [b, d] float32, target [b, 1] float64 or int64).
        """
        return batches.make_batches(
            self.train.features, self.train.target, batch_size, shuffle_seed
        )

    def test_dataset(self, batch_size: int) -> tf.data.Dataset:
        """Give the test rows batch by batch, in their own order.

        Args:
            batch_size: Rows in a batch; the last batch holds what is left over.

        Returns:
            Dataset of (features [b, d] float32, target [b, 1] float64 or int64).
        """
        return batches.make_batches(
            self.test.features, self.test.target, batch_size, None
        )
