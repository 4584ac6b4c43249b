"""The arguments of `fit`, turned into feeds of batches."""

import math
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from recipes.fast_fit.feed import DatasetFeed, RowFeed, round_up
from recipes.fast_fit.obstacles import Obstacle

KERAS_BATCH = 32


def build_training_feed(
    arguments: dict[str, Any], seed: int | None
) -> DatasetFeed | RowFeed:
    """Build the feed of training batches, and reset the arguments that it implements.

    Args:
        arguments: The arguments of `fit`, by name. The rows of a `validation_split`
            become `validation_data`.
        seed: Seed of the order of arrays' rows; `None` draws one from NumPy's global
            generator.

    Raises:
        Obstacle: If the arguments should go to Keras unchanged.
    """
    x, weights = arguments["x"], arguments["class_weight"]
    if isinstance(x, tf.data.Dataset):
        if weights is not None:
            if type(x.element_spec) is not tuple or len(x.element_spec) != 2:
                raise Obstacle("`class_weight` needs batches (x, y)")
            _check_targets_to_weight(x.element_spec[1])
            arguments["class_weight"] = None
            x = x.map(lambda x, y: (x, y, look_up_class_weights(y, weights)))
        return DatasetFeed(x, arguments["steps_per_epoch"])
    rows = _lists_to_tuples((x, arguments["y"], arguments["sample_weight"]))
    _check_arrays(rows)
    if arguments["steps_per_epoch"] is not None:
        raise Obstacle("`steps_per_epoch` is given with arrays")
    if weights is not None:
        _check_targets_to_weight(rows[1])
        if rows[2] is not None:
            raise Obstacle("`class_weight` and `sample_weight` are both given")
    if tf.nest.is_nested(rows[1]) and rows[2] is not None:
        raise Obstacle("`sample_weight` is given for several outputs")
    return _build_row_feed(rows, arguments, seed)


def build_validation_feed(
    data: Any, batch_size: int | None, steps: int | None, count: int
) -> DatasetFeed | RowFeed:
    """Build the feed of validation batches from the arguments of `fit`.

    Args:
        data: `validation_data`.
        batch_size: `validation_batch_size`.
        steps: `validation_steps`.
        count: Batches that Keras would take at a time.

    Raises:
        Obstacle: If they should go to Keras unchanged.
    """
    if isinstance(data, tf.data.Dataset):
        size = int(data.cardinality())
        if steps and size >= 0 and size < steps:
            raise Obstacle("`validation_steps` exceeds the data")
        return DatasetFeed(data.take(round_up(steps, count)) if steps else data)
    if not isinstance(data, tuple | list) or len(data) not in (2, 3):
        raise Obstacle("`validation_data` should be (x, y) or (x, y, sample_weight)")
    rows = _lists_to_tuples([*data, None][:3])
    _check_arrays(rows)
    if tf.nest.is_nested(rows[1]) and rows[2] is not None:
        raise Obstacle("`sample_weight` is given for several outputs")
    size = batch_size or KERAS_BATCH
    if steps and (steps - 1) * size >= len(tf.nest.flatten(rows)[0]):
        raise Obstacle("`validation_steps` exceeds the data")
    kept = slice(round_up(steps, count) * size if steps else None)
    return RowFeed(_pack(_slice_rows(rows, kept)), size)


def weigh_classes(
    y: npt.NDArray[Any], class_weight: Mapping[int, float]
) -> npt.NDArray[Any]:
    """Return each row's weight by its class, as Keras does for arrays.

    Args:
        y: Classes [n] or [n, 1], of any dtype, or one-hot [n, k].
        class_weight: Weight of each class; 1 for classes without one.

    Returns:
        The weights [n], of Keras's float type.
    """
    is_one_hot = y.ndim > 1 and y.shape[-1] != 1
    classes = y.argmax(axis=-1) if is_one_hot else np.round(y.reshape(-1))
    values, places = np.unique(classes.astype(np.int32), return_inverse=True)
    weights = [class_weight.get(int(value), 1.0) for value in values]
    return np.array(weights, keras.config.floatx())[places]


def look_up_class_weights(y: tf.Tensor, class_weight: Mapping[int, float]) -> tf.Tensor:
    """Return each row's weight by its class, as Keras does for data sets.

    Args:
        y: Classes [n] or [n, 1], or one-hot [n, k].
        class_weight: Weight of each class; 1 for lower classes without one.

    Returns:
        The weights [n].

    Raises:
        tf.errors.InvalidArgumentError: If a class is negative, or higher than all that
            have a weight.
    """
    if y.ndim > 1 and y.shape[-1] != 1:
        classes = tf.argmax(y, axis=-1, output_type=tf.int32)
    else:
        classes = tf.cast(tf.round(tf.reshape(y, [-1])), tf.int32)
    table = [class_weight.get(each, 1.0) for each in range(max(class_weight) + 1)]
    return tf.gather(tf.constant(table, keras.config.floatx()), classes)


def _check_targets_to_weight(y: Any) -> None:
    if y is None or tf.nest.is_nested(y) or len(y.shape) > 2:
        raise Obstacle("`class_weight` needs targets [n], [n, 1] or [n, k]")


def _build_row_feed(rows: Any, arguments: dict[str, Any], seed: int | None) -> Any:
    share, total = arguments["validation_split"], len(tf.nest.flatten(rows)[0])
    if share and arguments["validation_data"] is None:
        kept = math.floor(total * (1 - share))
        if not 0 < kept < total:
            raise Obstacle("`validation_split` leaves a part without rows")
        arguments["validation_data"] = _pack(_slice_rows(rows, slice(kept, None)))
        rows = _slice_rows(rows, slice(kept))
    if arguments["class_weight"] is not None:
        weights = weigh_classes(np.asarray(rows[1]), arguments["class_weight"])
        rows = (*rows[:2], weights)
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


def _check_arrays(rows: Any) -> None:
    leaves = [leaf for leaf in tf.nest.flatten(rows) if leaf is not None]
    if rows[0] is None or not all(
        isinstance(leaf, np.ndarray | tf.Tensor) for leaf in leaves
    ):
        raise Obstacle("its data are neither NumPy arrays or tensors nor a data set")
    if any(leaf.ndim == 0 or len(leaf) == 0 for leaf in leaves):
        raise Obstacle("its data have no rows")
    if len({len(leaf) for leaf in leaves}) > 1:
        raise Obstacle("its arrays differ in the number of rows")
    if any(np.asarray(leaf[:1]).dtype.kind in "OSU" for leaf in leaves):
        raise Obstacle("its arrays hold strings or objects")


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
