"""The kernel expansion f(x) = Σᵢ βᵢ·k(xᵢ, x) + b."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from layers import kernels
from layers.kernel_tiles import expand


@keras.saving.register_keras_serializable("descent_recipes")
class KernelExpansion(keras.layers.Layer):
    """A sum of kernels, one around each support vector: the model of an SVM.

    For an input `x` of shape `(..., features)` the layer computes

    ```python
    y[..., j] = sum(
        dual_coefficients[i, j] * kernel(x, support_vectors[i])
        for i in range(num_vectors)
    ) + bias[j]
    ```

    All outputs share one set of support vectors, so that each kernel value is computed
    once. Set the weights by `assign`, or train them: with the kernel `"rbf"` and
    `train_vectors=True` the layer is a radial basis function network.

    Precision: kernel values are float32, and float64 in a layer of `dtype="float64"`.
    Sums are always float64, and `dual_coefficients` and `bias` are by default: in an
    SVM the sum of |β| may be 10⁵ times the result, of which float32 would leave two
    digits. Nothing is computed in half precision: under `mixed_float16` only the
    outputs are rounded to the compute dtype, as that policy requires.

    Memory: the matrix of all kernel values is never held. Rows are processed in tiles
    whose matrices take at most 128 MiB (a single row may take more), and twice that
    while a gradient is computed. Copies of inputs and outputs come on top, and with a
    `kernels.CallableKernel` whatever its function allocates.

    Args:
        num_vectors: Number of support vectors, a positive integer.
        units: Number of outputs, a positive integer. Defaults to `1`.
        kernel: Name of a kernel, its config, a `kernels.Kernel` or a function of two
            tensors, as `kernels.get` takes them. Defaults to `"rbf"`, with gamma 1.
        use_bias: Whether to add `bias`. Defaults to `True`.
        train_vectors: Whether `support_vectors` is trainable. Defaults to `False`.
        nonzeros: Number of entries that are stored of sparse support vectors, a
            positive integer, for a kernel whose `takes_sparse` is true. The layer is
            then not compiled by XLA, which has no sparse products. Defaults to `None`:
            the vectors are dense.
        coefficients_dtype: Dtype of `dual_coefficients` and `bias`: `"float64"`,
            `"float32"`, or `None` for that of the layer's policy. The latter gives all
            weights of a model one dtype, which an optimiser's `global_clipnorm`
            requires. Defaults to `"float64"`.
        vectors_initializer: Initialiser of `support_vectors`: a name, a config or a
            `keras.initializers.Initializer`. Defaults to `None`: standard normal
            numbers; zeros for the kernel `"precomputed"` and with `nonzeros`.
        coefficients_initializer: Initialiser of `dual_coefficients`, likewise.
            Defaults to `"glorot_uniform"`.
        bias_initializer: Initialiser of `bias`, likewise. Defaults to `"zeros"`.
        activity_regularizer: Penalty of the outputs: a name, a config or a
            `keras.regularizers.Regularizer`; `None` for none. Defaults to `None`.
        name: Name of the layer. Defaults to `None`: Keras chooses one.
        trainable: Whether the weights are trained. Defaults to `True`.
        dtype: Dtype or dtype policy. Defaults to `None`, the global policy.

    Attributes:
        support_vectors: Weight of shape `(num_vectors, features)`, float32 or float64;
            of shape `(num_vectors, 1)` for the kernel `"precomputed"`, where it holds
            row numbers. With `nonzeros` the entries alone, of shape `(nonzeros,)`.
        vector_positions: With `nonzeros`, weight of shape `(nonzeros, 2)`, int32: the
            vector and the feature of each entry, of which no two are the same.
        dual_coefficients: Trainable weight of shape `(num_vectors, units)`.
        bias: Trainable weight of shape `(units,)`, or `None` without bias.

    Raises:
        ValueError: If an argument is not as documented, or the size of the input's last
            axis is unknown when the layer is built.

    Example:
    >>> layer = KernelExpansion(num_vectors=2, kernel=kernels.RBFKernel(gamma=0.5))
    >>> layer.build((None, 1))
    >>> layer.support_vectors.assign([[0.0], [2.0]])
    >>> layer.dual_coefficients.assign([[1.0], [-1.0]])
    >>> layer(keras.ops.array([[1.0]]))  # equally far from both
    array([[0.]], dtype=float32)

    Reference:
        The article's section on support vector machines: its f(x) with βᵢ = αᵢ·yᵢ.
    """

    def __init__(
        self,
        num_vectors: int,
        units: int = 1,
        kernel: Any = "rbf",
        *,
        use_bias: bool = True,
        train_vectors: bool = False,
        nonzeros: int | None = None,
        coefficients_dtype: str | None = "float64",
        vectors_initializer: Any = None,
        coefficients_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        activity_regularizer: Any = None,
        name: str | None = None,
        trainable: bool = True,
        dtype: str | keras.DTypePolicy | None = None,
    ) -> None:
        # Inputs are cast in `call`: Keras would cast them to half precision.
        super().__init__(
            activity_regularizer=activity_regularizer,
            name=name,
            trainable=trainable,
            dtype=dtype,
            autocast=False,
        )
        sizes = {"num_vectors": num_vectors, "units": units}
        if nonzeros is not None:
            sizes["nonzeros"] = nonzeros
        for argument, value in sizes.items():
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise ValueError(
                    f"`{argument}` should be a positive integer. "
                    f"Received: {argument}={value!r}"
                )
        if coefficients_dtype not in ("float64", "float32", None):
            raise ValueError(
                '`coefficients_dtype` should be "float64", "float32" or None. '
                f"Received: coefficients_dtype={coefficients_dtype!r}"
            )
        self.num_vectors = num_vectors
        self.units = units
        self.kernel = kernels.get(kernel)
        if nonzeros is not None and not self.kernel.takes_sparse:
            raise ValueError(
                "`nonzeros` should be None for a kernel that does not take sparse "
                f"vectors. Received: nonzeros={nonzeros}, kernel={self.kernel!r}"
            )
        self.nonzeros = nonzeros
        self.supports_jit = nonzeros is None
        self.use_bias = use_bias
        self.train_vectors = train_vectors
        self.coefficients_dtype = coefficients_dtype
        self.vectors_initializer = keras.initializers.get(vectors_initializer)
        self.coefficients_initializer = keras.initializers.get(coefficients_initializer)
        self.bias_initializer = keras.initializers.get(bias_initializer)
        self.input_spec = keras.layers.InputSpec(min_ndim=2)

    @property
    def kernel_dtype(self) -> str:
        """The dtype of kernel values and support vectors: float32 or float64."""
        return "float64" if self.compute_dtype == "float64" else "float32"

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create the weights for inputs of `input_shape`."""
        features = input_shape[-1]
        if features is None:
            raise ValueError(
                "The last axis of the input should have a known size. "
                f"Received: input_shape={input_shape}"
            )
        self.support_vectors = self.add_weight(
            name="support_vectors",
            shape=self._vectors_shape(features),
            initializer=self._initial_vectors(),
            trainable=self.train_vectors,
            dtype=self.kernel_dtype,
            autocast=False,
        )
        if self.nonzeros is not None:
            self.vector_positions = self.add_weight(
                name="vector_positions",
                shape=(self.nonzeros, 2),
                initializer="zeros",
                trainable=False,
                dtype="int32",
                autocast=False,
            )
        self.dual_coefficients = self.add_weight(
            name="dual_coefficients",
            shape=self._coefficients_shape(),
            initializer=self.coefficients_initializer,
            dtype=self.coefficients_dtype,
            autocast=False,
        )
        self.bias: Any = (
            self.add_weight(
                name="bias",
                shape=(self.units,),
                initializer=self.bias_initializer,
                dtype=self.coefficients_dtype,
                autocast=False,
            )
            if self.use_bias
            else None
        )
        self.input_spec = keras.layers.InputSpec(min_ndim=2, axes={-1: features})
        self.built = True

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """Map `inputs` of shape `(..., features)` to `(..., units)`."""
        inputs = tf.cast(inputs, self.kernel_dtype)
        rows = tf.reshape(inputs, (-1, inputs.shape[-1]))
        outputs = expand(
            self.kernel,
            self._weighted_sums,
            self.units,
            rows,
            self._vectors(inputs.shape[-1]),
            tf.cast(self.dual_coefficients, tf.float64),
            recompute=bool(training),
        )
        if self.bias is not None:
            outputs += tf.cast(self.bias, tf.float64)
        shape = tf.concat([tf.shape(inputs)[:-1], [self.units]], 0)
        return tf.cast(tf.reshape(outputs, shape), self.compute_dtype)

    def compute_output_shape(
        self, input_shape: tuple[int | None, ...]
    ) -> tuple[int | None, ...]:
        """Return the input's shape with the last axis replaced by `units`."""
        return (*input_shape[:-1], self.units)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments, kernel and initialisers serialised."""
        initializer = keras.initializers.serialize
        return {
            **super().get_config(),
            "num_vectors": self.num_vectors,
            "units": self.units,
            "kernel": kernels.serialize(self.kernel),
            "use_bias": self.use_bias,
            "train_vectors": self.train_vectors,
            "nonzeros": self.nonzeros,
            "coefficients_dtype": self.coefficients_dtype,
            "vectors_initializer": initializer(self.vectors_initializer),
            "coefficients_initializer": initializer(self.coefficients_initializer),
            "bias_initializer": initializer(self.bias_initializer),
        }

    def packed(self, coefficients: np.ndarray) -> np.ndarray:
        """Return the value of `dual_coefficients` for a column per output.

        Args:
            coefficients: Shape `(num_vectors, units)`.

        Returns:
            The same array.
        """
        return coefficients

    def unpacked(self) -> np.ndarray:
        """Return the coefficients with a column per output, `(num_vectors, units)`."""
        return self.dual_coefficients.numpy()

    def _weighted_sums(self, values: tf.Tensor, coefficients: tf.Tensor) -> tf.Tensor:
        """Return the outputs without bias: kernel values `(n, m)` → `(n, units)`."""
        return tf.matmul(values, coefficients)

    def _coefficients_shape(self) -> tuple[int, int]:
        return self.num_vectors, self.units

    def _vectors(self, features: int) -> tf.Tensor | tf.SparseTensor:
        """Return the support vectors, `(num_vectors, features)`."""
        values = tf.convert_to_tensor(self.support_vectors)
        if self.nonzeros is None:
            return values
        positions = tf.cast(self.vector_positions, tf.int64)
        return tf.SparseTensor(positions, values, (self.num_vectors, features))

    def _vectors_shape(self, features: int) -> tuple[int, ...]:
        if self.nonzeros is not None:
            return (self.nonzeros,)
        return self.num_vectors, self.kernel.vector_size(features)

    def _initial_vectors(self) -> Any:
        if self.vectors_initializer is not None:
            return self.vectors_initializer
        is_sparse = self.nonzeros is not None
        if is_sparse or isinstance(self.kernel, kernels.PrecomputedKernel):
            return "zeros"
        return keras.initializers.RandomNormal(stddev=1.0)
