"""Data sets of the TensorFlow Datasets catalogue, `tfds:NAME[/CONFIG][:VERSION]`.

`tensorflow_datasets` takes seconds to import and is an optional dependency, so it is
imported only when such a name is requested.
"""

import math
import os
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from recipes.checks.suggestions import suggest
from recipes.errors import InputError, quote, shorten
from recipes.pipeline.datasets import source
from recipes.pipeline.datasets.description import Column
from recipes.pipeline.datasets.encoding import Levels
from recipes.pipeline.datasets.in_place_matrix import GrowingMatrix
from recipes.pipeline.datasets.precision import GrowingFeatures
from recipes.pipeline.datasets.source import Source

PREFIX = "tfds:"
_BATCH = 4096  # rows read at a time, fewer if they are large images
_BATCH_BYTES = 16 << 20


def read(value: str, target: str, flag: str) -> Source:
    """Load a data set of the catalogue, downloading and preparing it if needed.

    TFDS keeps its data in `TFDS_DATA_DIR`, by default in `~/tensorflow_datasets`.

    Args:
        value: `tfds:NAME[/CONFIG][:VERSION]`.
        target: Name of the target feature; if empty, the supervised one.
        flag: The flag with the value, for messages.

    Raises:
        InputError: TFDS is not installed, has no such data set, or cannot load it.
    """
    try:
        import tensorflow_datasets as tfds
    except ImportError as error:
        raise InputError(
            f"{flag}: {quote(value)} needs TensorFlow Datasets: "
            "pip install 'descent-recipes[tfds]'"
        ) from error
    name = value.removeprefix(PREFIX)
    folder = os.environ.get("TFDS_DATA_DIR")
    splits = {}
    try:
        splits["train"], info = tfds.load(
            name, split="train", data_dir=folder, with_info=True
        )
        if "test" in info.splits:
            splits["test"] = tfds.load(name, split="test", data_dir=folder)
    except tfds.core.DatasetNotFoundError as error:
        hint = suggest(_short_name(value), tfds.list_builders(), "'{}'")
        raise InputError(f"{flag}: TFDS has no data set {quote(name)}{hint}") from error
    except (ValueError, AssertionError, OSError, ImportError) as error:
        words = shorten(" ".join(str(error).split()), 200)
        raise InputError(f"{flag}: TFDS cannot load {quote(name)}: {words}") from error
    return read_splits(splits, info.features, info.supervised_keys, target, value)


def read_splits(
    splits: Mapping[str, tf.data.Dataset],
    features: Mapping[str, Any],
    supervised: Any,
    target: str,
    where: str,
) -> Source:
    """Read TFDS splits into memory.

    Args:
        splits: Datasets of dicts: "train" and, if it exists, "test".
        features: Their description by TFDS (`info.features`).
        supervised: Its (input, target) keys (`info.supervised_keys`), or `None`.
        target: Name of the target feature; if empty, the supervised one.
        where: The `--dataset` value, for messages.

    Raises:
        InputError: The target is not known, or a feature is not a single value, unless
            it is the only one and a vector or an image of fixed size.
    """
    leaves = {leaf.name: leaf for leaf in _flatten(features)}
    label, inputs = _choose_columns(leaves, supervised, target, where)
    shape = _check_shapes(inputs, label, where)
    arrays = {
        split: _read_arrays(rows, inputs, label) for split, rows in splits.items()
    }
    if not shape:
        columns = tuple(leaf.describe() for leaf in inputs)
    elif len(shape) == 1:
        columns = source.number_columns(*shape)
    else:
        columns = source.name_pixels(shape)
    rows = {
        split: source.check_rows(x, y, columns, label.name, f"{where} ({split})")
        for split, (x, y) in arrays.items()
    }
    return source.drop_useless_columns(
        Source(
            name=_short_name(where),
            where=where,
            tabular=not shape,
            columns=columns,
            target=label.describe(),
            train=rows["train"],
            test=rows.get("test"),
            image_shape=shape if len(shape) > 1 else (),
            notes=tuple(
                source.describe_blanks(
                    {leaf.name: leaf.texts for leaf in (*inputs, label) if leaf.texts}
                )
            ),
        )
    )


