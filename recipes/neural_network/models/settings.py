"""What a network is told: its settings, and what Keras does by them."""

from collections.abc import Sequence
from typing import Any, Literal

import keras

from recipes.checks.arguments import (
    check_choice,
    check_count,
    check_fraction,
    check_learning_rate,
    check_not_negative,
)
from recipes.fast_fit import FastFit
from recipes.neural_network.models.architecture import build_network
from recipes.neural_network.models.argument_checks import (
    check_activation,
    check_optimizer,
    check_sizes,
)
from recipes.neural_network.models.augmentation import Augmentation
from recipes.neural_network.training.learning_rate import RangeTest

Architecture = Literal["perceptron", "cnn"]
Schedule = Literal["constant", "cosine"]


class ConfiguredNetwork(FastFit, keras.Model):
    """A network's layers and its optimiser, built, compiled and saved as it was told.

    Args:
        hidden_sizes: Units of each hidden layer; `()` for none.
        architecture: `"perceptron"`, for rows `[n, d]` or images, made flat; `"cnn"`:
            two small blocks of convolution and pooling before the hidden layers, for
            images `[n, h, w]` or `[n, h, w, c]`.
        activation: Of the hidden layers, a name that Keras knows. The weights start as
            suits it: see `architecture.choose_initializer`.
        batch_normalization: Whether to normalise each hidden layer over the batch.
        dropout: Share of each hidden layer's outputs left out in a training step.
        l1: Weight of Σ|w|.
        l2: Weight of Σw².
        noise: Standard deviation of Gaussian noise added to training rows.
        mixup: α of the beta distribution that pairs of training rows are mixed by.
        shift: Most pixels by which training images are moved.
        optimizer: `"sgd"`, or the name of another Keras optimiser.
        learning_rate: α, a positive number, or `"auto"` for a range test before the
            first step of `fit`.
        momentum: Of SGD, at least 0 and below 1.
        nesterov: Whether SGD looks ahead along its momentum.
        weight_decay: Of the optimiser: each step also shrinks θ by α times this.
        schedule: `"constant"`, or `"cosine"`: the rate falls to 0 over `fit`'s epochs.
        seed: What weights, the rows' order, dropout and augmentation are drawn by.
        **kwargs: `name`, `dtype` of `keras.Model`.

    Attributes:
        augmentation: The layer that alters rows in training.
        network: The `keras.Sequential` of layers, once built.
    """

    score_name: str

    def __init__(
        self,
        hidden_sizes: Sequence[int] = (128,),
        architecture: Architecture = "perceptron",
        activation: str = "relu",
        batch_normalization: bool = False,
        dropout: float = 0.0,
        l1: float = 0.0,
        l2: float = 0.0,
        noise: float = 0.0,
        mixup: float = 0.0,
        shift: int = 0,
        optimizer: str = "sgd",
        learning_rate: float | Literal["auto"] = 0.1,
        momentum: float = 0.0,
        nesterov: bool = False,
        weight_decay: float = 0.0,
        schedule: Schedule = "constant",
        seed: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        check_sizes(hidden_sizes)
        check_choice("architecture", architecture, ("perceptron", "cnn"))
        check_activation(activation)
        check_fraction(dropout=dropout, momentum=momentum)
        check_not_negative(
            l1=l1, l2=l2, noise=noise, mixup=mixup, weight_decay=weight_decay
        )
        check_count(0, shift=shift, seed=seed)
        check_optimizer(optimizer, momentum, nesterov)
        check_learning_rate(learning_rate)
        check_choice("schedule", schedule, ("constant", "cosine"))
        self.hidden_sizes = tuple(hidden_sizes)
        self.architecture = architecture
        self.activation = activation
        self.batch_normalization = batch_normalization
        self.dropout = dropout
        self.l1 = l1
        self.l2 = l2
        self.noise = noise
        self.mixup = mixup
        self.shift = shift
        self.optimizer_name = optimizer  # `optimizer` is Keras's, and an object
        self.learning_rate = learning_rate
        self.momentum = momentum
        self.nesterov = nesterov
        self.weight_decay = weight_decay
        self.schedule = schedule
        self.seed = seed
        self.shuffle_seed = seed
        # TensorFlow's convolutions take a third of the time of XLA's on a CPU.
        self.fast_fit = architecture != "cnn"
        self.augmentation = Augmentation(
            noise, mixup, shift, seed, dtype=self.dtype_policy, name="augmentation"
        )
        self.network: Any = None
        # The metric that people read.
        self.score = keras.metrics.Mean(name=self.score_name)
        self.certificate: dict[str, Any] = {}
        self.range_test: RangeTest | None = None
        self.compile()

    @property
    def outputs_count(self) -> int:
        """Outputs of the network."""
        raise NotImplementedError

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
        if self.optimizer_name.lower() == "sgd":
            options |= {"momentum": float(self.momentum), "nesterov": self.nesterov}
        return type(keras.optimizers.get(self.optimizer_name))(**options)

    def compile_from_config(self, config: dict[str, Any]) -> None:
        """Restores the optimiser, with the rate that it had come to."""
        if config.get("optimizer") is not None:
            self.compile(**keras.saving.deserialize_keras_object(config))
            self.optimizer.build(self.trainable_variables)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            "name": self.name,
            "dtype": keras.dtype_policies.serialize(self.dtype_policy),
            "hidden_sizes": list(self.hidden_sizes),
            "architecture": self.architecture,
            "activation": self.activation,
            "batch_normalization": self.batch_normalization,
            "dropout": self.dropout,
            "l1": self.l1,
            "l2": self.l2,
            "noise": self.noise,
            "mixup": self.mixup,
            "shift": self.shift,
            "optimizer": self.optimizer_name,
            "learning_rate": self.learning_rate,
            "momentum": self.momentum,
            "nesterov": self.nesterov,
            "weight_decay": self.weight_decay,
            "schedule": self.schedule,
            "seed": self.seed,
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
