"""The report of a neural network: the page, section by section."""

from collections.abc import Sequence

from recipes.neural_network.config import Config
from recipes.neural_network.report.certificate import (
    build_certificate_section,
    build_key_numbers,
    state_verdict,
)
from recipes.neural_network.report.layer_norms import build_norms_section
from recipes.neural_network.report.learning_curves import build_learning_curves_section
from recipes.neural_network.report.range_test import build_range_test_section
from recipes.neural_network.training.attempt import TrainingResult
from recipes.pipeline import report
from recipes.pipeline.run import Run


def build_page(
    config: Config, run: Run, result: TrainingResult, command: Sequence[str]
) -> report.Page:
    """Build the report of a neural network.

    Args:
        config: The settings.
        run: The run, with the baseline's test scores under `baseline` in its metrics.
        result: The result of the training.
        command: The arguments of the command line that repeats the run.
    """
    metrics, description = run.metrics, run.data.description
    certificate = metrics["certificate"]
    kept_epoch = (
        certificate["best_epoch"] if result.best_kept else certificate["epochs"]
    )
    headline = report.headline("the neural network", run.data, metrics)
    return report.build_page(
        f"Neural network on {description.name}",
        f"{headline.outcome}; {state_verdict(certificate)}.",
        (*headline.highlights, *build_key_numbers(certificate, kept_epoch)),
        [
            headline.scores,
            build_learning_curves_section(
                result.history,
                certificate,
                result.best_kept,
                config,
                images=bool(description.image_shape),
            ),
            *_build_range_test_sections(result),
            build_certificate_section(certificate, kept_epoch),
            *_build_task_sections(run),
            build_norms_section(
                result.layer_names, result.weight_norms, result.gradient_norms
            ),
        ],
        run.data,
        metrics,
        command,
    )


def _build_range_test_sections(result: TrainingResult) -> list[report.Section]:
    if result.range_test is None:
        return []
    return [build_range_test_section(result.range_test, result.failures)]


def _build_task_sections(run: Run) -> list[report.Section]:
    """Build the sections that only a classification, or only a regression, has."""
    data, target = run.data, run.data.description.target
    if data.description.task == "classification":
        return report.class_sections(data, run.predictions[1])
    pairs = report.pair_predictions(data, run.predictions)
    return [
        report.predicted_against_actual(target, *pairs),
        report.residuals(target, *pairs),
    ]
