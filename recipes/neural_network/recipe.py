"""The recipe: from flags to a trained network, its certificate, report and SavedModel.

Sections 3.3 and 4.3 of the article. Run it with `python -m recipes.neural_network`, or
call `train_and_evaluate(Config(...))`.
"""

from dataclasses import asdict
from typing import Any

import keras
import numpy as np

from recipes import pipeline
from recipes.checks.suggestions import suggest
from recipes.errors import DivergenceError, InputError, shorten
from recipes.neural_network.config import (
    ClassifierSettings,
    Config,
    NetworkSettings,
)
from recipes.neural_network.models.base import MultilayerPerceptron
from recipes.neural_network.models.classifier import MultilayerPerceptronClassifier
from recipes.neural_network.models.regressor import MultilayerPerceptronRegressor
from recipes.neural_network.report.page import build_page
from recipes.neural_network.training.attempt import (
    TrainingAttempt,
    TrainingResult,
    hold_out,
)
from recipes.neural_network.training.certificate import warn_of_nothing_learned
from recipes.pipeline.datasets import Data
from recipes.pipeline.run import Run, Session

NAME = "neural_network"


def train_and_evaluate(config: Config) -> Run:
    """Train on the data, certify, score, report and export.

    Args:
        config: The settings.

    Returns:
        The run: model, metrics, predictions, and the folder with its files. Its
        training rows do not include the validation rows. The predictions of a
        classification are `evaluation.Decisions`.

    Raises:
        InputError: If the data or a setting are wrong, or the training diverges; no
            file is left half-written.
    """
    with Session(NAME, config) as session:
        with session.stage("load"):
            data = hold_out(config, load(config))
            preprocessing = pipeline.preprocessing.learn_preprocessing(
                data, images=True, text_features=config.text_features
            )
            data = data.with_notes(*preprocessing.notes)
            pipeline.evaluation.check_memory(data, preprocessing)
            session.open_folder(data)
        with session.stage("fit"):
            features = {
                part: pipeline.evaluation.preprocess(rows, preprocessing)
                for part, rows in data.parts.items()
            }
            result = fit(config, data, features, session)
        model = result.model
        inference = model.inference_model()
        serving = pipeline.preprocessing.build_serving_model(
            data.description, preprocessing, inference
        )
        with session.stage("evaluate"):
            predictions = pipeline.evaluation.predict(inference, data, features)
            data, predictions = pipeline.threshold.apply_threshold(
                config.threshold, data, predictions
            )
            scores = pipeline.evaluation.score(data, predictions)
        return session.finish(
            model,
            serving,
            data,
            predictions,
            {
                **scores,
                "certificate": model.certificate,
                "parameters": {
                    "learning_rate": result.learning_rate,
                    "weights": int(inference.count_params()),
                    "other_attempts": [asdict(each) for each in result.failures],
                },
            },
            page=lambda run, command: build_page(config, run, result, command),
        )


def load(config: Config) -> Data:
    """Load the training and test rows; the target is a number or a class.

    Raises:
        InputError: If the data or a setting are wrong.
    """
    check_optimizer(config.optimizer)
    data = pipeline.datasets.load(config, task=config.task)
    has_images = bool(data.description.image_shape)
    has_classes = data.description.task == "classification"
    for flag, is_set, is_possible, requirement in (
        ("architecture=cnn", config.architecture == "cnn", has_images, "images"),
        ("shift", config.shift, has_images, "images"),
        ("class_weight", config.class_weight != "none", has_classes, "classes"),
    ):
        if is_set and not is_possible:
            raise InputError(
                f"--{flag}: needs {requirement}, and {data.description.source} has "
                "none; omit it"
            )
    pipeline.threshold.check_threshold(config.threshold, data.description)
    return data


def check_optimizer(name: str) -> None:
    """Check a name that only Keras knows.

    Raises:
        InputError: If Keras does not.
    """
    try:
        keras.optimizers.get(name)
    except ValueError:
        members = vars(keras.optimizers).values()
        known = [each.__name__.lower() for each in members if isinstance(each, type)]
        hint = suggest(name.lower(), known)
        raise InputError(
            f"--optimizer={shorten(name)}: no such Keras optimiser{hint}"
        ) from None


def build_model(config: Config, data: Data) -> MultilayerPerceptron:
    """Return a model for the data's task, not yet fitted."""
    changes: dict[str, Any] = {}
    if config.optimizer.lower() != "sgd":
        changes["momentum"] = 0.0  # the other optimisers have their own
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
    """Fit a model to the preprocessed training rows, logging to the run's folder.

    Raises:
        InputError: If the training diverges.
    """
    try:
        model, record = session.train(lambda: train(config, data, features, session))
    except DivergenceError as error:
        raise InputError(f"--learning_rate={config.learning_rate}: {error}") from None
    return TrainingResult.from_record(model, record)


def train(
    config: Config, data: Data, features: dict[str, np.ndarray], session: Session
) -> tuple[MultilayerPerceptron, dict[str, Any]]:
    """Train a model; if that fails at a rate that a range test chose, at a tenth.

    Returns:
        The model, and what else `TrainingResult.from_record` needs.

    Raises:
        DivergenceError: If every attempt diverges.

    Warns:
        ConvergenceWarning: If the best attempt learned nothing.
    """
    attempt = TrainingAttempt.begin(config, session.folder)
    while True:
        model = build_model(config, data)
        record = None
        try:
            record = attempt.fit(model, data, features)
        except DivergenceError:
            following = attempt.retry(model)
            if following is attempt and not attempt.earlier_record:
                raise
        else:
            is_learned = record["certificate"]["learned"]
            following = attempt if is_learned else attempt.retry(model, record)
        if following is attempt:
            model, record = attempt.choose(model, record)
            if not record["certificate"]["learned"]:
                warn_of_nothing_learned(record["certificate"], config.learning_rate)
            return model, record
        attempt = following
        failed = attempt.failures[-1]
        print(
            f"the training {failed.outcome} at the rate {failed.learning_rate:.3g}; it "
            f"restarts at the rate {failed.learning_rate / 10:.3g}",
            flush=True,
        )
