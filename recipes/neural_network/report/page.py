"""The report of a neural network: the page, section by section."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from recipes.neural_network.report import certificate, range_test
from recipes.neural_network.report.layer_norms import norms
from recipes.neural_network.report.learning_curves import learning_curves
from recipes.pipeline import report

if TYPE_CHECKING:
    from recipes.neural_network.config import Config
    from recipes.neural_network.training.attempt import Training
    from recipes.pipeline.run import Run


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
    headline = report.headline("the neural network", run.data, metrics)
    learning = learning_curves(
        course.history, fit, done.best_kept, config, bool(about.image_shape)
    )
    kept = fit["best_epoch"] if done.best_kept else fit["epochs"]
    found = done.range_test
    return report.build_page(
        f"Neural network on {about.name}",
        f"{headline.outcome}; {certificate.verdict(fit)}.",
        (*headline.highlights, *certificate.highlights(fit, kept)),
        [
            headline.scores,
            learning,
            *([range_test.range_test(found)] if found else []),
            certificate.certificate(fit, kept),
            *_of_the_task(run),
            norms(course.layers, course.weight_norms, course.gradient_norms),
        ],
        run.data,
        metrics,
        command,
    )


def _of_the_task(run: Run) -> list[report.Section]:
    """The sections that only a classification, or only a regression, has."""
    data, target = run.data, run.data.description.target
    if data.description.task == "classification":
        return report.class_sections(data, run.predictions[1])
    pairs = report.pair_predictions(data, run.predictions)
    return [
        report.predicted_against_actual(target, *pairs),
        report.residuals(target, *pairs),
    ]
