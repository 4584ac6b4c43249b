"""The recipe: from flags to a certified linear regression, its report and SavedModel.

Sections 3.1 and 4.1 of the article. Run it with `python -m recipes.linear_regression`,
or call `train_and_evaluate(Config(...))`.
"""

from dataclasses import asdict
from typing import Any

import numpy as np

from recipes import pipeline
from recipes.errors import DivergenceError, InputError
from recipes.linear_regression.config import Config, LinearRegressionSettings
from recipes.linear_regression.model import LinearRegression
from recipes.linear_regression.report.coefficients import Coefficient, Coefficients
from recipes.linear_regression.report.page import build_page
from recipes.linear_regression.solver.callback import LossHistory
from recipes.linear_regression.solver.standard_errors import estimate_coefficients
from recipes.pipeline.datasets import Data
from recipes.pipeline.run import Checkpoint, Run, Session

NAME = "linear_regression"


def train_and_evaluate(config: Config) -> Run:
    """Train on the data, certify, score, report and export.

    Args:
        config: The settings.

    Returns:
        The run: model, metrics, predictions, and the folder with its files.

    Raises:
        InputError: If the data or a setting are wrong, or the training diverges; no
            file is left half-written.
    """
    with Session(NAME, config) as session:
        with session.stage("load"):
            data = load(config)
            preprocessing = pipeline.preprocessing.learn_preprocessing(
                data, text_features=config.text_features
            )
            data = data.with_notes(*preprocessing.notes)
            pipeline.evaluation.check_memory(
                data,
                preprocessing,
                rows_at_a_time=0 if config.method == "full" else config.batch_size,
            )
            session.open_folder(data)
        with session.stage("fit"):
            model, record = fit(config, data, preprocessing, session)
        serving = pipeline.preprocessing.build_serving_model(
            data.description, preprocessing, model
        )
        with session.stage("evaluate"):
            predictions = predict(config, data, preprocessing, model)
            scores = pipeline.evaluation.score(data, predictions)
        coefficients = Coefficients.from_dict(record["coefficients"])
        return session.finish(
            model,
            serving,
            data,
            predictions,
            {
                **scores,
                "certificate": model.certificate,
                "coefficients": record["coefficients"],
            },
            page=lambda run, command: build_page(
                data,
                run.metrics,
                run.predictions,
                model.loss_history,
                coefficients,
                command,
            ),
        )


def load(config: Config) -> Data:
    """Load the training and test rows; the target must be a number.

    Raises:
        InputError: If the data or a setting are wrong.
    """
    if config.task == "classification":
        raise InputError(
            "--task=classification: linear regression predicts a number; choose "
            "another recipe, or --task=regression"
        )
    data = pipeline.datasets.load(config, task="regression")
    pipeline.threshold.check_threshold(config.threshold, data.description)
    return data


def fit(
    config: Config, data: Data, preprocessing: Any, session: Session
) -> tuple[LinearRegression, dict[str, Any]]:
    """Fit the model to the preprocessed training rows, logging to the run's folder.

    Returns:
        The model, and with the coefficients what a resumed run needs to know of it.

    Raises:
        InputError: If the training diverges.
    """

    def train() -> tuple[LinearRegression, dict[str, Any]]:
        model = LinearRegression(**LinearRegressionSettings.taken_from(config))
        folder = session.folder
        logs = pipeline.run.tensorboard(folder, resumes=folder.is_resumed)
        losses = LossHistory()
        checkpoint = Checkpoint(
            folder.backup, restore=folder.is_resumed, callbacks=[losses]
        )
        rows = data.train_dataset(config.batch_size)
        rows = rows.map(lambda x, *others: (preprocessing(x), *others))
        if config.method == "full":
            rows = rows.cache()
        model.fit(
            rows,
            callbacks=[logs, losses, checkpoint],
            verbose=pipeline.run.verbosity(),
        )
        return model, {
            "certificate": model.certificate,
            # The model itself knows only the losses since the run was resumed.
            "loss_history": [*losses.earlier.tolist(), *model.loss_history.tolist()],
            "coefficients": asdict(list_coefficients(data, preprocessing, model)),
        }

    try:
        model, record = session.train(train)
    except DivergenceError as error:
        raise InputError(f"--learning_rate={config.learning_rate}: {error}") from None
    model.certificate = record["certificate"]
    model.loss_history = np.array(record["loss_history"])
    return model, record


def predict(
    config: Config, data: Data, preprocessing: Any, model: LinearRegression
) -> dict[str, np.ndarray]:
    """Predict the training and the test rows, `[n, 1]` each, batch by batch."""
    datasets = {
        "train": data.train_dataset(config.batch_size),
        "test": data.test_dataset(config.batch_size),
    }
    outputs = {
        part: model.predict(rows.map(lambda x, *_: preprocessing(x)), verbose=0)
        for part, rows in datasets.items()
    }
    return pipeline.evaluation.restore_offset(data, outputs)


def list_coefficients(
    data: Data, preprocessing: Any, model: LinearRegression
) -> Coefficients:
    """Return the coefficients in original units, with 95 % intervals if they exist."""
    offset = np.float64(data.description.target_offset)
    estimates = estimate_coefficients(
        np.append(model.linear.kernel, model.linear.bias + offset),
        model.certificate["loss"],
        model.moments,
        model.curvature,
        preprocessing.center,
        preprocessing.scale,
        penalised=model.l1 > 0 or model.l2 > 0,
        weighted=data.train.weight is not None,
    )
    units = {column.name: column.unit for column in data.description.columns}
    intercept, *slopes = (
        Coefficient(
            name,
            units.get(name, ""),
            float(value),
            float(scale),
            *(
                ()
                if estimates.no_errors
                else (float(error), float(value - half), float(value + half))
            ),
        )
        for name, scale, value, error, half in zip(
            ("intercept", *preprocessing.output_names),
            (1.0, *_measure_scale(preprocessing, model.moments)),
            estimates.value,
            estimates.standard_error,
            estimates.half_width,
            strict=True,
        )
    )
    return Coefficients(intercept, slopes, estimates.no_errors)


def _measure_scale(preprocessing: Any, moments: Any) -> np.ndarray:
    """Return each column's standard deviation; terms of texts are not divided by it."""
    scale = preprocessing.scale
    if terms := preprocessing.num_terms:
        scatter = np.asarray(moments.scatter)
        square = scatter.diagonal() if scatter.ndim == 2 else scatter
        scale[-terms:] = np.sqrt(square[:-1] / moments.weight)[-terms:]
    return np.asarray(scale)
