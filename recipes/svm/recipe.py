"""The recipe: from flags to a certified support vector machine, report and SavedModel.

Sections 3.2 and 4.2 of the article. Run it with `python -m recipes.svm`, or call
`train_and_evaluate(Config(...))`.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

from recipes import pipeline
from recipes.errors import quote
from recipes.pipeline.datasets import Data
from recipes.pipeline.evaluation import Decisions, decide
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
from recipes.svm.solver.solution import Trace

NAME = "svm"
MANY_ROWS = 50_000
MANY_PROBLEMS = 1000
_KERNEL_PARAMETERS = ("gamma", "degree", "coef0")


def train_and_evaluate(config: Config) -> Run:
    """Train on the data, certify, score, report and export.

    Args:
        config: The settings.

    Returns:
        The run: model, metrics, predictions, and the folder with its files. The
        predictions of a classification are `evaluation.Decisions`.

    Raises:
        InputError: If the data or a setting are wrong; no file is left half-written.
    """
    with Session(NAME, config) as session:
        with session.stage("load"):
            data = load(config)
            preprocessing = pipeline.preprocessing.learn_preprocessing(
                data, sparse=True, text_features=config.text_features
            )
            data = data.with_notes(*preprocessing.notes)
            pipeline.evaluation.check_memory(data, preprocessing)
            session.open_folder(data)
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
            predictions = pipeline.evaluation.predict(inference, data, features)
            data, predictions = pipeline.threshold.apply_threshold(
                config.threshold, data, predictions, decide_held_out(data, model)
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
                "parameters": list_parameters(config, data, model),
            },
            page=lambda run, command: build_page(run, x_train, command),
        )


def load(config: Config) -> Data:
    """Load the training and test rows; the target is a number or a class.

    Raises:
        InputError: If the data or a setting are wrong.
    """
    data = pipeline.datasets.load(config, task=config.task)
    no_probabilities = "" if config.probability else "omit --noprobability"
    if data.description.task == "regression":
        deviation = pipeline.report.number(compute_target_scale(data))
        learned = data.description.learned_name
        target = "the target" if learned == data.description.target.name else learned
        data = data.with_notes(
            f"C, epsilon and tolerance are in units of {target}'s standard deviation, "
            f"{deviation}"
        )
    elif config.probability and not gives_probabilities(config, data):
        sizes = np.bincount(data.train.target)
        name = data.description.target.levels[int(sizes.argmin())]
        no_probabilities = f"the class {quote(name)} has a single training row"
        data = data.with_notes(
            f"no probabilities: {no_probabilities}, which cannot be held out to fit "
            "them"
        )
    pipeline.threshold.check_threshold(
        config.threshold, data.description, no_probabilities=no_probabilities
    )
    return data


def gives_probabilities(config: Config, data: Data) -> bool:
    """Say whether classes get probabilities: each needs a second row, to hold out."""
    return config.probability and np.bincount(data.train.target).min() > 1


def compute_target_scale(data: Data) -> float:
    """Return the unit of `C`, `epsilon` and `tolerance`; 1 for a classification."""
    if data.description.task == "classification":
        return 1.0
    target, weight = data.targets["train"], data.train.weight
    deviation = target - np.average(target, weights=weight)
    return float(np.sqrt(np.average(deviation**2, weights=weight)))


def build_model(config: Config, data: Data) -> SupportVectorMachine:
    """Return a model for the data's task, not yet fitted."""
    scale = compute_target_scale(data)
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
    changes["probability"] = gives_probabilities(config, data)
    return SupportVectorClassifier(
        **SupportVectorClassifierSettings.taken_from(config, **changes)
    )


def fit(
    config: Config, data: Data, features: np.ndarray, session: Session
) -> SupportVectorMachine:
    """Fit a model to the preprocessed training rows, logging to the run's folder."""
    for warning in describe_cost(config.multiclass, data):
        print(warning, flush=True)

    def train() -> tuple[SupportVectorMachine, dict[str, Any]]:
        model = build_model(config, data)
        options: dict[str, Any] = {}
        if data.description.task == "classification" and config.class_weight != "none":
            options["class_weight"] = config.class_weight
        # A batch is an iteration.
        logs = pipeline.run.tensorboard(session.folder, resumes=False, update_freq=1)
        model.fit(
            features,
            data.targets["train"],
            sample_weight=data.train.weight,
            callbacks=[logs],
            verbose=pipeline.run.verbosity(),
            **options,
        )
        held_out = np.empty(0)
        if config.threshold:  # which alone uses them
            held_out = model.held_out_decisions
        return model, {
            "certificate": model.certificate,
            "held_out_decisions": held_out.tolist(),
            "support_indices": model.support_indices.tolist(),
            "traces": [[part.tolist() for part in trace] for trace in model.traces],
        }

    model, record = session.train(train)
    model.certificate = record["certificate"]
    model.held_out_decisions = np.array(record["held_out_decisions"])
    model.support_indices = np.array(record["support_indices"], np.int64)
    model.traces = [Trace(*map(np.array, trace)) for trace in record["traces"]]
    return model


def decide_held_out(data: Data, model: Any) -> Decisions | None:
    """Return decisions on the training rows by machines not fitted to them, if any."""
    decisions = model.held_out_decisions[:, np.newaxis]
    if not len(decisions):
        return None
    second = model.platt(decisions).numpy()
    return decide(
        data.train.target,
        decisions,
        np.hstack([1 - second, second]),
        data.train.weight,
    )


def describe_cost(multiclass: str, data: Data) -> Iterator[str]:
    """Yield the reasons why the fit will take long, and how to shorten it."""
    rows, classes = len(data.train.target), len(data.description.target.levels)
    if rows > MANY_ROWS:
        yield (
            f"{rows:,} training rows: the time to fit grows almost with their square; "
            "fit a sample first to estimate it"
        )
    pairs = classes * (classes - 1) // 2
    if multiclass == "one_vs_one" and pairs > MANY_PROBLEMS:
        yield (
            f"{classes} classes: {pairs:,} pairs, with one problem each; "
            f"--multiclass=one_vs_rest solves {classes} larger problems"
        )


def list_parameters(
    config: Config, data: Data, model: SupportVectorMachine
) -> dict[str, Any]:
    """Return the values that the model was fitted with, in the target's unit."""
    kernel = model.expansion.kernel.get_config()
    return {
        "kernel": config.kernel,
        "C": model.C,
        **{name: kernel[name] for name in kernel if name in _KERNEL_PARAMETERS},
        **(
            {"epsilon": model.epsilon}
            if data.description.task == "regression"
            else {"class_weight": config.class_weight}
        ),
        "tolerance": model.tolerance,
    }
