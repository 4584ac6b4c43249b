"""Classification by a neural network, with the cross-entropy for its loss."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from recipes.checks.labels import Array, class_factors
from recipes.checks.settings import configured_by, documented_by
from recipes.neural_network.config import ClassifierSettings
from recipes.neural_network.models.base import MultilayerPerceptron, mean
from recipes.neural_network.models.class_targets import ClassTargets, sort_classes
from recipes.neural_network.training.inputs import CheckedRows, check_rows


@keras.saving.register_keras_serializable("descent_recipes")
@documented_by(ClassifierSettings)
class MultilayerPerceptronClassifier(MultilayerPerceptron):
    """A neural network for classes, by the cross-entropy.

    A row's error is H(p, q) = −Σ pᵢ log qᵢ, with p the truth and q the softmax of the
    network's k outputs, computed from these scores themselves: the logarithm of a
    softmax would overflow. Two classes have one score, positive for the second class,
    and q is its sigmoid.

    Args:
        {arguments}

    Attributes:
        classes: The labels in ascending order, `[k]`; empty before `fit`, unless given.
        certificate: See `MultilayerPerceptron`; likewise `network`, `range_test`.

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
            self.classes = sort_classes(np.array(settings.classes))

    # The loss ------------------------------------------------------------------------

    @property
    def outputs_count(self) -> int:
        """As many as classes, or 1 for two."""
        return 1 if len(self.classes) == 2 else len(self.classes)

    def targets(self, y: Any, training: bool = False) -> tf.Tensor:
        """The truth p of a batch, `[b, k]`; of two classes the second's, `[b, 1]`.

        Args:
            y: Labels `[b]` or `[b, 1]`, or p itself, `[b, k]`.
            training: Whether to smooth it.
        """
        p = tf.cast(self._distribution(y), self.variable_dtype)
        if training and self.label_smoothing:
            p = (1 - self.label_smoothing) * p + self.label_smoothing / p.shape[1]
        return p[:, 1:] if len(self.classes) == 2 else p

    def errors(self, target: tf.Tensor, outputs: tf.Tensor) -> tf.Tensor:
        """H(p, q) = −Σ pᵢ log qᵢ of each row, `[b]`, from the scores."""
        scores = tf.cast(outputs, target.dtype)
        if len(self.classes) == 2:
            log_q = tf.math.log_sigmoid(scores)
            log_rest = tf.math.log_sigmoid(-scores)
            return -(target * log_q + (1 - target) * log_rest)[:, 0]
        return -tf.reduce_sum(target * tf.nn.log_softmax(scores), axis=1)

    def constant_error(self, mean: np.ndarray, square: np.ndarray) -> float:
        """The entropy of the classes' shares: what these alone leave."""
        p = mean if len(self.classes) > 2 else np.append(mean, 1 - mean)
        return float(-np.sum(p * np.log(p, where=p > 0, out=np.zeros_like(p))))

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> tf.Tensor:
        """H of a batch: labels `y` and scores `y_pred`, as `call` gives them."""
        errors = self.errors(self.targets(y, training), y_pred)
        return mean(errors, sample_weight) + self.penalty()

    def _update_score(self, target: Any, outputs: Any, weight: Any) -> None:
        if len(self.classes) == 2:
            right = (outputs[:, 0] > 0) == (target[:, 0] > 0.5)
        else:
            right = tf.argmax(outputs, axis=1) == tf.argmax(target, axis=1)
        self.score.update_state(tf.cast(right, target.dtype), weight)

    def _distribution(self, y: Any) -> tf.Tensor:
        """The truth p of a batch, of all k classes, `[b, k]`."""
        y = tf.convert_to_tensor(y)
        if y.shape.rank == 2 and y.shape[1] == len(self.classes):
            return y
        labels = tf.constant(self.classes)
        return tf.cast(tf.reshape(y, [-1, 1]), labels.dtype) == labels

    # The data ------------------------------------------------------------------------

    def prepare(
        self, x: Any, y: Any, sample_weight: Any, class_weight: Any = None
    ) -> CheckedRows:
        """The rows to train on, checked; the model is built for them.

        Args:
            x: As `fit`'s.
            y: Labels, integers or strings, `[n]` or `[n, 1]`, or their distribution,
                `[n, k]`, as one-hot rows.
            sample_weight: As `fit`'s.
            class_weight: `{label: factor}`, `"balanced"`, or `None`.
        """
        data = check_rows(x, y, sample_weight, self.variable_dtype)
        truth = ClassTargets(data.y)
        if not len(self.classes):
            self.classes = truth.find_classes()
        index = truth.find_class_index(self.classes)
        weight = np.ones(len(index)) if data.weight is None else data.weight
        counts = np.bincount(index, weight, minlength=len(self.classes))
        if np.count_nonzero(counts) < 2:
            alone = self.classes[counts > 0].tolist()
            raise ValueError(
                f"`y` should have at least two classes. Received: {alone} alone"
            )
        if not self.built:
            self.build((None, *data.row_shape))
        data = self._without_strings(data, truth, index)
        if class_weight is None and data.weight is None:
            return data
        counted = np.bincount(index[weight > 0], minlength=len(self.classes))
        factors = class_factors(class_weight, self.classes, counted.astype(np.float64))
        return self._with_weights(data, weight * factors[index], factors)

    def _without_strings(
        self, data: CheckedRows, truth: ClassTargets, index: Array
    ) -> CheckedRows:
        """With one-hot rows in place of strings, which XLA does not know."""
        if not truth.are_strings:
            return data
        if isinstance(data.x, tf.data.Dataset):
            return data._replace(
                x=data.x.map(lambda x, y, *s: (x, self._distribution(y), *s))
            )
        return data._replace(y=np.eye(len(self.classes), dtype=np.uint8)[index])

    def _with_weights(
        self, data: CheckedRows, weight: Array, factors: Array
    ) -> CheckedRows:
        """With the classes' weights, scaled so that the rows' mean weight is 1."""
        scale = weight.mean()
        if not isinstance(data.x, tf.data.Dataset):
            return data._replace(weight=weight / scale)
        each = tf.constant(factors / scale, self.variable_dtype)

        def weighted(x: Any, y: Any, s: Any = 1.0) -> tuple[Any, Any, Any]:
            of_class = tf.linalg.matvec(
                tf.cast(self._distribution(y), each.dtype), each
            )
            return x, y, of_class * tf.reshape(tf.cast(s, each.dtype), [-1])

        return data._replace(x=data.x.map(weighted))

    def _evaluation_rows(self, x: Any, y: Any, weight: Any) -> CheckedRows:
        data = check_rows(x, y, weight, self.variable_dtype)
        truth = ClassTargets(data.y)
        return self._without_strings(data, truth, truth.find_class_index(self.classes))

    # The fitted model ----------------------------------------------------------------

    def probabilities(self, inputs: Any) -> Any:
        """The probability of each class: `[batch, …]` → `[batch, k]`."""
        return _probabilities(self(inputs))

    def predict_classes(self, x: Any, **kwargs: Any) -> Array:
        """The label of each row, `[n]`; `kwargs` are those of `predict`."""
        scores = self.predict(x, **kwargs)
        two = scores.shape[1] == 1
        index = (scores[:, 0] > 0).astype(int) if two else scores.argmax(axis=1)
        return self.classes[index]

    def _served(self, outputs: Any) -> Any:
        return {"scores": outputs, "probabilities": _probabilities(outputs)}

    # Keras ---------------------------------------------------------------------------

    def build(self, input_shape: Any) -> None:
        """Creates the layers for rows of such a shape.

        Raises:
            ValueError: If the classes are not known yet.
        """
        if not len(self.classes):
            raise ValueError(
                "The classes should be known: call `fit`, or give `classes`."
            )
        super().build(input_shape)

    def get_build_config(self) -> dict[str, Any]:
        """The sizes that training found, and the labels."""
        config = super().get_build_config()
        return {**config, "classes": self.classes.tolist()} if config else config

    def build_from_config(self, config: dict[str, Any]) -> None:
        """Makes room for the weights of a trained model."""
        if config:
            self.classes = np.array(config["classes"])
        super().build_from_config(config)


def _probabilities(scores: Any) -> Any:
    if scores.shape[-1] > 1:
        return keras.ops.softmax(scores)
    # Not 1 − sigmoid(f), which rounds to 0 where f is large.
    return keras.ops.sigmoid(keras.ops.concatenate([-scores, scores], axis=-1))
