"""The base of layers that turn pairs of classes into classes."""

from typing import Any

import keras


class PairsOfClasses(keras.layers.Layer):
    """A layer with an input for each pair of classes and an output for each class.

    The last axis of the input holds the pairs (a, b) with a < b in lexicographic
    order: (0, 1), (0, 2), …, (1, 2), ….

    Args:
        num_classes: Number of classes k, an integer of at least 2.
        name: Name of the layer. Defaults to `None`: Keras chooses one.
        trainable: Has no effect: there are no weights. Defaults to `True`.
        dtype: Dtype or dtype policy. Defaults to `None`, the global policy.

    Raises:
        ValueError: If `num_classes` is not an integer of at least 2, or the size
            of the input's last axis is not k·(k − 1)/2 when the layer is built.
    """

    def __init__(
        self,
        num_classes: int,
        *,
        name: str | None = None,
        trainable: bool = True,
        dtype: str | keras.DTypePolicy | None = None,
    ) -> None:
        super().__init__(name=name, trainable=trainable, dtype=dtype)
        if (
            not isinstance(num_classes, int)
            or isinstance(num_classes, bool)
            or num_classes < 2
        ):
            raise ValueError(
                "`num_classes` should be an integer of at least 2. "
                f"Received: num_classes={num_classes!r}"
            )
        self.num_classes = num_classes

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Check that there is an input for each pair."""
        pairs = self.num_classes * (self.num_classes - 1) // 2
        if input_shape[-1] != pairs:
            raise ValueError(
                f"The last axis of the input should have size {pairs}, one for each "
                f"pair of {self.num_classes} classes. "
                f"Received: input_shape={input_shape}"
            )
        self.input_spec = keras.layers.InputSpec(min_ndim=2, axes={-1: pairs})
        self.built = True

    def compute_output_shape(
        self, input_shape: tuple[int | None, ...]
    ) -> tuple[int | None, ...]:
        """Return the input's shape with the last axis replaced by `num_classes`."""
        return (*input_shape[:-1], self.num_classes)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {**super().get_config(), "num_classes": self.num_classes}
