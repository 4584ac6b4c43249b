"""What both networks are: Keras models that stochastic gradient descent trains."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from recipes.checks.arguments import check_count, listed
from recipes.errors import DivergenceError
from recipes.fast_fit import FastFit
from recipes.neural_network.config import NetworkSettings
from recipes.neural_network.models.architecture import build_network
from recipes.neural_network.models.argument_checks import (
    check_activation,
    check_optimizer,
)
from recipes.neural_network.models.augmentation import Augmentation
from recipes.neural_network.training.callbacks import (
    DivergenceGuard,
    SynchronizeRandomState,
)
from recipes.neural_network.training.certificate import certify, warn_unless_learned
from recipes.neural_network.training.inputs import CheckedRows, make_batches
from recipes.neural_network.training.learning_rate import RangeTest, set_learning_rate

# Rows that are evaluated at a time.
EVALUATION_ROWS = 1024


class MultilayerPerceptron(FastFit, keras.Model):
    """h = g(x·W₁ + b₁), …, f(x) = h·Wₖ + bₖ, trained by stochastic gradient descent.

    The objective is a mean over the training rows, weighted if asked for, of what the
    subclass calls a row's error, plus penalties:

        H(θ) = 1/n Σ sᵢ·error(xᵢ, yᵢ) + l2·Σ w² + l1·Σ |w|

    with the rows' weights s scaled to a mean of 1 (the penalties are of kernels, not of
    biases). Every step takes θ ← θ − α ∂H/∂θ by the rows of one batch. Fitting again
    goes on from where the model is.

    Scale the features to like size first: the recipe does.

    Args:
        settings: The arguments; see the subclasses.

    Attributes:
        network: The `keras.Sequential` of layers, once built.
        certificate: After `fit`, a dict: `converged` (whether early stopping ended it,
            and it has learned anything),
            `stop_reason` (`"epochs"`, `"early_stopping"`, `"diverged"`, or
            `"interrupted"` where another callback stopped it), `epochs`, `best_epoch`
            (from 1, by the validation loss where there is one), `final_train_loss` of
            the rows as they are, without dropout and augmentation, in float64 from the
            outputs, and `relative_train_loss`, the error as a share of the best
            constant answer's, where 1 or more says that nothing was learned; what
            `gradient_check.check_gradient` found; `certified_optimum`,
            which is False, and `statement`, which says why.
        range_test: After a `fit` with `learning_rate="auto"`, what its test saw.
    """

    score_name: str

    def __init__(self, settings: NetworkSettings) -> None:
        super().__init__(**settings.keras_arguments())
        check_activation(settings.activation)
        check_optimizer(settings.optimizer, settings.momentum)
        self._arguments = settings.hyperparameters()
        # `optimizer` is Keras's, and an object; labels may yet come with the data.
        for name in self._arguments.keys() - {"optimizer", "classes"}:
            setattr(self, name, self._arguments[name])
        self.shuffle_seed = settings.seed
        # TensorFlow's convolutions take a third of the time of XLA's on a CPU.
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
        # The metric that people read.
        self.score = keras.metrics.Mean(name=self.score_name)
        self.certificate: dict[str, Any] = {}
        self.range_test: RangeTest | None = None
        self.compile()

    # What a subclass says ------------------------------------------------------------

    def targets(self, y: Any, training: bool = False) -> tf.Tensor:
        """What the network's outputs should be, `[b, k]`, of a batch's `y`."""
        raise NotImplementedError

    def errors(self, target: tf.Tensor, outputs: tf.Tensor) -> tf.Tensor:
        """Each row's error, `[b]`, of targets and the network's outputs `[b, k]`."""
        raise NotImplementedError

    def constant_error(self, mean: np.ndarray, square: np.ndarray) -> float:
        """The least mean error of one and the same answer to all rows.

        Args:
            mean: Of the targets, `[k]`.
            square: Of the targets' squares, `[k]`.
        """
        raise NotImplementedError

    def prepare(
        self, x: Any, y: Any, sample_weight: Any, class_weight: Any = None
    ) -> CheckedRows:
        """The rows to train on, checked; the model is built for them."""
        raise NotImplementedError

    @property
    def outputs_count(self) -> int:
        """Outputs of the network."""
        raise NotImplementedError

    # Training ------------------------------------------------------------------------

    def train_step(self, data: Any) -> dict[str, tf.Tensor]:
        """Stochastic gradient descent: θ ← θ − α ∂H/∂θ, by the rows of one batch.

        Returns:
            Means over the epoch so far.
        """
        x, y, weight = keras.utils.unpack_x_y_sample_weight(data)
        target = self.targets(y, training=True)
        x, target, weight = self.augmentation(x, target, weight)
        with tf.GradientTape() as tape:
            outputs = self.network(x, training=True)
            errors = self.errors(target, outputs)
            loss = mean(errors, weight) + self.penalty()
        gradients = tape.gradient(loss, self.trainable_variables)
        self.optimizer.apply(gradients, self.trainable_variables)
        return self._measure(x, target, outputs, errors, weight)

    def test_step(self, data: Any) -> dict[str, tf.Tensor]:
        """Updates loss and metrics with one batch."""
        x, y, weight = keras.utils.unpack_x_y_sample_weight(data)
        target = self.targets(y)
        outputs = self.network(x, training=False)
        errors = self.errors(target, outputs)
        return self._measure(x, target, outputs, errors, weight)

    def penalty(self) -> Any:
        """l2·Σ w² + l1·Σ |w| over the kernels; 0 where neither is asked for."""
        total: Any = 0.0
        kernels = [v for v in self.network.trainable_variables if v.name == "kernel"]
        if self.l2:
            total += self.l2 * sum(tf.reduce_sum(tf.square(w)) for w in kernels)
        if self.l1:
            total += self.l1 * sum(tf.reduce_sum(tf.abs(w)) for w in kernels)
        return total

    def training_loss(self, x: Any, y: Any, weight: Any = None) -> tf.Tensor:
        """H of a batch as a step sees it, but for dropout and augmentation drawn."""
        outputs = self.network(x, training=True)
        errors = self.errors(self.targets(y, training=True), outputs)
        return mean(errors, weight) + self.penalty()

    def _measure(
        self, x: Any, target: Any, outputs: Any, errors: Any, weight: Any
    ) -> dict[str, tf.Tensor]:
        # Weighted as rows, so that a shorter last batch counts for less.
        self._loss_tracker.update_state(errors + self.penalty(), weight)
        self._update_score(target, outputs, weight)
        return self.compute_metrics(x, target, outputs, weight)

    def _update_score(self, target: Any, outputs: Any, weight: Any) -> None:
        """Updates the metric that people read."""
        raise NotImplementedError

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
        """Trains for some epochs.

        Args:
            x: `[n, d]`, `[n, h, w]` or `[n, h, w, c]`; or a `tf.data.Dataset` of
                batches `(x, y)` or `(x, y, sample_weight)`, which should shuffle
                itself, and is read once before the first epoch, to be checked.
            y: `[n]` or `[n, 1]`: of a classifier integers, strings, or distributions
                over the classes `[n, k]`, as one-hot rows; of a regressor numbers.
            batch_size: Rows in a batch of arrays.
            epochs: Number of the last epoch.
            verbose: As in Keras.
            callbacks: As in Keras.
            validation_data: `(x, y)`, `(x, y, sample_weight)`, or a dataset of such.
            shuffle: Whether arrays are put into a new order for each epoch.
            sample_weight: `[n]`, not negative.
            class_weight: Of a classifier: `{label: factor}`, where labels left out
                count 1, or `"balanced"` for n / (classes · rows of the class).
            initial_epoch: As in Keras.

        Returns:
            Keras's `History`.

        Raises:
            ValueError: If the data are not as said.
            DivergenceError: If the loss becomes NaN or infinite; a `ValueError` too.
                The weights are then those of the last whole epoch.

        Warns:
            ConvergenceWarning: If the network does no better on the training rows than
                the best constant answer.
        """
        check_count(batch_size=batch_size, epochs=epochs)
        data = self.prepare(x, y, sample_weight, class_weight)
        number = tf.Variable(initial_epoch, dtype=tf.int64, trainable=False)
        seed = self.seed if shuffle else None
        training = self.training_batches(data, batch_size, seed, number)
        given: dict[str, Any] = {"x": training, "shuffle": False}
        if self._takes_arrays(data):  # in the same order, and faster
            arrays = {"x": data.x, "y": data.y, "sample_weight": data.weight}
            given = {**arrays, "batch_size": batch_size, "shuffle": shuffle}
        set_learning_rate(self, training, epochs, initial_epoch)
        others = listed(callbacks)
        synchronize = SynchronizeRandomState(number, self.generators())
        guard = DivergenceGuard(data.largest_feature)
        try:
            history = super().fit(
                **given,
                **self._validation(validation_data),
                epochs=epochs,
                verbose=verbose,
                callbacks=[guard, *others, synchronize],
                initial_epoch=initial_epoch,
            )
        except DivergenceError:
            self.certificate = {"converged": False, "stop_reason": "diverged"}
            raise
        self.certificate = certify(self, data, training, history, others)
        warn_unless_learned(self.certificate, data.largest_feature)
        return history

    def training_batches(
        self,
        data: CheckedRows,
        batch_size: int,
        seed: int | None = 0,
        epoch: tf.Variable | None = None,
    ) -> tf.data.Dataset:
        """What `prepare` gave, in batches as `train_step` takes them.

        Args:
            data: Of `prepare`.
            batch_size: Rows in a batch of arrays.
            seed: What the order of arrays is drawn by, with the epoch; `None`: as is.
            epoch: int64 scalar, the number of the epoch that begins.
        """
        if isinstance(data.x, tf.data.Dataset):
            return data.x
        columns = [data.x, data.y]
        if data.weight is not None:
            columns.append(data.weight.astype(self.variable_dtype))
        return make_batches(tuple(columns), batch_size, seed, epoch)

    def _validation(self, data: Any) -> dict[str, Any]:
        """What Keras's `fit` is to be given for it."""
        if data is None:
            return {}
        given = data if isinstance(data, tuple) else (data,)
        rows = self._evaluation_rows(*(*given, None, None)[:3])
        if self._takes_arrays(rows):
            arrays = rows.x, rows.y, rows.weight
            return {"validation_data": arrays, "validation_batch_size": EVALUATION_ROWS}
        batches = self.training_batches(rows, EVALUATION_ROWS, None)
        return {"validation_data": batches}

    def _takes_arrays(self, rows: CheckedRows) -> bool:
        """Whether Keras can be given the arrays: it makes float32 of their floats."""
        return isinstance(rows.x, np.ndarray) and self.variable_dtype == "float32"

    def _evaluation_rows(self, x: Any, y: Any, weight: Any) -> CheckedRows:
        """The rows to judge the network by, checked."""
        raise NotImplementedError

    # The fitted model ----------------------------------------------------------------

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Maps `inputs` of shape `[batch, …]` to the network's outputs `[batch, k]`."""
        return self._fitted()(inputs, training=training)

    def evaluate(
        self,
        x: Any = None,
        y: Any = None,
        *,
        sample_weight: Any = None,
        **kwargs: Any,
    ) -> Any:
        """Loss and metrics, as in Keras; the data as in `fit`, without augmentation."""
        self._fitted()
        if not kwargs.get("_use_cached_eval_dataset"):  # else `fit` has made them
            rows = self._evaluation_rows(x, y, sample_weight)
            x, y = self.training_batches(rows, EVALUATION_ROWS, None), None
        return super().evaluate(x, y, **kwargs)

    def inference_model(self) -> keras.Model:
        """What is served: a model of feature rows, with what inference needs alone.

        Returns:
            A functional model that shares this one's layers, dropout left out.
        """
        network = self._fitted()
        inputs = keras.Input(network.input_shape[1:], dtype=self.compute_dtype)
        outputs = inputs
        for layer in network.layers:
            if not isinstance(layer, keras.layers.Dropout):
                outputs = layer(outputs)
        return keras.Model(inputs, self._served(outputs), name=self.name)

    def _served(self, outputs: Any) -> Any:
        """What is served, of the network's outputs."""
        raise NotImplementedError

    def float64_twin(self) -> Any:
        """A copy in float64 with the same weights, without dropout and augmentation."""
        plain = {"dtype": "float64", "dropout": 0.0, "noise": 0.0, "mixup": 0.0}
        twin = type(self).from_config({**self.get_config(), **plain, "shift": 0})
        twin.build_from_config(self.get_build_config())
        twin.set_weights(self.get_weights())
        return twin

    def _fitted(self) -> Any:
        if self.network is None:
            raise ValueError(f"{type(self).__name__} is not fitted yet: call `fit`.")
        return self.network

    # Keras ---------------------------------------------------------------------------

    def build(self, input_shape: Any) -> None:
        """Creates the layers for rows of such a shape."""
        self.network = build_network(
            architecture=self.architecture,
            row_shape=tuple(input_shape[1:]),
            outputs=self.outputs_count,
            hidden_sizes=self.hidden_sizes,
            activation=self.activation,
            batch_normalization=self.batch_normalization,
            dropout=self.dropout,
            seed=self.seed,
            dtype=self.dtype_policy,
        )
        self.built = True

    def generators(self) -> list[Any]:
        """What dropout and augmentation draw by."""
        return [
            *self.augmentation.generators.values(),
            *(
                layer.seed_generator
                for layer in self.network.layers
                if isinstance(layer, keras.layers.Dropout)
            ),
        ]

    def compile(self, optimizer: Any = None, **kwargs: Any) -> None:
        """Sets what takes the steps: by default the optimiser of the constructor.

        Args:
            optimizer: A Keras optimiser or its name; `None` for the model's own.
            **kwargs: `metrics`, … of `keras.Model.compile`. There is no `loss`: the
                model brings its own.
        """
        if kwargs.pop("loss", None) is not None:
            raise ValueError(
                "`loss` should be left out: the model brings its own, which the "
                "certificate is about."
            )
        if self.architecture == "cnn":
            kwargs.setdefault("jit_compile", False)  # as for `fast_fit`
        # Losses stay in float32 whatever the layers compute in.
        kwargs.setdefault("auto_scale_loss", False)
        super().compile(optimizer=optimizer or self._own_optimizer(), **kwargs)

    def _own_optimizer(self) -> keras.optimizers.Optimizer:
        options: dict[str, Any] = {
            "learning_rate": 0.01
            if self.learning_rate == "auto"
            else self.learning_rate,
            "weight_decay": self.weight_decay or None,
        }
        name = self._arguments["optimizer"]
        if name.lower() == "sgd":
            options |= {"momentum": float(self.momentum), "nesterov": self.nesterov}
        return type(keras.optimizers.get(name))(**options)

    def compile_from_config(self, config: dict[str, Any]) -> None:
        """Restores the optimiser, with the rate that it had come to."""
        if config.get("optimizer") is not None:
            self.compile(**keras.saving.deserialize_keras_object(config))
            self.optimizer.build(self.trainable_variables)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {
            "name": self.name,
            "dtype": keras.dtype_policies.serialize(self.dtype_policy),
            **{
                name: list(value) if isinstance(value, tuple) else value
                for name, value in self._arguments.items()
            },
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Any:
        """Builds the model from its config, without weights."""
        return cls(**config)

    def get_build_config(self) -> dict[str, Any]:
        """The sizes that training found."""
        if self.network is None:
            return {}
        return {"row_shape": list(self.network.input_shape[1:])}

    def build_from_config(self, config: dict[str, Any]) -> None:
        """Makes room for the weights of a trained model."""
        if config:
            self.build((None, *config["row_shape"]))


def mean(errors: tf.Tensor, weight: Any) -> tf.Tensor:
    """1/b Σ sᵢ·errorᵢ over a batch's b rows.

    Not divided by the batch's own Σ sᵢ: over many batches that would count a rare row
    of large weight for less than it says.
    """
    if weight is not None:
        errors = tf.cast(tf.reshape(weight, [-1]), errors.dtype) * errors
    return tf.reduce_mean(errors)
