"""The settings of the recipe for linear regression."""

from dataclasses import dataclass
from typing import Literal

from recipes.pipeline.cli.config import DataConfig, check_numbers

LearningRate = float | Literal["auto"]
Momentum = Literal["none", "heavy_ball", "nesterov"]
Method = Literal["auto", "gram", "full"]


@dataclass(frozen=True, kw_only=True)
class Config(DataConfig):
    """The recipe's settings; `LinearRegression` says more about those of the model."""

    dataset: str = "diabetes"  # embedded name, tfds:NAME[/CONFIG][:VERSION], or a file:
    # .csv .tsv .libsvm .svm .npz, or images, …-images-idx3-ubyte; also .gz .bz2 .xz
    learning_rate: LearningRate = "auto"  # α of θ ← θ − α ∂MSE/∂θ; auto: 1/curvature
    momentum: Momentum = "nesterov"  # none: the article's plain step
    l1: float = 0.0  # weight of Σ|w| over standardised columns
    l2: float = 0.0  # weight of Σw² over standardised columns
    method: Method = "auto"  # gram: steps on second moments; full: each reads all rows
    tolerance: float = 1e-14  # relative excess loss, (loss − optimum)/optimum, to reach
    max_iterations: int = 100_000  # most steps
    batch_size: int = 8192  # rows read at a time; every step sees all rows

    def __post_init__(self) -> None:
        """Checks the recipe's own values.

        Raises:
            InputError: names the flag and what would be right.
        """
        check_numbers(self, "learning_rate", above=0, words=("auto",))
        check_numbers(self, "l1", "l2", "tolerance", least=0)
        check_numbers(self, "max_iterations", "batch_size", least=1)
