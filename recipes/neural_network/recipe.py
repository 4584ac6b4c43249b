"""The recipe: from flags to a trained network, its certificate, report and SavedModel.

The article, sections 3.3 and 4.3. `python -m recipes.neural_network` runs it; a
notebook calls `train_and_evaluate(Config(...))`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from recipes import pipeline
from recipes.pipeline.config import DataConfig
from recipes.pipeline.errors import DivergenceError, InputError
from recipes.pipeline.fields import suggestion

if TYPE_CHECKING:  # at run time these load TensorFlow, which flags can do without
    import numpy as np

    from recipes.neural_network.training import Training
    from recipes.pipeline.datasets import Data, Rows
    from recipes.pipeline.run import Run

NAME = "neural_network"
BATCH_SIZE = 8192  # rows that are preprocessed, or predicted, at a time
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
        if self.learning_rate != "auto":
            _check("learning_rate", self.learning_rate, "above 0, or auto", above=0)
        for name in ("epochs", "batch_size"):
            _check(name, getattr(self, name), "1 or more", least=1)
        for name in ("patience", "l1", "l2", "weight_decay", "noise", "mixup", "shift"):
            _check(name, getattr(self, name), "0 or more", least=0)
        for name in ("momentum", "dropout", "label_smoothing", "validation_fraction"):
            words = "0 or more and below 1"
            _check(name, getattr(self, name), words, least=0, below=1)
        for size in self.hidden_sizes:
            written = ",".join(map(str, self.hidden_sizes))
            _check("hidden_sizes", size, "sizes of 1 or more", least=1, written=written)
        if self.nesterov and not self.momentum:
            raise InputError("--nesterov: needs a momentum, such as --momentum=0.9")


def _check(
    name: str,
    value: Any,
    expected: str,
    *,
    above: float | None = None,
    least: float | None = None,
    below: float | None = None,
    written: str = "",
) -> None:
    """Checks bounds; not a number is beyond every one."""
    if (
        (above is not None and not value > above)
        or (least is not None and not value >= least)
        or (below is not None and not value < below)
    ):
        raise InputError(f"--{name}={written or value}: should be {expected}")


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
    import keras

    from recipes.neural_network import training

    keras.utils.set_random_seed(config.seed)
    clock = pipeline.run.Stopwatch()
    with clock("load"):
        data, parts = training.hold_out(config, load(config))
        preprocessing = pipeline.features.preprocessing(data, images=True)
        data = data.with_notes(*preprocessing.notes)
        folder = pipeline.run.open_folder(config, NAME, data.description)
    with clock("fit"):
        features = {
            part: preprocessed(rows, preprocessing) for part, rows in parts.items()
        }
        done = fit(config, data, parts, features, folder)
    inference = done.model.inference_model()
    serving = pipeline.features.serving_model(
        data.description, preprocessing, inference
    )
    with clock("evaluate"):
        answers = predict(data, parts, features, inference)
        scores = score(data, parts, answers)
    contents = {
        **scores,
        "certificate": done.model.certificate,
        "parameters": parameters(done),
    }
    if config.export:
        with clock("export"):
            pipeline.export.save_keras(serving, folder / "model.keras")
            pipeline.export.save_model(serving, folder / "export", outputs(data))
    metrics = pipeline.run.record(NAME, data, contents, clock.seconds)
    predictions = (answers["train"], answers["test"])
    run = pipeline.run.Run(done.model, serving, metrics, folder, data, predictions)
    if config.report:
        with clock("report"):
            write_report(config, run, done)
    pipeline.run.finish(run, config)
    return run


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


def preprocessed(rows: Rows, preprocessing: Any) -> np.ndarray:
    """The features of rows as one array `[n, p]` or `[n, h, w(, c)]`, float32."""
    import numpy as np

    from recipes.pipeline.datasets import stream

    batches = stream.batches(rows.features, rows.target, BATCH_SIZE, None)
    return np.concatenate([preprocessing(x).numpy() for x, _ in batches])


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
    config: Config,
    data: Data,
    parts: dict[str, Rows],
    features: dict[str, np.ndarray],
    folder: Path,
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
                return attempt.fit(model, parts, features)
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


def predict(
    data: Data,
    parts: dict[str, Rows],
    features: dict[str, np.ndarray],
    inference: Any,
) -> dict[str, Any]:
    """What the network makes of the rows of each part."""
    answers = {
        part: inference.predict(x, batch_size=BATCH_SIZE, verbose=0)
        for part, x in features.items()
    }
    if data.description.task == "regression":
        return answers
    return {
        part: pipeline.evaluation.decisions(parts[part].target, **answer)
        for part, answer in answers.items()
    }


def score(
    data: Data, parts: dict[str, Rows], answers: dict[str, Any]
) -> dict[str, dict[str, Any]]:
    """Scores on each part, and those of the simplest rival on the test."""
    evaluation = pipeline.evaluation
    y_train, y_test = data.train.target, data.test.target
    if data.description.task == "regression":
        scores = {
            part: evaluation.regression_scores(parts[part].target, answer)
            for part, answer in answers.items()
        }
        return scores | {"baseline": evaluation.mean_baseline_scores(y_train, y_test)}
    classes = len(data.description.target.levels)
    return {
        part: evaluation.classification_scores(
            made.target, made.scores, made.probabilities
        )
        for part, made in answers.items()
    } | {"baseline": evaluation.majority_baseline_scores(y_train, y_test, classes)}


def outputs(data: Data) -> Any:
    """What turns the network's answer into the SavedModel's named outputs."""
    if data.description.task == "regression":
        return pipeline.export.regression_outputs
    return pipeline.export.classification_outputs(data.description.target.levels)


def parameters(done: Training) -> dict[str, Any]:
    """What the settings came to."""
    return {
        "learning_rate": done.learning_rate,
        "weights": int(done.model.inference_model().count_params()),
    }


def write_report(config: Config, run: Run, done: Training) -> None:
    """Writes `report.html`."""
    from recipes.neural_network import sections

    page = sections.page(config, run, done, pipeline.flags.command(config, NAME))
    with pipeline.export.whole_file(run.out_dir / "report.html", "the report") as path:
        pipeline.report.write(path, pipeline.report.render(page))
