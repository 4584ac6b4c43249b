"""The report of a neural network: the page, section by section."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from recipes.neural_network import gradient_check, rates
from recipes.neural_network.learning import learning_curves
from recipes.neural_network.norms import norms
from recipes.pipeline import report

if TYPE_CHECKING:
    from recipes.neural_network.recipe import Config
    from recipes.neural_network.training import Training
    from recipes.pipeline.run import Run

LEARNER = "the neural network"


def page(
    config: Config, run: Run, done: Training, command: Sequence[str]
) -> report.Page:
    """The whole report of a neural network.

    Args:
        config: the settings.
        run: the run, with the simplest rival's scores on the test rows under `baseline`
            in its metrics.
        done: the training.
        command: the arguments of the command line that repeats the run.
    """
    metrics, about = run.metrics, run.data.description
    fit, course = metrics["certificate"], done.course
    build = _regression if about.task == "regression" else _classification
    result, numbers, scores, sections = build(run)
    learning = learning_curves(
        course.history, fit, done.best_kept, config, bool(about.image_shape)
    )
    kept = fit["best_epoch"] if done.best_kept else fit["epochs"]
    found = done.range_test
    return report.Page(
        title=f"Neural network on {about.name}",
        outcome=f"{result}; {gradient_check.verdict(fit)}.",
        opening=(report.KeyNumbers((*numbers, *gradient_check.highlights(fit, kept))),),
        sections=(
            scores,
            learning,
            *([rates.range_test(found)] if found else []),
            gradient_check.certificate(fit, kept),
            *sections,
            norms(course.layers, course.weight_norms, course.gradient_norms),
            report.data_summary(run.data),
            report.repeat(command, metrics),
        ),
        footer=f"Written by Descent Recipes {metrics['versions']['recipes']}.",
    )


_Parts = tuple[
    str, tuple[report.KeyNumber, ...], report.Section, tuple[report.Section, ...]
]


def _classification(run: Run) -> _Parts:
    """Outcome, key numbers, scores and further sections of a classification."""
    blocks = report.classification
    about, made = run.data.description, run.predictions[1]
    target, rows = about.target, len(run.data.test.target)
    scores = _scores(run)
    return (
        blocks.outcome(LEARNER, target, rows, *scores[1:]),
        blocks.highlights(rows, *scores),
        blocks.scores(target, *scores),
        (
            blocks.class_by_class(target, made),
            blocks.confusion_matrix(target, made),
            blocks.separation(target, made),
            blocks.calibration(target, made),
            blocks.mistakes(about, run.data.test.features, made),
        ),
    )


def _regression(run: Run) -> _Parts:
    """Outcome, key numbers, scores and further sections of a regression."""
    target, scores = run.data.description.target, _scores(run)
    train, test = (
        report.pairs(rows.target, np.asarray(made))
        for rows, made in zip(
            (run.data.train, run.data.test), run.predictions, strict=True
        )
    )
    return (
        report.outcome(LEARNER, target, len(test.actual), *scores[1:]),
        report.highlights(target, *scores),
        report.scores(target, *scores),
        (
            report.predicted_against_actual(target, train, test),
            report.residuals(target, train, test),
        ),
    )


def _scores(run: Run) -> tuple[Any, Any, Any]:
    metrics = run.metrics
    return metrics["train"], metrics["test"], metrics["baseline"]
