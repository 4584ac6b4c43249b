"""Whether a network does worse than a constant on rows that it was not fitted to."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from recipes.pipeline.verdict import is_positive

_BATCH_ROWS = 1024


def compare_with_constant(
    model: Any, targets: Any, weight: Any, options: Mapping[str, Any]
) -> tuple[float, bool]:
    """Compare a network's errors on the validation rows with those of a constant.

    The constant is the mean, or the class shares, of the training rows: what is known
    without the features. On few rows the network may be behind by chance, which says
    nothing against it: only more than two standard errors of the rows' differences do.

    Args:
        model: The fitted network.
        targets: Those of the training rows, `[n]`.
        weight: The weights of the training rows, `[n]`, or `None`.
        options: Of `fit`: `validation_data`, and `class_weight` if there is one.

    Returns:
        The network's mean error, and whether the constant's is smaller beyond chance.
    """
    x, y, held_out_weight = options["validation_data"]
    values, places = np.unique(targets, return_inverse=True)
    sums: Any = np.bincount(places, weight)
    if "class_weight" in options:  # balanced: every class has the same weight
        counts = np.bincount(places)
        factors = dict(zip(values, 1 / counts, strict=True))
        sums = sums / counts
        factor = np.array([factors.get(each, 1.0) for each in y])
        held_out_weight = (
            factor if held_out_weight is None else factor * held_out_weight
        )
    known = np.asarray(model.encode_targets(values, training=True), np.float64)
    constant = model.find_constant_outputs(np.average(known, axis=0, weights=sums))
    rows = model.batch_rows(model.prepare_evaluation(x, y, None), _BATCH_ROWS, None)
    errors, excess = [], []
    for batch, labels in rows:
        target = model.encode_targets(labels, training=True)
        error = np.asarray(
            model.compute_errors(target, model.network(batch, training=False)),
            np.float64,
        )
        repeated = np.broadcast_to(constant, target.shape)
        errors.append(error)
        excess.append(error - np.asarray(model.compute_errors(target, repeated)))
    mean = float(np.average(np.concatenate(errors), weights=held_out_weight))
    return mean, is_positive(np.concatenate(excess), held_out_weight)
