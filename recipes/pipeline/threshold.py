"""Where a classifier of two classes draws the line: `--threshold`.

Without it the score decides. With it a row is of the positive class, index 1, if that
class's probability, or its score where the model gives no probabilities, is at least
the threshold. Both are compared as the SavedModel shows them, in float32.

- A number is the threshold itself.
- `cost=FN:FP` says what it costs to miss a row of the positive class, FN, and to take
  another for one, FP. If the probability is p, the answers cost (1 − p)·FP and p·FN on
  average, so that the threshold is FP / (FN + FP).
- `balanced` is the threshold with the best balanced accuracy, the mean of the classes'
  recalls, on rows that the model was not fitted to, wherever there are such rows.
"""

import dataclasses
import math
import re
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from sklearn import metrics

from recipes.errors import InputError, quote, shorten
from recipes.pipeline.datasets.description import Data, Description, Threshold
from recipes.pipeline.evaluation import Decisions, class_ranking

_NUMBER = r"(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_COST = re.compile(f"cost=({_NUMBER}):({_NUMBER})")
_PLAIN = re.compile(f"[+-]?{_NUMBER}")
_FORMS = "balanced, cost=FN:FP such as cost=5:1, or a number"


def check_threshold(
    rule: str, about: Description, *, no_probabilities: str = ""
) -> None:
    """Check that the rule makes sense for a model of such data.

    Args:
        rule: As `--threshold` has it; empty: no threshold.
        about: The data.
        no_probabilities: Why the model gives no probabilities, with what would help;
            empty if it does.

    Raises:
        InputError: It does not.
    """
    if not rule:
        return
    flag = f"--threshold={shorten(rule)}"
    if len(about.target.levels) != 2:
        classes = len(about.target.levels)
        holds = f"has {classes} classes" if classes else "is a number"
        raise InputError(
            f"{flag}: needs two classes, and the target {quote(about.target.name)} of "
            f"{about.source} {holds}; omit it"
        )
    if cost := _COST.fullmatch(rule):
        if no_probabilities:
            raise InputError(f"{flag}: needs probabilities; {no_probabilities}")
        if not 0 < _share_of_cost(*map(float, cost.groups())) < 1:
            raise InputError(f"{flag}: both costs should be above 0")
    elif _PLAIN.fullmatch(rule):
        value = float(rule)
        if not no_probabilities and not 0 < value < 1:
            raise InputError(
                f"{flag}: a probability to reach should be above 0 and below 1"
            )
    elif rule != "balanced":
        raise InputError(f"{flag}: should be {_FORMS}")


def apply_threshold(
    rule: str,
    data: Data,
    predictions: Mapping[str, Any],
    held_out: Decisions | None = None,
) -> tuple[Data, dict[str, Any]]:
    """Return the data with the threshold, and the predictions decided by it.

    Args:
        rule: As `--threshold` has it; if empty, nothing changes.
        data: The data set.
        predictions: `Decisions` by part.
        held_out: Decisions on the training rows, each by a model that was not fitted
            to it; without them, `balanced` takes the validation rows, or if there are
            none the training rows.
    """
    if not rule:
        return data, dict(predictions)
    if held_out:
        sample, rows = held_out, "training rows, each held out in turn"
    elif "validation" in predictions:
        sample, rows = predictions["validation"], "validation rows"
    else:
        sample, rows = predictions["train"], "training rows"
    of: Literal["score", "probability"] = "probability"
    if sample.probabilities is None:
        of = "score"
    if cost := _COST.fullmatch(rule):
        threshold = Threshold(_share_of_cost(*map(float, cost.groups())), of, rule)
    elif rule == "balanced":
        threshold = Threshold(find_balanced(sample), of, rule, rows)
    else:
        threshold = Threshold(float(rule), of, rule)
    about = dataclasses.replace(data.description, threshold=threshold)
    decided = {part: decide_by(threshold, each) for part, each in predictions.items()}
    return dataclasses.replace(data, description=about), decided


def decide_by(threshold: Threshold, decisions: Decisions) -> Decisions:
    """Return the same rows, of index 1 where the threshold is reached."""
    reached = _rank(decisions) >= np.float32(threshold.value)
    return decisions._replace(predicted=reached.astype(np.int64))


def find_balanced(decisions: Decisions) -> float:
    """Return the threshold with the best balanced accuracy, the largest of equals.

    It lies in the middle between two neighbouring values of the rows.
    """
    ranks = _rank(decisions)
    false, true, values = metrics.roc_curve(
        decisions.target == 1,
        ranks,
        sample_weight=decisions.weight,
        drop_intermediate=False,
    )
    # The first value, infinity, is above all rows.
    best = 1 + int(np.argmax((true - false)[1:]))
    reached = values[best]
    below = values[best + 1] if best + 1 < len(values) else reached
    middle = np.float32((float(reached) + float(below)) / 2)
    return float(middle if below < middle else reached)


def _rank(decisions: Decisions) -> Any:
    return class_ranking(decisions, 1).astype(np.float32)


def _share_of_cost(missed: float, alarm: float) -> float:
    return alarm / (missed + alarm) if missed + alarm > 0 else math.nan
