"""The settings of neural networks: of the models, and of the recipe around them."""

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any, Literal

from recipes.checks.settings import ModelSettings, redefined, setting
from recipes.errors import ArgumentError
from recipes.pipeline.cli.config import DataConfig, Frame

Activation = Literal[
    "relu", "tanh", "sigmoid", "gelu", "silu", "elu", "selu", "leaky_relu", "softplus"
]


@dataclass(frozen=True)
class NetworkSettings(ModelSettings):
    """The arguments that both networks take."""

    hidden_sizes: Sequence[int] = setting(
        (128,), "units of each hidden layer; empty: no hidden layer", least=1
    )
    _: KW_ONLY
    architecture: Literal["perceptron", "cnn"] = setting(
        "perceptron",
        "perceptron: for rows, or images made flat; cnn: two small blocks of "
        "convolution and pooling before the hidden layers, for images",
    )
    activation: str = setting(
        "relu", "activation of the hidden layers, a name that Keras knows"
    )
    batch_normalization: bool = setting(
        False, "standardise each hidden layer over the batch"
    )
    dropout: float | Literal["auto"] = setting(
        0.0,
        "share of hidden units left out in each step; auto: 0.2 for images, 0 for "
        "tables",
        least=0,
        below=1,
    )
    skip_layer: bool = setting(
        False,
        "for tables: a linear layer from the features straight to the outputs, beside "
        "the hidden ones; it and the last layer start at 0",
    )
    l1: float = setting(0.0, "weight of Σ|w| over the kernels", least=0)
    l2: float = setting(0.0, "weight of Σw² over the kernels", least=0)
    noise: float = setting(
        0.0,
        "standard deviation of the Gaussian noise added to training rows, in the "
        "features' unit",
        least=0,
    )
    mixup: float = setting(
        0.0,
        "α of the beta distribution by which pairs of training rows are mixed; 0: "
        "they are not",
        least=0,
    )
    shift: int = setting(
        0, "the most pixels by which training images are moved", least=0
    )
    optimizer: str = setting("sgd", "`sgd`, or the name of another Keras optimiser")
    learning_rate: float | Literal["auto"] = setting(
        0.1,
        "α of the step θ ← θ − α ∂H/∂θ; auto: by a range test before the first step",
        above=0,
    )
    momentum: float = setting(
        0.0, "momentum of SGD; 0: the article's plain step", least=0, below=1
    )
    nesterov: bool = setting(False, "SGD looks ahead along its momentum, above 0")
    weight_decay: float = setting(
        0.0, "share of the rate by which each step shrinks the weights", least=0
    )
    schedule: Literal["constant", "cosine"] = setting(
        "constant", "cosine: the rate falls to 0 over the epochs"
    )
    seed: int = setting(
        0,
        "seed of the weights, the rows' order, dropout and augmentation",
        least=0,
    )

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            ArgumentError: If a value is wrong, alone or beside the others.
        """
        super().__post_init__()
        if self.nesterov and not self.momentum:
            raise ArgumentError("nesterov", "used with a momentum above 0", True)


@dataclass(frozen=True)
class ClassifierSettings(NetworkSettings):
    """The arguments of `MultilayerPerceptronClassifier`."""

    _: KW_ONLY
    label_smoothing: float = setting(
        0.0,
        "classification: share of the true distribution spread over all classes",
        least=0,
        below=1,
    )
    classes: Sequence[Any] | None = setting(
        None,
        "the labels, at least two; `None`: those of the first `fit`",
        is_flag=False,
    )


@dataclass(frozen=True, kw_only=True)
class Config(DataConfig, ClassifierSettings):
    """The recipe's settings: its flags, and the arguments of `train_and_evaluate`.

    Its network is larger than the classes' default, and better protected against
    overfitting: the recipe holds out validation rows and stops early.
    """

    dataset: str | Frame = redefined(DataConfig, "dataset", "digits")
    hidden_sizes: Sequence[int] = redefined(
        NetworkSettings,
        "hidden_sizes",
        (256, 128),
        "units of each hidden layer; empty: no hidden layer; larger here than the "
        "class's 128, as early stopping guards against overfitting",
    )
    activation: Activation = redefined(
        NetworkSettings, "activation", "relu", "activation of the hidden layers"
    )
    learning_rate: float | Literal["auto"] = redefined(
        NetworkSettings,
        "learning_rate",
        "auto",
        "α of the step θ ← θ − α ∂H/∂θ; auto: by a range test before the first step, "
        "as no one rate suits all data (the class's 0.1 needs no test)",
    )
    momentum: float = redefined(
        NetworkSettings,
        "momentum",
        0.9,
        "momentum of SGD; 0: the article's plain step and the class's default, which "
        "takes more epochs",
    )
    dropout: float | Literal["auto"] = redefined(
        NetworkSettings,
        "dropout",
        "auto",
        "share of hidden units left out in each step; auto: 0.2 for images, 0 for "
        "tables, where it hinders more than it protects (the class's default is 0)",
    )
    skip_layer: bool = redefined(
        NetworkSettings,
        "skip_layer",
        True,
        "for tables: a linear layer from the features straight to the outputs, beside "
        "the hidden ones, so that the network does what linear regression does and "
        "more; the class's default is none, as in the article",
    )
    label_smoothing: float = redefined(
        ClassifierSettings,
        "label_smoothing",
        0.1,
        "classification: share of the true distribution spread over all classes; the "
        "class's default is 0, without any remedy against overfitting",
    )
    epochs: int = setting(300, "the most passes through the training rows", least=1)
    batch_size: int = setting(32, "rows of a step", least=1)
    validation_fraction: float = setting(
        0.1,
        "share of the training rows held out to watch for overfitting; 0: none, and no "
        "early stopping",
        least=0,
        below=1,
    )
    patience: int = setting(
        20,
        "epochs without a lower validation loss before training stops, with the best "
        "weights restored; 0: neither",
        least=0,
    )
    class_weight: Literal["none", "balanced"] = setting(
        "none", "balanced: every class counts the same, whatever its number of rows"
    )
