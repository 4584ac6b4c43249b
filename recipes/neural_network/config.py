"""The settings of the recipe for neural networks."""

from dataclasses import dataclass
from typing import Literal

from recipes.errors import InputError
from recipes.pipeline.cli.config import DataConfig, check_numbers

Architecture = Literal["perceptron", "cnn"]
Activation = Literal[
    "relu", "tanh", "sigmoid", "gelu", "silu", "elu", "selu", "leaky_relu", "softplus"
]
LearningRate = float | Literal["auto"]
Schedule = Literal["constant", "cosine"]
ClassWeight = Literal["none", "balanced"]


@dataclass(frozen=True, kw_only=True)
class Config(DataConfig):
    """The recipe's settings; the networks say more about those of the model."""

    dataset: str = "digits"  # embedded name, tfds:NAME[/CONFIG][:VERSION], or a file:
    # .csv .tsv .libsvm .svm .npz, MNIST's idx files, also .gz .bz2 .xz
    architecture: Architecture = "perceptron"  # cnn: a small convolutional network, of
    # images
    hidden_sizes: tuple[int, ...] = (256, 128)  # units of each hidden layer; none: no
    # hidden layer
    activation: Activation = "relu"  # of the hidden layers
    optimizer: str = "sgd"  # or the name of another Keras optimiser, such as adam
    learning_rate: LearningRate = "auto"  # α of θ ← θ − α ∂H/∂θ; auto: by a range test
    schedule: Schedule = "constant"  # cosine: the rate falls to 0 over the epochs
    momentum: float = 0.9  # of sgd, 0 to below 1; 0: the article's plain step
    nesterov: bool = False  # sgd looks ahead along the momentum
    epochs: int = 100  # passes through the training rows, at most
    batch_size: int = 32  # rows of a step
    validation_fraction: float = 0.1  # share of the training rows held out to watch for
    # overfitting; 0: none, and no early stopping
    patience: int = 20  # epochs without a lower validation loss before it stops, with
    # the best weights restored; 0: neither
    dropout: float = 0.2  # share of hidden units left out in each step
    l1: float = 0.0  # weight of Σ|w|
    l2: float = 0.0  # weight of Σw²
    weight_decay: float = 0.0  # share of the rate by which each step shrinks weights
    batch_normalization: bool = False  # standardise hidden layers over each batch
    label_smoothing: float = 0.1  # classification: share of the truth given to all
    # classes
    noise: float = 0.0  # standard deviation of noise added to the features
    mixup: float = 0.0  # α of the beta distribution that rows are mixed by; 0: not
    shift: int = 0  # images: pixels that they are moved by, at most
    class_weight: ClassWeight = "none"  # balanced: a class of few rows counts as much

    def __post_init__(self) -> None:
        """Checks the recipe's own values.

        Raises:
            InputError: names the flag and what would be right.
        """
        check_numbers(self, "learning_rate", above=0, words=("auto",))
        check_numbers(self, "epochs", "batch_size", least=1)
        check_numbers(self, "patience", "l1", "l2", "weight_decay", least=0)
        check_numbers(self, "noise", "mixup", "shift", least=0)
        shares = "momentum", "dropout", "label_smoothing", "validation_fraction"
        check_numbers(self, *shares, least=0, below=1)
        if any(size < 1 for size in self.hidden_sizes):
            written = ",".join(map(str, self.hidden_sizes))
            raise InputError(f"--hidden_sizes={written}: should be sizes of 1 or more")
        if self.nesterov and not self.momentum:
            raise InputError("--nesterov: needs a momentum, such as --momentum=0.9")
