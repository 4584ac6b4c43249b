"""Classification by a neural network that minimises the cross-entropy."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from recipes.checks.labels import Array, class_factors, to_array
from recipes.checks.settings import configured_by, documented_by
from recipes.neural_network.config import ClassifierSettings
from recipes.neural_network.models.base import MultilayerPerceptron, weighted_mean
from recipes.neural_network.models.class_targets import ClassTargets, sort_classes
from recipes.neural_network.training.inputs import CheckedRows, check_rows

_LEAST_SHARE = 1e-7  # of a class, where the logit is needed


@keras.saving.register_keras_serializable("descent_recipes")
@documented_by(ClassifierSettings)
class MultilayerPerceptronClassifier(MultilayerPerceptron):
    """A neural network for classification, by the cross-entropy.

    A row's error is H(p, q) = −Σ pᵢ log qᵢ, where p is the target distribution and q
    the softmax of the network's k outputs, the scores. It is computed from the scores,
    as the logarithm of a softmax may overflow. Two classes have one score, positive for
    the second class, and q is its sigmoid.

    Args:
        {arguments}

    Attributes:
        classes: The labels in ascending order, `[k]`; empty before `fit`, unless given.
        certificate: As in `MultilayerPerceptron`, like `network` and `range_test`.

    Raises:
        ValueError: If an argument is out of its range.

    Example:
    >>> x = np.array([[0.0, 0.0], [1.0, 1.0], [1.0, 0.0], [0.0, 1.0]])
    >>> y = ["same", "same", "other", "other"]
    >>> model = MultilayerPerceptronClassifier((8,), learning_rate=0.5)
    >>> history = model.fit(x, y, epochs=200, verbose=0)
    >>> model.predict_classes(x, verbose=0)
    array(['same', 'same', 'other', 'other'], dtype='<U5')

    Reference:
        The article, sections 3.3 and 4.3.
    """

    score_name = "accuracy"

    @configured_by(ClassifierSettings)
    def __init__(self, settings: ClassifierSettings) -> None:
        super().__init__(settings)
        self.classes: Array = np.empty(0)
        if settings.classes is not None:
            self.classes = sort_classes(to_array(settings.classes))

    # The loss ------------------------------------------------------------------------

    @property
    def output_count(self) -> int:
        """The number of classes, or 1 if there are two."""
        return 1 if len(self.classes) == 2 else len(self.classes)

    def encode_targets(self, y: Any, training: bool = False) -> tf.Tensor:
        """Return the distributions p of a batch, `[b, k]`, or of two classes `[b, 1]`.

        Args:
            y: Labels `[b]` or `[b, 1]`, or p itself, `[b, k]`.
            training: Whether to smooth the labels.
        """
        p = tf.cast(self._as_distribution(y), self.variable_dtype)
        if training and self.label_smoothing:
            p = (1 - self.label_smoothing) * p + self.label_smoothing / p.shape[1]
        return p[:, 1:] if len(self.classes) == 2 else p

    def compute_errors(self, target: tf.Tensor, outputs: tf.Tensor) -> tf.Tensor:
        """Return H(p, q) = −Σ pᵢ log qᵢ of each row, `[b]`, from the scores."""
        scores = tf.cast(outputs, target.dtype)
        if len(self.classes) == 2:
            log_q = tf.math.log_sigmoid(scores)
            log_rest = tf.math.log_sigmoid(-scores)
            return -(target * log_q + (1 - target) * log_rest)[:, 0]
        return -tf.reduce_sum(target * tf.nn.log_softmax(scores), axis=1)

    def compute_constant_error(self, mean: np.ndarray, square: np.ndarray) -> float:
        """Return the entropy of the class shares, the best constant prediction."""
        p = mean if len(self.classes) > 2 else np.append(mean, 1 - mean)
        return float(-np.sum(p * np.log(p, where=p > 0, out=np.zeros_like(p))))

    def find_constant_outputs(self, mean: np.ndarray) -> np.ndarray:
        """Return the logits of the class shares, `[k]`; no share is taken as 0."""
        p = np.clip(mean, _LEAST_SHARE, 1 - _LEAST_SHARE)
        return np.log(p) if len(self.classes) > 2 else np.log(p / (1 - p))

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> tf.Tensor:
        """Return H of a batch, from labels `y` and scores `y_pred`."""
        errors = self.compute_errors(self.encode_targets(y, training), y_pred)
        return weighted_mean(errors, sample_weight) + self.compute_penalty()

    def _update_score(self, target: Any, outputs: Any, weight: Any) -> None:
        if len(self.classes) == 2:
            is_right = (outputs[:, 0] > 0) == (target[:, 0] > 0.5)
        else:
            is_right = tf.argmax(outputs, axis=1) == tf.argmax(target, axis=1)
        self.score.update_state(tf.cast(is_right, target.dtype), weight)

    def _as_distribution(self, y: Any) -> tf.Tensor:
        """Return a distribution over all k classes for each row, `[b, k]`."""
        y = tf.convert_to_tensor(y)
        if y.shape.rank == 2 and y.shape[1] == len(self.classes):
            return y
        labels = tf.constant(self.classes)
        return tf.cast(tf.reshape(y, [-1, 1]), labels.dtype) == labels

    # The data ------------------------------------------------------------------------

    def prepare_training(
        self, x: Any, y: Any, sample_weight: Any, class_weight: Any = None
    ) -> CheckedRows:
        """Check the rows to train on, and build the model for them.

        Args:
            x: As for `fit`.
            y: Labels, integers or strings, `[n]` or `[n, 1]`, or distributions over the
                classes, `[n, k]`, such as one-hot rows.
            sample_weight: As for `fit`.
            class_weight: `{label: factor}`; `"balanced"` for n / (classes · rows of the
                class), where every row counts once, whatever its weight; or `None`.
        """
        data = check_rows(x, y, sample_weight, self.variable_dtype)
        targets = ClassTargets(data.y)
        if not len(self.classes):
            self.classes = targets.find_classes()
        index = targets.find_class_index(self.classes)
        weight = np.ones(len(index)) if data.weight is None else data.weight
        weight_sums = np.bincount(index, weight, minlength=len(self.classes))
        if np.count_nonzero(weight_sums) < 2:
            present = self.classes[weight_sums > 0].tolist()
            raise ValueError(
                f"`y` should have at least two classes. Received: {present} alone"
            )
        if not self.built:
            self.build((None, *data.row_shape))
        data = self._encode_strings(data, targets, index)
        if class_weight is None and data.weight is None:
            return data
        counts = np.bincount(index, minlength=len(self.classes))
        factors = class_factors(class_weight, self.classes, counts)
        return self._set_weights(data, weight * factors[index], factors)

    def prepare_evaluation(self, x: Any, y: Any, sample_weight: Any) -> CheckedRows:
        """Check rows to evaluate the network on.

        Args:
            x: As for `evaluate`.
            y: As for `evaluate`.
            sample_weight: As for `evaluate`.
        """
        data = check_rows(x, y, sample_weight, self.variable_dtype)
        targets = ClassTargets(data.y)
        index = targets.find_class_index(self.classes)
        return self._encode_strings(data, targets, index)

    def _encode_strings(
        self, data: CheckedRows, targets: ClassTargets, index: Array
    ) -> CheckedRows:
        """Replace strings, which XLA does not support, by one-hot rows."""
        if not targets.are_strings:
            return data
        if isinstance(data.x, tf.data.Dataset):
            return data._replace(
                x=data.x.map(lambda x, y, *s: (x, self._as_distribution(y), *s))
            )
        return data._replace(y=np.eye(len(self.classes), dtype=np.uint8)[index])

    def _set_weights(
        self, data: CheckedRows, weight: Array, factors: Array
    ) -> CheckedRows:
        """Replace the rows' weights, scaled to a mean of 1.

        Args:
            data: The rows; a dataset's weights do not yet include the factors.
            weight: The weights of all rows, factors included, `[n]`.
            factors: The factor of each class, `[k]`.
        """
        scale = weight.mean()
        if not isinstance(data.x, tf.data.Dataset):
            return data._replace(weight=weight / scale)
        scaled_factors = tf.constant(factors / scale, self.variable_dtype)

        def set_batch_weights(x: Any, y: Any, s: Any = 1.0) -> tuple[Any, Any, Any]:
            p = tf.cast(self._as_distribution(y), scaled_factors.dtype)
            s = tf.reshape(tf.cast(s, scaled_factors.dtype), [-1])
            return x, y, tf.linalg.matvec(p, scaled_factors) * s

        return data._replace(x=data.x.map(set_batch_weights))

    # The fitted model ----------------------------------------------------------------

    def probabilities(self, inputs: Any) -> Any:
        """Return the probability of each class: `[batch, …]` → `[batch, k]`."""
        return _to_probabilities(self(inputs))

    def predict_classes(self, x: Any, **kwargs: Any) -> Array:
        """Return the label of each row, `[n]`; `kwargs` are those of `predict`."""
        scores = self.predict(x, **kwargs)
        if scores.shape[1] == 1:
            return self.classes[(scores[:, 0] > 0).astype(int)]
        return self.classes[scores.argmax(axis=1)]

    def _convert_outputs(self, outputs: Any) -> Any:
        return {"scores": outputs, "probabilities": _to_probabilities(outputs)}

    # Keras ---------------------------------------------------------------------------

    def build(self, input_shape: Any) -> None:
        """Create the layers.

        Args:
            input_shape: `(batch, …)`, the shape of a batch of rows.

        Raises:
            ValueError: If the classes are not known yet.
        """
        if not len(self.classes):
            raise ValueError(
                "The classes are not known yet: call `fit`, or give `classes`."
            )
        super().build(input_shape)

    def get_build_config(self) -> dict[str, Any]:
        """Return the shape of a row, and the labels."""
        config = super().get_build_config()
        return {**config, "classes": self.classes.tolist()} if config else config

    def build_from_config(self, config: dict[str, Any]) -> None:
        """Create the weights of a trained model, before they are loaded."""
        if config:
            self.classes = np.array(config["classes"])
        super().build_from_config(config)


def _to_probabilities(scores: Any) -> Any:
    if scores.shape[-1] > 1:
        return keras.ops.softmax(scores)
    # Not 1 − sigmoid(f), which rounds to 0 if f is large.
    return keras.ops.sigmoid(keras.ops.concatenate([-scores, scores], axis=-1))
