"""The report of a support vector machine: the page, section by section."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy.typing as npt

from recipes.pipeline import report
from recipes.svm.report import certificate
from recipes.svm.report.decision_regions import decision_regions
from recipes.svm.report.epsilon_tube import tube
from recipes.svm.report.initial_gap import beginnings
from recipes.svm.report.support_vectors import support_vectors

if TYPE_CHECKING:
    from recipes.pipeline.run import Run


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
    headline = report.headline("the support vector machine", run.data, metrics)
    proof = certificate.highlights(fit, parameters, len(run.data.train.target))
    regression = about.task == "regression"
    return report.build_page(
        f"Support vector machine on {about.name}",
        f"{headline.outcome}; {certificate.verdict(fit, parameters)}.",
        (*headline.highlights, *proof),
        [
            headline.scores,
            _certificate(run),
            *(_of_numbers(run) if regression else _of_classes(run, features)),
        ],
        run.data,
        metrics,
        command,
    )


def _of_classes(run: Run, features: npt.NDArray[Any]) -> list[report.Section]:
    """The sections that only a classification has."""
    regions = decision_regions(run, features)
    return [
        *([regions] if regions else []),
        support_vectors(run),
        *report.class_sections(run.data, run.predictions[1]),
    ]


def _of_numbers(run: Run) -> list[report.Section]:
    """The sections that only a regression has."""
    pairs = report.pair_predictions(run.data, run.predictions)
    return [
        tube(run),
        report.residuals(run.data.description.target, *pairs),
        support_vectors(run),
    ]


def _certificate(run: Run) -> report.Section:
    metrics = run.metrics
    return certificate.certificate(
        metrics["certificate"],
        metrics["parameters"],
        run.model.traces,
        beginnings(run),
    )
