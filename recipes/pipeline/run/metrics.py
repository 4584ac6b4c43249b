"""The record of a run: the content of `metrics.json`, and the summary of it."""

import importlib.metadata
import json
import math
import platform
import resource
import sys
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from recipes.pipeline.datasets import Data


def build_metrics(
    recipe: str,
    run: str,
    data: Data,
    contents: Mapping[str, Any],
    seconds: dict[str, float],
) -> dict[str, Any]:
    """Return the content of `metrics.json`.

    Args:
        recipe: The recipe's name.
        run: The run's identity.
        data: The data that the learner was trained and tested on.
        contents: Scores under `train`, `test` and `baseline`, the `certificate`, a
            `warning` if the model is of no use, and what else the recipe records.
        seconds: The time of each stage. The same dict is put into the metrics, so that
            they include later stages.
    """
    description = data.description
    optional = {
        "weights": description.weights,
        "unnamed_columns": description.unnamed_columns,
    }
    return {
        "recipe": recipe,
        "run": run,
        "dataset": {
            "name": description.name,
            "train_rows": len(data.train.target),
            "test_rows": len(data.test.target),
            "features": len(description.columns),
            "target": description.target.name,
            "classes": list(description.target.levels),
            **{name: value for name, value in optional.items() if value},
        },
        **contents,
        "seconds": seconds,
        "peak_memory_bytes": _peak_memory_bytes(),
        "versions": {
            "python": platform.python_version(),
            "tensorflow": tf.__version__,
            "keras": keras.__version__,
            "recipes": _version(),
        },
    }


def _version() -> str:
    """Return the project's version, also in a checkout that is not installed."""
    try:
        return importlib.metadata.version("descent-recipes")
    except importlib.metadata.PackageNotFoundError:
        project = Path(__file__).parents[3] / "pyproject.toml"
        return tomllib.loads(project.read_text("utf-8"))["project"]["version"]


def metrics_text(metrics: Mapping[str, Any]) -> str:
    """Return the text of `metrics.json`, with null for what is not finite."""
    finite = _replace_nan(metrics)
    return json.dumps(finite, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def summarise(metrics: Mapping[str, Any]) -> Iterator[str]:
    """Yield the lines that tell how a run ended."""
    yield _format_numbers("test", metrics["test"])
    yield _format_numbers("certificate", metrics["certificate"])
    if "threshold" in metrics:
        yield _format_numbers("threshold", metrics["threshold"])


def _format_numbers(title: str, numbers: Mapping[str, Any]) -> str:
    words = (
        f"{name}={value:.6g}" if isinstance(value, float) else f"{name}={value}"
        for name, value in numbers.items()
        if value is not None and " " not in str(value)  # sentences are for the report
    )
    return f"{title}: {' '.join(words)}"


def _replace_nan(value: Any) -> Any:
    """Return the value with None in place of numbers that JSON cannot represent."""
    if isinstance(value, Mapping):
        return {key: _replace_nan(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_replace_nan(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _peak_memory_bytes() -> int:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
