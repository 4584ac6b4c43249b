"""The recipe: from flags to a trained network, its certificate, report and SavedModel.

The article, sections 3.3 and 4.3. `python -m recipes.neural_network` runs it; a
notebook calls `train_and_evaluate(Config(...))`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from recipes import pipeline
from recipes.pipeline.config import DataConfig, check_numbers
from recipes.pipeline.errors import DivergenceError, InputError
from recipes.pipeline.fields import suggestion

if TYPE_CHECKING:  # at run time these load TensorFlow, which flags can do without
    import numpy as np

    from recipes.neural_network.training import Training
    from recipes.pipeline.datasets import Data
    from recipes.pipeline.report import Page
    from recipes.pipeline.run import Run

NAME = "neural_network"
ATTEMPTS = 3  # to train, where a rate that a range test found is too large

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


def train_and_evaluate(config: Config) -> Run:
    """Trains on the data, certifies, scores, reports and exports.

    Args:
        config: the settings.

    Returns:
        The run: model, metrics, predictions, and the folder with its files. Its
        training rows are those that were fitted, without the validation rows. The
        predictions of a classification are `evaluation.Decisions`.

    Raises:
        InputError: if the data or a setting are wrong, or the training diverges;
            nothing is left half-written.
    """
    from recipes.neural_network import training

    session = pipeline.run.Session(NAME, config)
    with session.stage("load"):
        data = training.hold_out(config, load(config))
        preprocessing = pipeline.features.preprocessing(data, images=True)
        data = data.with_notes(*preprocessing.notes)
        session.open_folder(data.description)
    with session.stage("fit"):
        features = {
            part: pipeline.parts.matrix(rows, preprocessing)
            for part, rows in data.parts.items()
        }
        done = fit(config, data, features, session.folder)
    inference = done.model.inference_model()
    serving = pipeline.features.serving_model(
        data.description, preprocessing, inference
    )
    with session.stage("evaluate"):
        answers = pipeline.parts.predict(inference, data, features)
        scores = pipeline.parts.score(data, answers)
    contents = {
        **scores,
        "certificate": done.model.certificate,
        "parameters": parameters(done),
    }
    return session.finish(
        done.model,
        serving,
        data,
        answers,
        contents,
        page=lambda run, command: report(config, run, done, command),
    )


def load(config: Config) -> Data:
    """Loads training and test rows, of numbers or of classes to predict."""
    _check_optimizer(config.optimizer)
    task: Any = config.task  # checked by the flags, or else by what loads the data
    data = pipeline.datasets.load(config, task=task)
    images, regression = (
        bool(data.description.image_shape),
        data.description.task == "regression",
    )
    for flag, used, fits, needed in (
        ("architecture=cnn", config.architecture == "cnn", images, "images for rows"),
        ("shift", config.shift, images, "images for rows"),
        ("class_weight", config.class_weight != "none", not regression, "classes"),
    ):
        if used and not fits:
            raise InputError(
                f"--{flag}: is for data with {needed}, and not for "
                f"{data.description.source}; leave it away"
            )
    return data


def _check_optimizer(name: str) -> None:
    """Checks a name that only Keras knows."""
    import keras

    try:
        keras.optimizers.get(name)
    except ValueError:
        kinds = vars(keras.optimizers).values()
        known = [each.__name__.lower() for each in kinds if isinstance(each, type)]
        near = suggestion(name.lower(), known)
        raise InputError(f"--optimizer={name}: no such Keras optimiser{near}") from None


def network(config: Config, data: Data, learning_rate: LearningRate) -> Any:
    """The network for the data's task, not yet fitted."""
    from recipes.neural_network.classifier import MultilayerPerceptronClassifier
    from recipes.neural_network.regressor import MultilayerPerceptronRegressor

    common: dict[str, Any] = {name: getattr(config, name) for name in _OF_THE_MODEL}
    common["learning_rate"] = learning_rate
    if config.optimizer.lower() != "sgd":
        common["momentum"] = 0.0  # the others have their own
    if data.description.task == "regression":
        return MultilayerPerceptronRegressor(**common)
    return MultilayerPerceptronClassifier(
        label_smoothing=config.label_smoothing,
        classes=tuple(range(len(data.description.target.levels))),
        **common,
    )


_OF_THE_MODEL = (
    "hidden_sizes",
    "architecture",
    "activation",
    "batch_normalization",
    "dropout",
    "l1",
    "l2",
    "noise",
    "mixup",
    "shift",
    "optimizer",
    "momentum",
    "nesterov",
    "weight_decay",
    "schedule",
    "seed",
)


def fit(
    config: Config, data: Data, features: dict[str, np.ndarray], folder: Path
) -> Training:
    """Fits the network to the preprocessed training rows, logging to `folder`.

    Where it diverges at a rate that a range test found, it begins again at a tenth.
    """
    from recipes.neural_network import training

    rate: LearningRate = config.learning_rate
    for again in range(ATTEMPTS):
        attempt = training.Attempt(config, folder, rate, is_first=not again)
        model = network(config, data, attempt.learning_rate)
        try:
            with pipeline.interrupts.whole():
                return attempt.fit(model, data, features)
        except KeyboardInterrupt:
            raise pipeline.run.interrupted(folder, attempt.backup) from None
        except DivergenceError as error:
            message = str(error)
        if config.learning_rate != "auto":
            break
        rate = attempt.rate_of(model) / 10
        print(f"it diverged, and begins again at the rate {rate:.3g}", flush=True)
    pipeline.run.discard(folder)
    raise InputError(f"--learning_rate={config.learning_rate}: {message}")


def parameters(done: Training) -> dict[str, Any]:
    """What the settings came to."""
    return {
        "learning_rate": done.learning_rate,
        "weights": int(done.model.inference_model().count_params()),
    }


def report(config: Config, run: Run, done: Training, command: list[str]) -> Page:
    """The page of `report.html`."""
    from recipes.neural_network import sections

    return sections.page(config, run, done, command)
