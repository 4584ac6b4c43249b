"""The base of both networks: a Keras model trained by stochastic gradient descent."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from recipes.checks.arguments import check_count, listed
from recipes.checks.prediction import ChecksRows
from recipes.errors import DivergenceError
from recipes.fast_fit import FastFit
from recipes.neural_network.config import NetworkSettings
from recipes.neural_network.models.architecture import build_network, connect
from recipes.neural_network.models.argument_checks import (
    check_activation,
    check_optimizer,
)
from recipes.neural_network.models.augmentation import Augmentation
from recipes.neural_network.training.callbacks import (
    DivergenceGuard,
    SynchronizeRandomState,
)
from recipes.neural_network.training.certificate import (
    certify,
    has_learned,
    warn_of_nothing_learned,
)
from recipes.neural_network.training.inputs import CheckedRows, make_batches
from recipes.neural_network.training.learning_rate import RangeTest, set_learning_rate

EVALUATION_BATCH_SIZE = 1024
IMAGE_DROPOUT = 0.2  # if it is "auto"


class MultilayerPerceptron(ChecksRows, FastFit, keras.Model):
    """h = g(x·W₁ + b₁), …, f(x) = h·Wₖ + bₖ, trained by stochastic gradient descent.

    The objective is the mean error of the training rows, as the subclass defines it,
    plus optional penalties:

        H(θ) = 1/n Σ sᵢ·error(xᵢ, yᵢ) + l2·Σ w² + l1·Σ |w|

    The sample weights s are scaled to a mean of 1; penalties apply to kernels, not to
    biases. Each step is θ ← θ − α ∂H/∂θ with the gradient of one batch. Fitting again
    continues from the current weights.

    Scale the features to similar size first, as the recipe does.

    Args:
        settings: The arguments, documented in the subclasses.

    Attributes:
        network: The layers, once built: a `keras.Sequential`, or with a skip layer a
            `keras.Model`.
        certificate: After `fit`, a dict: `converged` (whether early stopping ended the
            training, and the network has learned anything), `stop_reason` (`"epochs"`,
            `"early_stopping"`, `"diverged"`, or `"interrupted"` if another callback
            stopped it), `epochs`, `best_epoch` (from 1, by the validation loss if there
            is one), `final_train_loss` (of the training rows, without dropout and
            augmentation, in float64 from the outputs), `relative_train_loss` (the error
            relative to that of the best constant prediction: at 1 or more, nothing was
            learned), `learned`, the results of `gradient_check.check_gradient`,
            `certified_optimum`, which is False, and `statement`, which says why.
        range_test: After `fit` with `learning_rate="auto"`, the result of the range
            test.
    """

    score_name: str

    def __init__(self, settings: NetworkSettings) -> None:
        super().__init__(**settings.keras_arguments())
        check_activation(settings.activation)
        check_optimizer(settings.optimizer, settings.momentum)
        self._arguments = settings.hyperparameters()
        # Keras's `optimizer` is an object; the labels may come from the data.
        self._stored = [n for n in self._arguments if n not in ("optimizer", "classes")]
        for name in self._stored:
            setattr(self, name, self._arguments[name])
        self.shuffle_seed = settings.seed
        # On a CPU, TensorFlow's convolutions take a third of the time of XLA's.
        self.fast_fit = settings.architecture != "cnn"
        self.augmentation = Augmentation(
            settings.noise,
            settings.mixup,
            settings.shift,
            settings.seed,
            dtype=self.dtype_policy,
            name="augmentation",
        )
        self.network: Any = None
        self.score = keras.metrics.Mean(name=self.score_name)
        self.certificate: dict[str, Any] = {}
        self.range_test: RangeTest | None = None
        self.compile()

    # Implemented by the subclasses ---------------------------------------------------

    def encode_targets(self, y: Any, training: bool = False) -> tf.Tensor:
        """Return the outputs that the network should give for a batch's `y`, `[b, k]`.

        Args:
            y: The targets, as `fit` takes them.
            training: Whether they are to train on.
        """
        raise NotImplementedError

    def compute_errors(self, target: tf.Tensor, outputs: tf.Tensor) -> tf.Tensor:
        """Return each row's error, `[b]`.

        Args:
            target: Encoded targets, `[b, k]`.
            outputs: The network's outputs, `[b, k]`.
        """
        raise NotImplementedError

    def compute_constant_error(self, mean: np.ndarray, square: np.ndarray) -> float:
        """Return the mean error of the best constant prediction.

        Args:
            mean: The mean of the encoded targets, `[k]`.
            square: The mean of their squares, `[k]`.
        """
        raise NotImplementedError

    def find_constant_outputs(self, mean: np.ndarray) -> np.ndarray:
        """Return the outputs of a network that predicts the same for every row, `[k]`.

        Args:
            mean: What it predicts: the mean of the encoded targets, `[k]`.
        """
        raise NotImplementedError

    def prepare_training(
        self, x: Any, y: Any, sample_weight: Any, class_weight: Any = None
    ) -> CheckedRows:
        """Check the rows to train on, and build the model for them."""
        raise NotImplementedError

    def prepare_evaluation(self, x: Any, y: Any, sample_weight: Any) -> CheckedRows:
        """Check rows to evaluate the network on."""
        raise NotImplementedError

    @property
    def output_count(self) -> int:
        """The number of the network's outputs, k."""
        raise NotImplementedError

    def _update_score(self, target: Any, outputs: Any, weight: Any) -> None:
        """Update the metric `score`."""
        raise NotImplementedError

    def _convert_outputs(self, outputs: Any) -> Any:
        """Return the predictions to serve, from the network's outputs."""
        raise NotImplementedError

    # Training ------------------------------------------------------------------------

    def train_step(self, data: Any) -> dict[str, tf.Tensor]:
        """Take a step θ ← θ − α ∂H/∂θ, with the gradient of one batch.

        Returns:
            Loss and metrics, averaged over the epoch so far.
        """
        x, y, weight = keras.utils.unpack_x_y_sample_weight(data)
        target = self.encode_targets(y, training=True)
        x, target, weight = self.augmentation(x, target, weight)
        with tf.GradientTape() as tape:
            outputs = self.network(x, training=True)
            errors = self.compute_errors(target, outputs)
            loss = weighted_mean(errors, weight) + self.compute_penalty()
        gradients = tape.gradient(loss, self.trainable_variables)
        self.optimizer.apply(gradients, self.trainable_variables)
        return self._update_metrics(x, target, outputs, errors, weight)

    def test_step(self, data: Any) -> dict[str, tf.Tensor]:
        """Update loss and metrics with one batch."""
        x, y, weight = keras.utils.unpack_x_y_sample_weight(data)
        target = self.encode_targets(y)
        outputs = self.network(x, training=False)
        errors = self.compute_errors(target, outputs)
        return self._update_metrics(x, target, outputs, errors, weight)

    def compute_penalty(self) -> Any:
        """Return l2·Σ w² + l1·Σ |w| over all kernels."""
        total: Any = 0.0
        kernels = [v for v in self.network.trainable_variables if v.name == "kernel"]
        if self.l2:
            total += self.l2 * sum(tf.reduce_sum(tf.square(w)) for w in kernels)
        if self.l1:
            total += self.l1 * sum(tf.reduce_sum(tf.abs(w)) for w in kernels)
        return total

    def training_loss(self, x: Any, y: Any, weight: Any = None) -> tf.Tensor:
        """Return H of a batch as in a training step, but without augmentation."""
        outputs = self.network(x, training=True)
        errors = self.compute_errors(self.encode_targets(y, training=True), outputs)
        return weighted_mean(errors, weight) + self.compute_penalty()

    def _update_metrics(
        self, x: Any, target: Any, outputs: Any, errors: Any, weight: Any
    ) -> dict[str, tf.Tensor]:
        # One value per row, so that a smaller last batch counts for less.
        self._loss_tracker.update_state(errors + self.compute_penalty(), weight)
        self._update_score(target, outputs, weight)
        return self.compute_metrics(x, target, outputs, weight)

    def fit(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int = 32,
        epochs: int = 10,
        verbose: Any = "auto",
        callbacks: Any = None,
        validation_data: Any = None,
        shuffle: bool = True,
        *,
        sample_weight: Any = None,
        class_weight: Any = None,
        initial_epoch: int = 0,
    ) -> keras.callbacks.History:
        """Train the network.

        Args:
            x: `[n, d]`, `[n, h, w]` or `[n, h, w, c]`; or a `tf.data.Dataset` of
                batches `(x, y)` or `(x, y, sample_weight)`, which should shuffle
                itself. It is read once before the first epoch, to check it.
            y: `[n]` or `[n, 1]`: numbers for a regressor; integers or strings for a
                classifier, or distributions over the classes `[n, k]`, such as one-hot
                rows.
            batch_size: Rows in a batch of arrays.
            epochs: Number of the last epoch.
            verbose: As in Keras.
            callbacks: As in Keras.
            validation_data: `(x, y)`, `(x, y, sample_weight)`, or a dataset of batches.
            shuffle: Whether the rows of arrays are reordered for each epoch.
            sample_weight: `[n]`, not negative.
            class_weight: For a classifier: `{label: factor}`, with 1 for labels that
                are omitted, or `"balanced"`, n / (classes · rows of the class), rows of
                weight 0 included.
            initial_epoch: As in Keras.

        Returns:
            Keras's `History`.

        Raises:
            ValueError: If the data are not as documented.
            DivergenceError: If the loss becomes NaN or infinite; a `ValueError` too.
                The weights are then restored to those before the epoch.

        Warns:
            ConvergenceWarning: If the network does no better on the training rows than
                the best constant prediction.
        """
        check_count(batch_size=batch_size, epochs=epochs)
        data = self.prepare_training(x, y, sample_weight, class_weight)
        epoch = tf.Variable(initial_epoch, dtype=tf.int64, trainable=False)
        seed = self.seed if shuffle else None
        training = self.batch_rows(data, batch_size, seed, epoch)
        arguments: dict[str, Any] = {"x": training, "shuffle": False}
        if self._can_pass_arrays(data):  # in the same order, and faster
            arrays = {"x": data.x, "y": data.y, "sample_weight": data.weight}
            arguments = {**arrays, "batch_size": batch_size, "shuffle": shuffle}
        set_learning_rate(self, training, epochs, initial_epoch)
        user_callbacks = listed(callbacks)
        synchronize = SynchronizeRandomState(epoch, self.list_generators())
        guard = DivergenceGuard(data.largest_feature)
        try:
            history = super().fit(
                **arguments,
                **self._prepare_validation(validation_data),
                epochs=epochs,
                verbose=verbose,
                callbacks=[guard, *user_callbacks, synchronize],
                initial_epoch=initial_epoch,
            )
        except DivergenceError:
            self.certificate = {"converged": False, "stop_reason": "diverged"}
            raise
        self.certificate = certify(self, data, training, history, user_callbacks)
        if not has_learned(self.certificate):
            warn_of_nothing_learned(
                self.certificate, self.learning_rate, data.largest_feature
            )
        return history

    def batch_rows(
        self,
        rows: CheckedRows,
        batch_size: int,
        seed: int | None = 0,
        epoch: tf.Variable | None = None,
    ) -> tf.data.Dataset:
        """Return checked rows in batches as `train_step` takes them.

        Args:
            rows: From `prepare_training` or `prepare_evaluation`.
            batch_size: Rows in a batch of arrays.
            seed: The seed that, with the epoch, determines the order of arrays' rows;
                `None` keeps the given order.
            epoch: int64 scalar, the number of the epoch that begins.
        """
        if isinstance(rows.x, tf.data.Dataset):
            return rows.x
        columns = [rows.x, rows.y]
        if rows.weight is not None:
            columns.append(rows.weight.astype(self.variable_dtype))
        return make_batches(tuple(columns), batch_size, seed, epoch)

    def _prepare_validation(self, data: Any) -> dict[str, Any]:
        """Return the arguments of Keras's `fit` for the validation data."""
        if data is None:
            return {}
        columns = data if isinstance(data, tuple) else (data,)
        rows = self.prepare_evaluation(*(*columns, None, None)[:3])
        if self._can_pass_arrays(rows):
            return {
                "validation_data": (rows.x, rows.y, rows.weight),
                "validation_batch_size": EVALUATION_BATCH_SIZE,
            }
        return {"validation_data": self.batch_rows(rows, EVALUATION_BATCH_SIZE, None)}

    def _can_pass_arrays(self, rows: CheckedRows) -> bool:
        """Return whether Keras may take the arrays: it converts floats to float32."""
        return isinstance(rows.x, np.ndarray) and self.variable_dtype == "float32"

    # The fitted model ----------------------------------------------------------------

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Map `inputs` of shape `[batch, …]` to the network's outputs `[batch, k]`."""
        return self._require_network()(inputs, training=training)

    def evaluate(
        self,
        x: Any = None,
        y: Any = None,
        *,
        sample_weight: Any = None,
        _use_cached_eval_dataset: bool = False,
        **kwargs: Any,
    ) -> Any:
        """Return loss and metrics, as in Keras; takes the data that `fit` takes."""
        self._require_network()
        if _use_cached_eval_dataset:  # `fit` has prepared the rows
            return super().evaluate(x, y, _use_cached_eval_dataset=True, **kwargs)
        rows = self.prepare_evaluation(x, y, sample_weight)
        return super().evaluate(
            self.batch_rows(rows, EVALUATION_BATCH_SIZE, None), **kwargs
        )

    @property
    def row_shape(self) -> tuple[int, ...]:
        """The shape of a row."""
        return tuple(self._require_network().input_shape[1:])

    def inference_model(self) -> keras.Model:
        """Return the model to serve: from feature rows to predictions.

        Returns:
            A functional model that shares this one's layers, without dropout.
        """
        network = self._require_network()
        inputs = keras.Input(network.input_shape[1:], dtype=self.compute_dtype)
        kept = (
            layer
            for layer in network.layers
            if not isinstance(layer, keras.layers.Dropout)
        )
        outputs = self._convert_outputs(connect(kept, inputs))
        return keras.Model(inputs, outputs, name=self.name)

    def copy_to_float64(self) -> Any:
        """Return a copy in float64, without dropout and augmentation."""
        changes = {"dropout": 0.0, "noise": 0.0, "mixup": 0.0, "shift": 0}
        config = {**self.get_config(), **changes, "dtype": "float64"}
        copy = type(self).from_config(config)
        copy.build_from_config(self.get_build_config())
        copy.set_weights(self.get_weights())
        return copy

    def _require_network(self) -> Any:
        """Return the network.

        Raises:
            ValueError: If the model is not fitted.
        """
        if self.network is None:
            raise ValueError(f"{type(self).__name__} is not fitted yet: call `fit`.")
        return self.network

    # Keras ---------------------------------------------------------------------------

    def build(self, input_shape: Any) -> None:
        """Create the layers.

        Args:
            input_shape: `(batch, …)`, the shape of a batch of rows.
        """
        self.network = self._build_layers(tuple(input_shape[1:]), self.seed)
        self.built = True

    def draw_weights(self, number: int) -> list[np.ndarray]:
        """Return initial weights of the network from another seed.

        Args:
            number: Which draw, from 0; it and the model's seed determine the weights.
        """
        seed = np.random.SeedSequence((self.seed, number)).generate_state(1).item()
        drawn = self._build_layers(self.row_shape, seed)
        return list(drawn.get_weights())

    def _build_layers(self, row_shape: tuple[int, ...], seed: int) -> keras.Model:
        has_images = len(row_shape) > 1
        dropout = self.dropout
        if dropout == "auto":
            dropout = IMAGE_DROPOUT if has_images else 0.0
        return build_network(
            architecture=self.architecture,
            row_shape=row_shape,
            outputs=self.output_count,
            hidden_sizes=self.hidden_sizes,
            activation=self.activation,
            batch_normalization=self.batch_normalization,
            dropout=dropout,
            skip_layer=self.skip_layer and not has_images,
            seed=seed,
            dtype=self.dtype_policy,
        )

    def list_generators(self) -> list[Any]:
        """Return the random generators of dropout and augmentation."""
        return [
            *self.augmentation.generators.values(),
            *(
                layer.seed_generator
                for layer in self.network.layers
                if isinstance(layer, keras.layers.Dropout)
            ),
        ]

    def compile(self, optimizer: Any = None, **kwargs: Any) -> None:
        """Set the optimiser and Keras's options.

        Args:
            optimizer: A Keras optimiser or its name; `None` for that of the
                constructor's arguments.
            **kwargs: `metrics`, … of `keras.Model.compile`, but no `loss`: the model
                has its own.
        """
        if kwargs.pop("loss", None) is not None:
            raise ValueError(
                "`loss` should be omitted: the model has its own, to which the "
                "certificate refers."
            )
        if self.architecture == "cnn":
            kwargs.setdefault("jit_compile", False)  # as for `fast_fit`
        # Losses are float32 even if the layers compute in float16.
        kwargs.setdefault("auto_scale_loss", False)
        super().compile(optimizer=optimizer or self._build_optimizer(), **kwargs)

    def _build_optimizer(self) -> keras.optimizers.Optimizer:
        """Return the optimiser of the constructor's arguments."""
        rate = 0.01 if self.learning_rate == "auto" else self.learning_rate
        options: dict[str, Any] = {
            "learning_rate": rate,
            "weight_decay": self.weight_decay or None,
        }
        name = self._arguments["optimizer"]
        if name.lower() == "sgd":
            options |= {"momentum": float(self.momentum), "nesterov": self.nesterov}
        return type(keras.optimizers.get(name))(**options)

    def compile_from_config(self, config: dict[str, Any]) -> None:
        """Restore the optimiser, with its current learning rate."""
        if config.get("optimizer") is not None:
            self.compile(**keras.saving.deserialize_keras_object(config))
            self.optimizer.build(self.trainable_variables)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        stored = {name: getattr(self, name) for name in self._stored}
        return {
            "name": self.name,
            "dtype": keras.dtype_policies.serialize(self.dtype_policy),
            "trainable": self.trainable,
            **{
                name: list(value) if isinstance(value, tuple) else value
                for name, value in {**self._arguments, **stored}.items()
            },
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Any:
        """Build the model from its config, without weights."""
        return cls(**config)

    def get_build_config(self) -> dict[str, Any]:
        """Return the shape of a row."""
        if self.network is None:
            return {}
        return {"row_shape": list(self.network.input_shape[1:])}

    def build_from_config(self, config: dict[str, Any]) -> None:
        """Create the weights of a trained model, before they are loaded."""
        if config:
            self.build((None, *config["row_shape"]))


def weighted_mean(errors: tf.Tensor, weight: Any) -> tf.Tensor:
    """Return 1/b Σ sᵢ·errorᵢ over a batch of b rows.

    The divisor is not the batch's Σ sᵢ: over many batches that would give a rare row of
    large weight less than its share.
    """
    if weight is not None:
        errors = tf.cast(tf.reshape(weight, [-1]), errors.dtype) * errors
    return tf.reduce_mean(errors)
