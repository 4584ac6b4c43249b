"""The recipe: from flags to a trained network, its certificate, report and SavedModel.

The article, sections 3.3 and 4.3. `python -m recipes.neural_network` runs it; a
notebook calls `train_and_evaluate(Config(...))`.
"""

from typing import Any, Literal

import keras
import numpy as np

from recipes import pipeline
from recipes.checks.suggestions import suggest
from recipes.errors import DivergenceError, InputError
from recipes.neural_network.config import (
    ClassifierSettings,
    Config,
    NetworkSettings,
)
from recipes.neural_network.models.classifier import MultilayerPerceptronClassifier
from recipes.neural_network.models.regressor import MultilayerPerceptronRegressor
from recipes.neural_network.report.page import build_page
from recipes.neural_network.training.attempt import (
    TrainingAttempt,
    TrainingResult,
    hold_out,
)
from recipes.pipeline.datasets import Data
from recipes.pipeline.report import Page
from recipes.pipeline.run import Run, Session

NAME = "neural_network"
ATTEMPTS = 3  # to train, where a rate that a range test found is too large


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
    session = pipeline.run.Session(NAME, config)
    with session.stage("load"):
        data = hold_out(config, load(config))
        preprocessing = pipeline.preprocessing.learn_preprocessing(data, images=True)
        data = data.with_notes(*preprocessing.notes)
        session.open_folder(data.description)
    with session.stage("fit"):
        features = {
            part: pipeline.evaluation.preprocess(rows, preprocessing)
            for part, rows in data.parts.items()
        }
        done = fit(config, data, features, session)
    inference = done.model.inference_model()
    serving = pipeline.preprocessing.build_serving_model(
        data.description, preprocessing, inference
    )
    with session.stage("evaluate"):
        answers = pipeline.evaluation.predict(inference, data, features)
        scores = pipeline.evaluation.score(data, answers)
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
    data = pipeline.datasets.load(config, task=config.task)
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
    try:
        keras.optimizers.get(name)
    except ValueError:
        kinds = vars(keras.optimizers).values()
        known = [each.__name__.lower() for each in kinds if isinstance(each, type)]
        near = suggest(name.lower(), known)
        raise InputError(f"--optimizer={name}: no such Keras optimiser{near}") from None


def network(config: Config, data: Data, learning_rate: float | Literal["auto"]) -> Any:
    """The network for the data's task, not yet fitted."""
    changes: dict[str, Any] = {"learning_rate": learning_rate}
    if config.optimizer.lower() != "sgd":
        changes["momentum"] = 0.0  # the others have their own
    if data.description.task == "regression":
        return MultilayerPerceptronRegressor(
            **NetworkSettings.taken_from(config, **changes)
        )
    changes["classes"] = tuple(range(len(data.description.target.levels)))
    return MultilayerPerceptronClassifier(
        **ClassifierSettings.taken_from(config, **changes)
    )


def fit(
    config: Config, data: Data, features: dict[str, np.ndarray], session: Session
) -> TrainingResult:
    """Fit the network to the preprocessed training rows, logging to the run's folder.

    Where it diverges at a rate that a range test found, it begins again at a tenth.
    """
    rate = config.learning_rate
    for again in range(ATTEMPTS):
        attempt = TrainingAttempt(config, session.folder, rate, is_first=not again)
        model = network(config, data, attempt.learning_rate)
        try:
            with session.training(has_checkpoints=True):
                return attempt.fit(model, data, features)
        except DivergenceError as error:
            message = str(error)
        if config.learning_rate != "auto":
            break
        rate = attempt.resolve_learning_rate(model) / 10
        print(f"it diverged, and begins again at the rate {rate:.3g}", flush=True)
    raise InputError(f"--learning_rate={config.learning_rate}: {message}")


def parameters(done: TrainingResult) -> dict[str, Any]:
    """What the settings came to."""
    return {
        "learning_rate": done.learning_rate,
        "weights": int(done.model.inference_model().count_params()),
    }


def report(config: Config, run: Run, done: TrainingResult, command: list[str]) -> Page:
    """The page of `report.html`."""
    return build_page(config, run, done, command)
