"""The report of a support vector machine: the page, section by section."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from recipes.pipeline import report
from recipes.svm import optimality
from recipes.svm.beginnings import beginnings
from recipes.svm.influence import support_vectors
from recipes.svm.regions import decision_regions
from recipes.svm.tube import tube

if TYPE_CHECKING:
    from recipes.pipeline.run import Run

LEARNER = "the support vector machine"


def page(run: Run, features: npt.NDArray[Any], command: Sequence[str]) -> report.Page:
    """The whole report of a support vector machine.

    Args:
        run: the run, with the simplest rival's scores on the test rows under `baseline`
            in its metrics.
        features: the preprocessed training rows, `[n, p]`.
        command: the arguments of the command line that repeats the run.
    """
    metrics, about = run.metrics, run.data.description
    fit, parameters = metrics["certificate"], metrics["parameters"]
    build = _regression if about.task == "regression" else _classification
    result, numbers, sections = build(run, features)
    proof = optimality.highlights(fit, parameters, len(run.data.train.target))
    return report.Page(
        title=f"Support vector machine on {about.name}",
        outcome=f"{result}; {optimality.verdict(fit, parameters)}.",
        opening=(report.KeyNumbers((*numbers, *proof)),),
        sections=(
            *sections,
            report.data_summary(run.data),
            report.repeat(command, metrics),
        ),
        footer=f"Written by Descent Recipes {metrics['versions']['recipes']}.",
    )


_Parts = tuple[str, tuple[report.KeyNumber, ...], list[report.Section]]


def _classification(run: Run, features: npt.NDArray[Any]) -> _Parts:
    """Outcome, key numbers and sections of a classification."""
    blocks = report.classification
    about, made = run.data.description, run.predictions[1]
    target, rows = about.target, len(run.data.test.target)
    scores = _scores(run)
    regions = decision_regions(run, features)
    sections = [
        blocks.scores(target, *scores),
        _certificate(run),
        *([regions] if regions else []),
        support_vectors(run),
        blocks.class_by_class(target, made),
        blocks.confusion_matrix(target, made),
        blocks.separation(target, made),
    ]
    if made.probabilities is not None:
        sections.append(blocks.calibration(target, made))
    sections.append(blocks.mistakes(about, run.data.test.features, made))
    return (
        blocks.outcome(LEARNER, target, rows, *scores[1:]),
        blocks.highlights(rows, *scores),
        sections,
    )


def _regression(run: Run, features: npt.NDArray[Any]) -> _Parts:
    """Outcome, key numbers and sections of a regression."""
    target, scores = run.data.description.target, _scores(run)
    train, test = (
        report.pairs(rows.target, np.asarray(made))
        for rows, made in zip(
            (run.data.train, run.data.test), run.predictions, strict=True
        )
    )
    sections = [
        report.scores(target, *scores),
        _certificate(run),
        tube(run),
        report.residuals(target, train, test),
        support_vectors(run),
    ]
    return (
        report.outcome(LEARNER, target, len(test.actual), *scores[1:]),
        report.highlights(target, *scores),
        sections,
    )


def _scores(run: Run) -> tuple[Any, Any, Any]:
    metrics = run.metrics
    return metrics["train"], metrics["test"], metrics["baseline"]


def _certificate(run: Run) -> report.Section:
    metrics = run.metrics
    return optimality.certificate(
        metrics["certificate"],
        metrics["parameters"],
        run.model.traces,
        beginnings(run),
    )
