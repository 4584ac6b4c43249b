"""The recipe: from flags to a certified linear regression, its report and SavedModel.

The article, sections 3.1 and 4.1. `python -m recipes.linear_regression` runs it; a
notebook calls `train_and_evaluate(Config(...))`.
"""

from dataclasses import asdict
from typing import Any

import numpy as np

from recipes import pipeline
from recipes.errors import DivergenceError, InputError
from recipes.linear_regression.config import Config, LinearRegressionSettings
from recipes.linear_regression.model import LinearRegression
from recipes.linear_regression.report import page
from recipes.linear_regression.report.coefficients import Coefficient, Coefficients
from recipes.linear_regression.solver.standard_errors import estimate_coefficients
from recipes.pipeline.datasets import Data
from recipes.pipeline.report import Page
from recipes.pipeline.run import Run, Session

NAME = "linear_regression"


def train_and_evaluate(config: Config) -> Run:
    """Trains on the data, certifies, scores, reports and exports.

    Args:
        config: the settings.

    Returns:
        The run: model, metrics, predictions, and the folder with its files.

    Raises:
        InputError: if the data or a setting are wrong; nothing is left half-written.
    """
    session = pipeline.run.Session(NAME, config)
    with session.stage("load"):
        data = load(config)
        preprocessing = pipeline.preprocessing.learn_preprocessing(data)
        data = data.with_notes(*preprocessing.notes)
        session.open_folder(data.description)
    with session.stage("fit"):
        model = fit(config, data, preprocessing, session)
    serving = pipeline.preprocessing.build_serving_model(
        data.description, preprocessing, model
    )
    with session.stage("evaluate"):
        answers = predict(config, data, preprocessing, model)
        scores = pipeline.evaluation.score(data, answers)
        coefficients = coefficients_of(data, preprocessing, model)
    contents = {
        **scores,
        "certificate": model.certificate,
        "coefficients": asdict(coefficients),
    }
    return session.finish(
        model,
        serving,
        data,
        answers,
        contents,
        page=lambda run, command: report(run, coefficients, command),
    )


def load(config: Config) -> Data:
    """Loads training and test rows with a numeric target."""
    if config.task == "classification":
        raise InputError(
            "--task=classification: linear regression predicts a number; choose "
            "another recipe, or --task=regression"
        )
    return pipeline.datasets.load(config, task="regression")


def fit(
    config: Config, data: Data, preprocessing: Any, session: Session
) -> LinearRegression:
    """Fit the model to the preprocessed training rows, logging to the run's folder."""
    model = LinearRegression(**LinearRegressionSettings.taken_from(config))
    checkpoint = pipeline.run.checkpoint.create(config, session.folder)
    logs = pipeline.run.tensorboard(session.folder, resumes=config.resume)
    rows = data.train_dataset(config.batch_size).map(lambda x, y: (preprocessing(x), y))
    if config.method == "full":
        rows = rows.cache()
    try:
        with session.training(has_checkpoints=True):
            model.fit(
                rows, callbacks=[logs, checkpoint], verbose=pipeline.run.verbosity()
            )
    except DivergenceError as error:
        raise InputError(f"--learning_rate={config.learning_rate}: {error}") from None
    return model


def predict(
    config: Config, data: Data, preprocessing: Any, model: LinearRegression
) -> dict[str, np.ndarray]:
    """Predictions of the training and of the test rows, `[n, 1]` each."""
    datasets = {
        "train": data.train_dataset(config.batch_size),
        "test": data.test_dataset(config.batch_size),
    }
    return {
        part: model.predict(rows.map(lambda x, _: preprocessing(x)), verbose=0)
        for part, rows in datasets.items()
    }


def coefficients_of(
    data: Data, preprocessing: Any, model: LinearRegression
) -> Coefficients:
    """Intercept and slopes in original units, with 95 % intervals where they exist."""
    found = estimate_coefficients(
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


def report(run: Run, coefficients: Coefficients, command: list[str]) -> Page:
    """The page of `report.html`."""
    return page.build_page(
        run.data,
        run.metrics,
        run.predictions,
        run.model.loss_history,
        coefficients,
        command,
    )
