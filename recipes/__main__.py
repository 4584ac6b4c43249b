"""`python -m recipes`: run every recipe on its default data and tabulate the runs."""

import importlib
import logging
from collections.abc import Sequence
from typing import Any

from recipes import pipeline
from recipes.pipeline.cli import program, temporary_files

RECIPES = ("linear_regression", "svm", "neural_network")
_HEADER = ("recipe", "data", "test", "certificate", "seconds", "report", "SavedModel")
# The number that sums up each certificate.
_KEY_NUMBERS = {
    "linear_regression": "relative_excess_loss",
    "svm": "relative_duality_gap",
    "neural_network": "gradient_check_max_relative_error",
}


def main() -> None:
    """Run the recipes one after the other."""
    # Imported here, where a signal is heeded.
    from recipes.pipeline.cli.tensorflow_import import import_tensorflow

    temporary_files.keep_in_own_folder()
    import_tensorflow()
    # TensorFlow warns of repeated compilation: each recipe compiles its own functions.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    runs = []
    for name in RECIPES:
        print(f"\n== python -m recipes.{name}", flush=True)
        recipe = importlib.import_module(f"recipes.{name}")
        runs.append(recipe.train_and_evaluate(recipe.Config()))
    print(f"\n{build_table(runs)}")


def build_table(runs: Sequence[Any]) -> str:
    """Return a table of the runs, one line each.

    Args:
        runs: The results of `train_and_evaluate`.
    """
    rows = [_HEADER, *map(_build_row, runs)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            cell.ljust(width) for cell, width in zip(row, widths, strict=True)
        ).rstrip()
        for row in rows
    )


def _build_row(run: Any) -> tuple[str, ...]:
    metrics = run.metrics
    score = "accuracy" if "accuracy" in metrics["test"] else "r2"
    key_number = _KEY_NUMBERS[metrics["recipe"]]
    return (
        metrics["recipe"],
        metrics["dataset"]["name"],
        f"{score} {metrics['test'][score]:.3f}",
        f"{key_number} {metrics['certificate'][key_number]:.1e}",
        f"{sum(metrics['seconds'].values()):.1f}",
        str(run.out_dir / "report.html"),
        str(pipeline.run.newest_export(run.out_dir)),
    )


if __name__ == "__main__":
    program.run(main)
