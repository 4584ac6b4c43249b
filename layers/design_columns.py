"""The layer that makes the columns of a design matrix."""

from typing import Any

import keras


@keras.saving.register_keras_serializable("descent_recipes")
class DesignColumns(keras.layers.Layer):
    """Picks columns, and tells levels of categorical ones by 0 and 1.

    For an input `x` of shape `(..., columns)` the layer computes

    ```python
    y[..., j] = x[..., source[j]]                          # where level[j] < 0
    y[..., j] = 1 if x[..., source[j]] == level[j] else 0  # elsewhere
    ```

    So one layer drops columns (those that are no output's source) and codes a column
    of category codes one-hot: an output for each level that is to have one. A level
    without an output is the reference: all of its column's outputs are 0, as they are
    for a blank (NaN) and for an unknown code.

    Which columns and levels is held by weights, not by the config, since it is
    learned from data. They are assigned once.

    Args:
        num_outputs: Number of output columns, a positive integer.
        **kwargs: `name`, `dtype`, as in every `keras.layers.Layer`. Codes must be
            exact in the dtype: float16 ends at 2048.

    Attributes:
        source: Non-trainable int32 weight of shape `(num_outputs,)`, zeros until
            assigned.
        level: Non-trainable int32 weight of shape `(num_outputs,)`, −1 until assigned.

    Raises:
        ValueError: If `num_outputs` is not a positive integer.

    Example:
    >>> layer = DesignColumns(3)
    >>> layer.build((None, 2))
    >>> layer.source.assign([1, 0, 0])
    >>> layer.level.assign([-1, 1, 2])
    >>> layer(keras.ops.array([[2.0, 7.5], [0.0, 8.5]]))
    array([[7.5, 0. , 1. ], [8.5, 0. , 0. ]], dtype=float32)
    """

    def __init__(self, num_outputs: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not isinstance(num_outputs, int) or num_outputs < 1:
            raise ValueError(
                "`num_outputs` should be a positive integer. "
                f"Received: num_outputs={num_outputs!r}"
            )
        self.num_outputs = num_outputs

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Creates `source` and `level`."""
        for name, initial in (("source", 0), ("level", -1)):
            weight = self.add_weight(
                name=name,
                shape=(self.num_outputs,),
                dtype="int32",
                initializer=keras.initializers.Constant(initial),
                trainable=False,
            )
            setattr(self, name, weight)
        self.built = True

    def call(self, inputs: Any) -> Any:
        """Maps `inputs` of shape `(..., columns)` to `(..., num_outputs)`."""
        picked = keras.ops.take(inputs, self.source, axis=-1)
        level = keras.ops.cast(self.level, picked.dtype)
        is_level = keras.ops.cast(keras.ops.equal(picked, level), picked.dtype)
        return keras.ops.where(level < 0, picked, is_level)

    def compute_output_shape(
        self, input_shape: tuple[int | None, ...]
    ) -> tuple[int | None, ...]:
        """The input's shape with the last axis replaced by `num_outputs`."""
        return (*input_shape[:-1], self.num_outputs)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "num_outputs": self.num_outputs}
