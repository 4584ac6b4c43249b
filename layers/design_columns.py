"""The layer that builds the columns of a design matrix."""

from typing import Any

import keras


@keras.saving.register_keras_serializable("descent_recipes")
class DesignColumns(keras.layers.Layer):
    """Selects columns, and encodes the levels of categorical ones by 0 and 1.

    For an input `x` of shape `(..., columns)` the layer computes

    ```python
    y[..., j] = x[..., source[j]]                          # where level[j] < 0
    y[..., j] = 1 if x[..., source[j]] == level[j] else 0  # elsewhere
    ```

    So one layer drops columns (those that are not the source of any output) and
    encodes category codes one-hot, with an output for each chosen level. A level
    without an output is the reference: all outputs of its column are 0, as they are
    for a missing value (NaN) and for an unknown code.

    Weights, not the config, hold the columns and levels, because these are learned
    from data. They are assigned once.

    Args:
        num_outputs: Number of output columns, a positive integer.
        name: Name of the layer. Defaults to `None`: Keras chooses one.
        trainable: Has no effect: no weight here is trained. Defaults to `True`.
        dtype: Dtype or dtype policy. Codes must be exact in it: float16 holds integers
            up to 2048. Defaults to `None`, the global policy.

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

    def __init__(
        self,
        num_outputs: int,
        *,
        name: str | None = None,
        trainable: bool = True,
        dtype: str | keras.DTypePolicy | None = None,
    ) -> None:
        super().__init__(name=name, trainable=trainable, dtype=dtype)
        if not isinstance(num_outputs, int) or num_outputs < 1:
            raise ValueError(
                "`num_outputs` should be a positive integer. "
                f"Received: num_outputs={num_outputs!r}"
            )
        self.num_outputs = num_outputs

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create `source` and `level`."""
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
        """Map `inputs` of shape `(..., columns)` to `(..., num_outputs)`."""
        picked = keras.ops.take(inputs, self.source, axis=-1)
        level = keras.ops.cast(self.level, picked.dtype)
        is_level = keras.ops.cast(keras.ops.equal(picked, level), picked.dtype)
        return keras.ops.where(level < 0, picked, is_level)

    def compute_output_shape(
        self, input_shape: tuple[int | None, ...]
    ) -> tuple[int | None, ...]:
        """Return the input's shape with the last axis replaced by `num_outputs`."""
        return (*input_shape[:-1], self.num_outputs)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {**super().get_config(), "num_outputs": self.num_outputs}
