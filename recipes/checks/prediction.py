"""Prediction for rows that are checked first."""

from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from recipes.checks import inputs
from recipes.checks.sparse import make_batches

if TYPE_CHECKING:
    from keras import Model as _Model
else:
    _Model = object


class ChecksRows(_Model):
    """Mixin, before `keras.Model`: `predict` takes the rows that `fit` takes.

    Rows that no model can judge, of another width, without numbers, NaN or none at all,
    raise a `ValueError` of one sentence. Calling the model is not affected.

    Attributes:
        prediction_batch_size: Rows of arrays in a batch of `predict`, by default.
    """

    prediction_batch_size = 1024

    @property
    def row_shape(self) -> tuple[int, ...]:
        """The shape of the rows that the model was fitted to.

        Raises:
            ValueError: If the model is not fitted.
        """
        raise NotImplementedError

    @property
    def row_dtype(self) -> str:
        """The dtype that rows are converted to."""
        return str(self.variable_dtype)

    def predict(
        self, x: Any, batch_size: int | None = None, **kwargs: Any
    ) -> np.ndarray:
        """Predict as Keras does, for rows that are checked.

        Args:
            x: Rows as `fit` takes them: an array, nested lists, a data frame, a SciPy
                sparse array (a batch is made dense at a time), or a `tf.data.Dataset`
                of batches.
            batch_size: Rows in a batch of arrays. Defaults to
                `prediction_batch_size`.
            **kwargs: `verbose`, `callbacks`, … of `keras.Model.predict`.

        Raises:
            ValueError: If the rows have another shape than those of `fit`, hold
                anything but finite numbers, or are none.
        """
        with inputs.checked_rows(x, self.row_shape, self.row_dtype) as rows:
            if not isinstance(rows, tf.data.Dataset):
                # Keras rounds arrays to its own dtype, but no datasets.
                size = batch_size or self.prediction_batch_size
                rows, batch_size = make_batches(rows, size), None
            return super().predict(rows, batch_size=batch_size, **kwargs)

    def predict_on_batch(self, x: Any) -> np.ndarray:
        """Predict one batch of rows, which are checked as in `predict`."""
        rows = inputs.check_new_rows(x, self.row_shape, self.row_dtype)
        return super().predict_on_batch(rows)