class _Leaf:
    """One feature of a TFDS data set: its place in an example, and its encoding.

    Attributes:
        texts: The levels met so far, if the feature holds texts.
    """

    def __init__(self, path: tuple[str, ...], feature: Any) -> None:
        self.path = path
        self.name = path[-1]
        self.shape = feature.shape
        self._classes: tuple[str, ...] = tuple(getattr(feature, "names", None) or ())
        self.texts = Levels() if feature.np_dtype in (object, np.str_) else None

    def decode(self, example: Any) -> npt.NDArray[Any]:
        """Return the numbers or codes of a batch, [b] or [b, d], NaN for a blank."""
        for key in self.path:
            example = example[key]
        if self.texts is not None:
            different, places = np.unique(example.astype(bytes), return_inverse=True)
            texts = [text.decode(errors="backslashreplace") for text in different]
            return self.texts.encode_all(texts)[places]
        values = np.asarray(example, np.float64)
        # TFDS writes −1 for an unknown class.
        return np.where(values < 0, np.nan, values) if self._classes else values

    def describe(self) -> Column:
        """Describe the feature; call this after its rows have been decoded."""
        levels = self._classes if self.texts is None else self.texts.texts
        kind = "categorical" if levels or self.texts is not None else "numeric"
        return Column(self.name, kind, levels=levels)  # type: ignore[arg-type]


def _flatten(
    features: Mapping[str, Any], path: tuple[str, ...] = ()
) -> Iterator[_Leaf]:
    # Sorted, because features read from the files of a data set have no fixed order.
    for key, feature in sorted(features.items()):
        if hasattr(feature, "items"):
            yield from _flatten(feature, (*path, key))
        else:
            yield _Leaf((*path, key), feature)


def _choose_columns(
    leaves: dict[str, _Leaf], supervised: Any, target: str, where: str
) -> tuple[_Leaf, list[_Leaf]]:
    """Choose the target and its predictors: TFDS's own, or all other features."""
    inputs, usual = supervised[:2] if supervised else (None, "")
    target = target or (usual if isinstance(usual, str) else "")
    if target not in leaves:
        if target and target != usual:
            raise source.missing_column_error(target, where, leaves)
        raise InputError(
            f"--target: {where} does not define what to predict; name one of "
            f"{source.quote_first_five(leaves)}"
        )
    if target == usual:
        keys = {inputs} if isinstance(inputs, str) else set(tf.nest.flatten(inputs))
        chosen = [leaf for leaf in leaves.values() if keys & set(leaf.path)]
    else:
        chosen = [leaf for leaf in leaves.values() if leaf.name != target]
    return leaves[target], chosen


def _check_shapes(inputs: list[_Leaf], label: _Leaf, where: str) -> tuple[int, ...]:
    """Return the shape of the only feature, (d,), (h, w) or (h, w, c), otherwise ()."""
    if not inputs:
        raise InputError(f"{where} has no feature columns besides the target")
    shape = inputs[0].shape if len(inputs) == 1 else ()
    if len(shape) > 1 and None in shape:
        raise InputError(
            f"{where}: the images in {quote(inputs[0].name)} have the shape "
            f"{list(shape)}, of unequal or unknown size; expected images of equal "
            "size, [height, width] or [height, width, channels]"
        )
    alone = 0 < len(shape) < 4 and None not in shape
    for leaf in [label] if alone else [label, *inputs]:
        if leaf.shape:
            raise InputError(
                f"{where}: feature {quote(leaf.name)} has the shape "
                f"{list(leaf.shape)}; expected single values, or as the only feature "
                "one vector [d] or one image [height, width] or [height, width, "
                "channels]"
            )
    return tuple(shape)


def _read_arrays(
    rows: tf.data.Dataset, inputs: list[_Leaf], label: _Leaf
) -> tuple[npt.NDArray[Any], npt.NDArray[np.float64]]:
    shape = inputs[0].shape if inputs[0].shape else (len(inputs),)
    features = GrowingFeatures(math.prod(shape))
    target = GrowingMatrix(1, np.float64)
    size = min(_BATCH, max(1, _BATCH_BYTES // (8 * features.width)))
    for batch in rows.batch(size).as_numpy_iterator():
        values = [leaf.decode(batch) for leaf in inputs]
        block = values[0] if inputs[0].shape else np.stack(values, axis=1)
        features.append(block.reshape(-1, features.width))
        target.append(label.decode(batch))
    return features.finish(), target.finish().reshape(-1)


def _short_name(value: str) -> str:
    return value.removeprefix(PREFIX).split("/")[0].split(":")[0]
