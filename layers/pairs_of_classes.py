"""What layers share that make something of each class of something of each pair."""

from typing import Any

import keras


class PairsOfClasses(keras.layers.Layer):
    """A layer from an input for each pair of classes to an output for each class.

    The last axis of the input holds the pairs (a, b) with a < b in lexicographic
    order: (0, 1), (0, 2), …, (1, 2), ….

    Args:
        num_classes: Number of classes k, an integer of at least 2.
        **kwargs: `name`, `dtype`, as in every `keras.layers.Layer`.

    Raises:
        ValueError: If `num_classes` is not an integer of at least 2, or the last axis
            of the input is not of size k·(k − 1)/2 when the layer is built.
    """

    def __init__(self, num_classes: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
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
        """Checks that there is an input for each pair."""
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
        """The input's shape with the last axis replaced by `num_classes`."""
        return (*input_shape[:-1], self.num_classes)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "num_classes": self.num_classes}
