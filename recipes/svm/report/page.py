"""The report of a support vector machine, section by section."""

from collections.abc import Sequence
from typing import Any

import numpy.typing as npt

from recipes.pipeline import report
from recipes.pipeline.run import Run
from recipes.svm.report.certificate import (
    build_certificate_section,
    describe_outcome,
    list_key_numbers,
)
from recipes.svm.report.decision_regions import build_regions_section
from recipes.svm.report.epsilon_tube import build_tube_section
from recipes.svm.report.initial_gap import compute_initial_gaps
from recipes.svm.report.support_vectors import build_support_vectors_section


def build_page(
    run: Run, features: npt.NDArray[Any], command: Sequence[str]
) -> report.Page:
    """Build the whole report.

    Args:
        run: the run, whose metrics have the test scores of the simplest rival under
            `baseline`.
        features: the preprocessed training rows, `[n, p]`.
        command: the arguments of the command line that repeats the run.
    """
    metrics, about = run.metrics, run.data.description
    fit, parameters = metrics["certificate"], metrics["parameters"]
    headline = report.headline("the support vector machine", run.data, metrics)
    key_numbers = list_key_numbers(fit, len(run.data.train.target))
    if about.task == "regression":
        sections = _build_regression_sections(run)
    else:
        sections = _build_classification_sections(run, features)
    certificate = build_certificate_section(
        fit, parameters, run.model.traces, compute_initial_gaps(run)
    )
    return report.build_page(
        f"Support vector machine on {about.name}",
        f"{headline.outcome}; {describe_outcome(fit)}.",
        (*headline.highlights, *key_numbers),
        [headline.scores, certificate, *sections],
        run.data,
        metrics,
        command,
    )


def _build_classification_sections(
    run: Run, features: npt.NDArray[Any]
) -> list[report.Section]:
    regions = build_regions_section(run, features)
    return [
        *([regions] if regions else []),
        build_support_vectors_section(run),
        *report.class_sections(run.data, run.predictions[1]),
    ]


def _build_regression_sections(run: Run) -> list[report.Section]:
    pairs = report.pair_predictions(run.data, run.predictions)
    return [
        build_tube_section(run),
        report.residuals(run.data.description.target, *pairs),
        build_support_vectors_section(run),
    ]
