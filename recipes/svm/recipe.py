"""The recipe: from flags to a certified support vector machine, report and SavedModel.

The article, sections 3.2 and 4.2. `python -m recipes.svm` runs it; a notebook calls
`train_and_evaluate(Config(...))`.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

from recipes import pipeline
from recipes.errors import InputError
from recipes.pipeline.datasets import Data
from recipes.pipeline.report import Page
from recipes.pipeline.run import Run, Session
from recipes.svm.config import (
    Config,
    SupportVectorClassifierSettings,
    SupportVectorRegressorSettings,
)
from recipes.svm.models.base import SupportVectorMachine
from recipes.svm.models.classifier import SupportVectorClassifier
from recipes.svm.models.regressor import SupportVectorRegressor
from recipes.svm.report.page import build_page

NAME = "svm"
MANY_ROWS = 50_000
MANY_PROBLEMS = 1000


def train_and_evaluate(config: Config) -> Run:
    """Trains on the data, certifies, scores, reports and exports.

    Args:
        config: the settings.

    Returns:
        The run: model, metrics, predictions, and the folder with its files. The
        predictions of a classification are `evaluation.Decisions`.

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
        x_train = pipeline.evaluation.preprocess(data.train, preprocessing)
        model = fit(config, data, x_train, session)
    inference = model.inference_model()
    serving = pipeline.preprocessing.build_serving_model(
        data.description, preprocessing, inference
    )
    with session.stage("evaluate"):
        x_test = pipeline.evaluation.preprocess(data.test, preprocessing)
        features = {"train": x_train, "test": x_test}
        answers = pipeline.evaluation.predict(inference, data, features)
        scores = pipeline.evaluation.score(data, answers)
    contents = {
        **scores,
        "certificate": model.certificate,
        "parameters": parameters(config, data, model),
    }
    return session.finish(
        model,
        serving,
        data,
        answers,
        contents,
        page=lambda run, command: report(run, x_train, command),
    )


def load(config: Config) -> Data:
    """Loads training and test rows, of numbers or of classes to predict."""
    data = pipeline.datasets.load(config, task=config.task)
    if data.description.task == "regression":
        return data.with_notes(note_on_target(data))
    if config.probability:
        check_probability(data)
    return data


def note_on_target(data: Data) -> str:
    """What to know of the settings where the target is a number."""
    return (
        "C, epsilon and tolerance count standard deviations of the target, "
        f"{pipeline.report.number(float(data.train.target.std()))}"
    )


def check_probability(data: Data) -> None:
    """Refuses probabilities where a class has no second row to hold out.

    Raises:
        InputError: names the class.
    """
    sizes = np.bincount(data.train.target)
    if sizes.min() < 2:
        name = data.description.target.levels[int(sizes.argmin())]
        raise InputError(
            f"--probability: the class '{name}' has a single training row, and none "
            "can be held out to fit probabilities; take --noprobability, or add rows"
        )


def notes_on_cost(multiclass: str, data: Data) -> Iterator[str]:
    """Says before a long fit that it will be one."""
    rows, classes = len(data.train.target), len(data.description.target.levels)
    if rows > MANY_ROWS:
        yield (
            f"{rows:,} training rows: the time to fit grows with their square, or "
            "nearly so; a share of them tells how long it will take"
        )
    pairs = classes * (classes - 1) // 2
    if multiclass == "one_vs_one" and pairs > MANY_PROBLEMS:
        yield (
            f"{classes} classes: {pairs:,} pairs, a problem for each; "
            f"--multiclass=one_vs_rest has {classes} larger ones"
        )


def target_scale(data: Data) -> float:
    """The unit of `C`, `epsilon` and `tolerance`: 1 for a classification."""
    if data.description.task == "classification":
        return 1.0
    return float(data.train.target.std())


def machine(config: Config, data: Data) -> SupportVectorMachine:
    """The machine for the data's task, not yet fitted."""
    scale = target_scale(data)
    changes: dict[str, Any] = {
        "C": config.C * scale,
        "tolerance": config.tolerance * scale,
        "dtype": config.precision,
    }
    if data.description.task == "regression":
        changes["epsilon"] = config.epsilon * scale
        return SupportVectorRegressor(
            **SupportVectorRegressorSettings.taken_from(config, **changes)
        )
    return SupportVectorClassifier(
        **SupportVectorClassifierSettings.taken_from(config, **changes)
    )


def fit(
    config: Config, data: Data, features: np.ndarray, session: Session
) -> SupportVectorMachine:
    """Fits the machine to the preprocessed training rows, logging to the run."""
    model = machine(config, data)
    # A batch is an iteration.
    logs = pipeline.run.tensorboard(session.folder, update_freq=1)
    options: dict[str, Any] = {}
    if data.description.task == "classification" and config.class_weight != "none":
        options["class_weight"] = config.class_weight
    for line in notes_on_cost(config.multiclass, data):
        print(line, flush=True)
    with session.training():
        model.fit(
            features,
            data.train.target,
            callbacks=[logs],
            verbose=pipeline.run.verbosity(),
            **options,
        )
    return model


def parameters(
    config: Config, data: Data, model: SupportVectorMachine
) -> dict[str, Any]:
    """What the settings came to: the numbers that the machine was fitted with."""
    scale = target_scale(data)
    found: dict[str, Any] = {"kernel": config.kernel, "C": config.C * scale}
    kernel = model.expansion.kernel.get_config()
    found |= {name: kernel[name] for name in kernel if name in _KERNEL_PARAMETERS}
    if data.description.task == "regression":
        found["epsilon"] = config.epsilon * scale
    else:
        found["class_weight"] = config.class_weight
    return {**found, "tolerance": config.tolerance * scale}


_KERNEL_PARAMETERS = ("gamma", "degree", "coef0")


def report(run: Run, features: np.ndarray, command: list[str]) -> Page:
    """The page of `report.html`."""
    return build_page(run, features, command)
