"""The recipe: from flags to a certified linear regression, its report and SavedModel.

The article, sections 3.1 and 4.1. `python -m recipes.linear_regression` runs it; a
notebook calls `train_and_evaluate(Config(...))`.
"""

from __future__ import annotations

import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from recipes import pipeline
from recipes.pipeline.config import DataConfig
from recipes.pipeline.errors import DivergenceError, InputError

if TYPE_CHECKING:  # at run time these load TensorFlow, which flags can do without
    import numpy as np

    from recipes.linear_regression.coefficients import Coefficients
    from recipes.linear_regression.model import LinearRegression
    from recipes.pipeline.datasets import Data
    from recipes.pipeline.run import Run

NAME = "linear_regression"

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
        if self.learning_rate != "auto" and not self.learning_rate > 0:
            raise InputError(
                f"--learning_rate={self.learning_rate}: should be above 0, or auto"
            )
        for name in ("l1", "l2", "tolerance"):
            if not getattr(self, name) >= 0:
                raise InputError(f"--{name}={getattr(self, name)}: should be 0 or more")
        for name in ("max_iterations", "batch_size"):
            if getattr(self, name) < 1:
                raise InputError(f"--{name}={getattr(self, name)}: should be 1 or more")


def train_and_evaluate(config: Config) -> Run:
    """Trains on the data, certifies, scores, reports and exports.

    Args:
        config: the settings.

    Returns:
        The run: model, metrics, predictions, and the folder with its files.

    Raises:
        InputError: if the data or a setting are wrong; nothing is left half-written.
    """
    import keras

    keras.utils.set_random_seed(config.seed)
    clock = pipeline.run.Stopwatch()
    with clock("load"):
        data = load(config)
        preprocessing = pipeline.features.preprocessing(data)
        data = data.with_notes(*preprocessing.notes)
        folder = pipeline.run.open_folder(config, NAME, data.description)
    with clock("fit"):
        model = fit(config, data, preprocessing, folder)
    serving = pipeline.features.serving_model(data.description, preprocessing, model)
    with clock("evaluate"):
        predictions = predict(config, data, preprocessing, model)
        scores = score(data, predictions)
        coefficients = coefficients_of(data, preprocessing, model)
    parts = {
        **scores,
        "certificate": model.certificate,
        "coefficients": asdict(coefficients),
    }
    if config.export:
        with clock("export"):
            pipeline.export.save_keras(serving, folder / "model.keras")
            pipeline.export.save_model(
                serving, folder / "export", pipeline.export.regression_outputs
            )
    metrics = pipeline.run.record(NAME, data, parts, clock.seconds)
    run = pipeline.run.Run(model, serving, metrics, folder, data, predictions)
    if config.report:
        with clock("report"):
            write_report(config, run, coefficients)
    pipeline.run.finish(run, config)
    return run


def load(config: Config) -> Data:
    """Loads training and test rows with a numeric target."""
    if config.task == "classification":
        raise InputError(
            "--task=classification: linear regression predicts a number; choose "
            "another recipe, or --task=regression"
        )
    return pipeline.datasets.load(config, task="regression")


def fit(
    config: Config, data: Data, preprocessing: Any, folder: Path
) -> LinearRegression:
    """Fits the model to the preprocessed training rows, logging to `folder`."""
    import keras

    from recipes.linear_regression.model import LinearRegression

    model = LinearRegression(
        learning_rate=config.learning_rate,
        momentum=config.momentum,
        l1=config.l1,
        l2=config.l2,
        method=config.method,
        tolerance=config.tolerance,
        max_iterations=config.max_iterations,
    )
    backup = pipeline.run.backup(config, folder)
    logs = folder / pipeline.run.LOGS
    if not config.resume:
        shutil.rmtree(logs, ignore_errors=True)
    callbacks = [keras.callbacks.TensorBoard(str(logs), write_graph=False), backup]
    rows = data.train_dataset(config.batch_size).map(lambda x, y: (preprocessing(x), y))
    if config.method == "full":
        rows = rows.cache()
    try:
        with pipeline.interrupts.whole():
            model.fit(rows, callbacks=callbacks, verbose=pipeline.run.verbosity())
    except KeyboardInterrupt:
        raise pipeline.run.interrupted(folder, backup) from None
    except DivergenceError as error:
        pipeline.run.discard(folder)
        raise InputError(f"--learning_rate={config.learning_rate}: {error}") from None
    return model


def predict(
    config: Config, data: Data, preprocessing: Any, model: LinearRegression
) -> tuple[np.ndarray, np.ndarray]:
    """Predictions of the training and of the test rows, `[n, 1]` each."""
    train, test = (
        model.predict(dataset.map(lambda x, _: preprocessing(x)), verbose=0)
        for dataset in (
            data.train_dataset(config.batch_size),
            data.test_dataset(config.batch_size),
        )
    )
    return train, test


def score(
    data: Data, predictions: tuple[np.ndarray, np.ndarray]
) -> dict[str, dict[str, float]]:
    """Scores on both parts, and those of predicting the training mean on the test."""
    evaluation = pipeline.evaluation
    return {
        "train": evaluation.regression_scores(data.train.target, predictions[0]),
        "test": evaluation.regression_scores(data.test.target, predictions[1]),
        "baseline": evaluation.mean_baseline_scores(
            data.train.target, data.test.target
        ),
    }


def coefficients_of(
    data: Data, preprocessing: Any, model: LinearRegression
) -> Coefficients:
    """Intercept and slopes in original units, with 95 % intervals where they exist."""
    import numpy as np

    from recipes.linear_regression.coefficients import Coefficient, Coefficients
    from recipes.linear_regression.inference import estimates

    found = estimates(
        np.append(model.linear.kernel, model.linear.bias),
        model.certificate["loss"],
        model.moments,
        model.curvature,
        preprocessing.center,
        preprocessing.scale,
        penalised=model.l1 > 0 or model.l2 > 0,
    )
    units = {column.name: column.unit for column in data.description.columns}
    names = ("intercept", *preprocessing.output_names)
    scales = (1.0, *preprocessing.scale)
    listed = [
        Coefficient(
            name,
            units.get(name, ""),
            estimate=float(value),
            scale=float(scale),
            standard_error=None if found.no_errors else float(error),
            lower=None if found.no_errors else float(value - half),
            upper=None if found.no_errors else float(value + half),
        )
        for name, scale, value, error, half in zip(
            names,
            scales,
            found.value,
            found.standard_error,
            found.half_width,
            strict=True,
        )
    ]
    return Coefficients(listed[0], listed[1:], found.no_errors)


def write_report(config: Config, run: Run, coefficients: Coefficients) -> None:
    """Writes `report.html`."""
    from recipes.linear_regression import sections

    page = sections.page(
        run.data,
        run.metrics,
        run.predictions,
        run.model.loss_history,
        coefficients,
        pipeline.flags.command(config, NAME),
    )
    with pipeline.export.whole_file(run.out_dir / "report.html", "the report") as path:
        pipeline.report.write(path, pipeline.report.render(page))
