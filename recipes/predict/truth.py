"""The scores of predictions whose truth is known, beside those of the run's test."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from layers.cells import is_blank as is_blank_number
from layers.cells import parse_cells
from recipes.errors import quote
from recipes.pipeline import bootstrap, evaluation
from recipes.pipeline.datasets.description import Column, Task
from recipes.pipeline.datasets.encoding import format_class, is_blank, is_number
from recipes.pipeline.datasets.source import list_first_five
from recipes.predict.cells import blank_out

# Scores of which less is better.
_LESS_IS_BETTER = ("mse", "rmse", "mae", "log_loss")
_FEWEST_ROWS = 30  # that a score is judged by
_BLANK, _UNKNOWN = -1, -2


def encode_classes(
    cells: pa.Array, classes: Sequence[str]
) -> tuple[npt.NDArray[np.int64], set[str]]:
    """Return the index of each row's class, [n], and texts that are none.

    A number is the class whose name is the same number: 1.0 is 1.

    Args:
        cells: Texts in a dictionary.
        classes: The classes' names.

    Returns:
        The indices, −1 for a blank, −2 for another text; and the other texts.
    """
    known = {name: place for place, name in enumerate(classes)}

    def encode(text: str | None) -> int:
        bare = (text or "").strip()
        if is_blank(bare):
            return _BLANK
        if bare not in known and is_number(bare) and np.isfinite(float(bare)):
            bare = format_class(float(bare))
        return known.get(bare, _UNKNOWN)

    texts = cells.dictionary.to_pylist()
    codes = np.array([*map(encode, texts), _BLANK], np.int64)
    found = codes[cells.indices.fill_null(len(texts)).to_numpy()]
    return found, {
        text for text, code in zip(texts, codes, strict=False) if code == _UNKNOWN
    }


def encode_numbers(
    cells: pa.Array, column: Column
) -> tuple[npt.NDArray[np.float64], set[str]]:
    """Return each row's number, [n], and texts that are none.

    Args:
        cells: Texts in a dictionary.
        column: How they are written.

    Returns:
        The numbers, NaN for a blank, infinity for another text; and the other texts.
    """
    texts = [text or "" for text in [*cells.dictionary.to_pylist(), None]]
    values = parse_cells(texts, column.format, column.na_values).numpy()
    blank = is_blank_number(texts, column.na_values).numpy()
    if not column.format:
        known = blank_out(values, column.na_values)
        blank, values = blank | (np.isnan(known) & ~np.isnan(values)), known
    values[~np.isfinite(values) & ~blank] = np.inf
    found = values[cells.indices.fill_null(len(texts) - 1).to_numpy()]
    return found, {
        text for text, value in zip(texts, values, strict=True) if np.isinf(value)
    }


class Truth:
    """Collects the truth and what was predicted, without the features.

    Args:
        target: The name of the column with the truth.
        task: What is predicted.
        metrics: The content of the run's `metrics.json`; empty without it.
    """

    def __init__(self, target: str, task: Task, metrics: Mapping[str, Any]) -> None:
        self._name, self._task, self._metrics = target, task, metrics
        self._targets: list[npt.NDArray[Any]] = []
        self._outputs: dict[str, list[npt.NDArray[Any]]] = {}
        self._blank = self._other = self._endless = 0
        self._others: set[str] = set()

    def add(
        self,
        target: npt.NDArray[Any],
        outputs: Mapping[str, Any],
        others: Iterable[str] = (),
    ) -> None:
        """Add some rows.

        Args:
            target: [n], as of `encode_numbers` or `encode_classes`.
            outputs: What the model answers.
            others: Texts that are no number, or no class that the model knows.
        """
        if self._task == "regression":
            names, known = ["prediction"], np.isfinite(target)
            self._blank += int(np.isnan(target).sum())
            self._other += int(np.isinf(target).sum())
            scored = known & np.isfinite(outputs["prediction"][:, 0])
            self._endless += int((known & ~scored).sum())
        else:
            names, scored = ["class_index", "scores", "probabilities"], target >= 0
            self._blank += int((target == _BLANK).sum())
            self._other += int((target == _UNKNOWN).sum())
        self._others.update(others)
        self._targets.append(target[scored])
        for name in names:
            if name in outputs:
                self._outputs.setdefault(name, []).append(outputs[name][scored])

    def describe(self) -> Iterator[str]:
        """Yield the lines of the scores, and of the rows that have none."""
        target = np.concatenate(self._targets)
        name = quote(self._name)
        if self._blank:
            yield f"rows that are not scored, as {name} is blank: {self._blank:,}"
        if self._other:
            texts = list_first_five(map(quote, sorted(self._others)))
            why = "of classes that the model does not know"
            if self._task == "regression":
                why = f"as {name} is not the number that it was in the run"
            yield f"rows that are not scored, {why} ({texts}): {self._other:,}"
        if self._endless:
            yield (
                "rows that are not scored, as the prediction is not finite: "
                f"{self._endless:,}"
            )
        if not len(target):
            yield f"no scores: no row has a {name} to compare the prediction with"
            return
        outputs = {key: np.concatenate(each) for key, each in self._outputs.items()}
        if self._task == "regression":
            predictions: Any = outputs["prediction"]
            scores: Mapping[str, Any] = evaluation.regression_scores(
                target, predictions
            )
        else:
            # A threshold may decide otherwise than the scores.
            predicted = outputs.pop("class_index")
            predictions = evaluation.decide(target, **outputs)
            predictions = predictions._replace(predicted=predicted)
            scores = evaluation.score_decisions(predictions)
        intervals = bootstrap.score_intervals(self._task, target, predictions)
        yield from compare(scores, intervals, self._metrics, len(target))


def compare(
    scores: Mapping[str, Any],
    intervals: bootstrap.Intervals,
    metrics: Mapping[str, Any],
    rows: int,
) -> Iterator[str]:
    """Yield the lines of a table: the scores here, and in the run's test.

    Args:
        scores: Of the new rows.
        intervals: Their 95 % intervals.
        metrics: The content of the run's `metrics.json`; empty without it.
        rows: Number of new rows.
    """
    test, promised = metrics.get("test", {}), metrics.get("test_interval", {})
    about = metrics.get("dataset", {})
    head = f"new rows ({rows:,})"
    if weights := about.get("weights"):
        test, promised, head = {}, {}, f"{head}, unweighted"
        yield (
            f"the run's test scores are weighted by {quote(weights)}: no comparison "
            "with them"
        )
    table = [("", head, "test of the run" if test else "", "")]
    least = min(rows, about.get("test_rows", rows))
    for name, interval in intervals.items():
        there, reading = _show(test.get(name), promised.get(name)), ""
        if name in promised:
            reading = judge(name, interval, promised[name], least)
        table.append((name, _show(scores[name], interval), there, reading))
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for line in table:
        cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        yield f"  {'  '.join(cells)}".rstrip()


def judge(
    name: str, interval: Sequence[float], promised: Sequence[float], rows: int
) -> str:
    """Say whether a score is what the test promised: whether the intervals overlap.

    Of few rows, or rows that are all equally right, resamples tell too little of what
    other rows would be like.

    Args:
        name: The score's name.
        interval: The interval of the new rows' score.
        promised: The interval of the test rows' score.
        rows: Their number, or that of the new rows if it is less.
    """
    has_width = interval[0] < interval[1] and promised[0] < promised[1]
    if rows < _FEWEST_ROWS or not has_width:
        return "too few rows to tell"
    if interval[0] <= promised[1] and promised[0] <= interval[1]:
        return "as promised"
    is_less = interval[1] < promised[0]
    is_better = is_less == (name in _LESS_IS_BETTER)
    return f"{'better' if is_better else 'worse'} than promised"


def _show(score: float | None, interval: Sequence[float] | None) -> str:
    if score is None:
        return ""
    return f"{score:.4g}" + (
        " ({:.4g} to {:.4g})".format(*interval) if interval else ""
    )
