"""The arguments of `fit`, turned into feeds of batches."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from recipes.fast_fit.feed import DatasetFeed, RowFeed

KERAS_BATCH = 32


def build_training_feed(
    arguments: dict[str, Any], seed: int | None
) -> DatasetFeed | RowFeed | None:
    """Build the feed of training batches, and reset the arguments that it implements.

    Args:
        arguments: The arguments of `fit`, by name. The rows of a `validation_split`
            become `validation_data`.
        seed: Seed of the order of arrays' rows; `None` draws one from NumPy's global
            generator.

    Returns:
        The feed; `None` if the arguments should go to Keras unchanged.
    """
    x, weights = arguments["x"], arguments["class_weight"]
    if isinstance(x, tf.data.Dataset):
        if weights is None:
            return DatasetFeed(x)
        if not isinstance(x.element_spec, tuple) or len(x.element_spec) != 2:
            return None
        arguments["class_weight"] = None
        return DatasetFeed(
            x.map(lambda x, y: (x, y, look_up_class_weights(y, weights)))
        )
    rows = _lists_to_tuples((x, arguments["y"], arguments["sample_weight"]))
    if not _are_arrays(rows) or arguments["steps_per_epoch"] is not None:
        return None
    if weights is not None and (rows[2] is not None or tf.nest.is_nested(rows[1])):
        return None
    return _build_row_feed(rows, arguments, seed)


def build_validation_feed(
    data: Any, batch_size: int | None
) -> DatasetFeed | RowFeed | None:
    """Build the feed of validation batches from the `validation_data` of `fit`."""
    if isinstance(data, tf.data.Dataset):
        return DatasetFeed(data)
    if not isinstance(data, tuple | list) or len(data) not in (2, 3):
        return None
    rows = _lists_to_tuples([*data, None][:3])
    if not _are_arrays(rows):
        return None
    return RowFeed(_pack(rows), batch_size or KERAS_BATCH)


def look_up_class_weights(y: tf.Tensor, class_weight: Mapping[int, float]) -> tf.Tensor:
    """Look up each row's weight by its class, as Keras applies `class_weight`.

    Args:
        y: Classes [n] or [n, 1], or one-hot [n, k].
        class_weight: Weight of each class; 1 for classes without one.

    Returns:
        The weights [n].
    """
    if y.ndim > 1 and y.shape[-1] != 1:
        classes = tf.argmax(y, axis=-1, output_type=tf.int32)
    else:
        classes = tf.cast(tf.round(tf.reshape(y, [-1])), tf.int32)
    others = max(class_weight) + 1
    table = tf.constant(
        [float(class_weight.get(each, 1)) for each in range(others + 1)]
    )
    is_known = (classes >= 0) & (classes < others)
    return tf.gather(table, tf.where(is_known, classes, others))


def _build_row_feed(rows: Any, arguments: dict[str, Any], seed: int | None) -> Any:
    share, total = arguments["validation_split"], len(tf.nest.flatten(rows)[0])
    if share and arguments["validation_data"] is None:
        kept = math.floor(total * (1 - share))
        if not 0 < kept < total:
            return None
        arguments["validation_data"] = _pack(_slice_rows(rows, slice(kept, None)))
        rows = _slice_rows(rows, slice(kept))
    if arguments["class_weight"] is not None:
        target = tf.convert_to_tensor(rows[1])
        weights = look_up_class_weights(target, arguments["class_weight"])
        rows = (*rows[:2], weights.numpy())
    if not arguments["shuffle"]:
        seed = None
    elif seed is None:
        seed = int(np.random.randint(2**31))
    size = arguments["batch_size"] or KERAS_BATCH
    arguments["validation_batch_size"] = arguments["validation_batch_size"] or size
    for name in ("y", "sample_weight", "class_weight", "batch_size"):
        arguments[name] = None
    arguments["validation_split"] = 0.0
    return RowFeed(_pack(rows), size, seed)


def _are_arrays(rows: tuple[Any, Any, Any]) -> bool:
    leaves = [leaf for leaf in tf.nest.flatten(rows) if leaf is not None]
    return (
        rows[0] is not None
        and all(isinstance(leaf, np.ndarray | tf.Tensor) for leaf in leaves)
        and all(leaf.ndim > 0 and len(leaf) > 0 for leaf in leaves)
        and len({len(leaf) for leaf in leaves}) == 1
        and all(np.asarray(leaf[:1]).dtype.kind not in "OSU" for leaf in leaves)
    )


def _slice_rows(rows: Any, part: slice) -> Any:
    return tf.nest.map_structure(
        lambda leaf: None if leaf is None else leaf[part], rows
    )


def _pack(rows: tuple[Any, Any, Any]) -> tuple[Any, ...]:
    """Pack x, y and sample weights as Keras does for `train_step`."""
    x, y, weight = rows
    if y is None:
        return (x,)
    return (x, y) if weight is None else (x, y, weight)


def _lists_to_tuples(rows: Any) -> Any:
    """Turn lists into tuples: tf.data would make one tensor of a list."""
    if isinstance(rows, list | tuple):
        return tuple(_lists_to_tuples(each) for each in rows)
    if isinstance(rows, dict):
        return {name: _lists_to_tuples(each) for name, each in rows.items()}
    return rows
