"""What a support vector machine is once it is fitted: a kernel and rows that count."""

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from layers import KernelExpansion, PairwiseExpansion, kernels

PREDICTION_ROWS = 4096


class KernelMachine(keras.Model):
    """f(x) = Σ βᵢ k(xᵢ, x) + b, with the rows xᵢ that have a coefficient.

    How many these are is known after training only, so that they are kept in a layer of
    their own, made anew then.

    Args:
        kernel: `"linear"`, `"polynomial"`, `"rbf"`, `"sigmoid"`, `"laplacian"`,
            `"precomputed"`, a kernel's config, a `layers.kernels.Kernel`, or a
            registered function k(x, z).
        gamma: γ of a kernel given by name: a positive number, `"scale"` for
            1 / (d·Var X) with the variance over all entries, or `"auto"` for 1 / d.
        degree: Degree of the polynomial kernel.
        coef0: Constant term of the polynomial and the sigmoid kernel.
        **kwargs: `name`, `dtype` of `keras.Model`. With `dtype="float64"` kernel values
            are float64, too; sums are in any case.

    Attributes:
        support_indices: After `fit`, which training rows are support vectors, `[m]`.
    """

    def __init__(
        self,
        *,
        kernel: Any,
        gamma: float | str,
        degree: int,
        coef0: float,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.kernel = kernel
        self.gamma = gamma
        self.degree = degree
        self.coef0 = coef0
        # So that a wrong name or number is told here and not in `fit`.
        self._kernel_for(np.zeros((1, 1), np.float32))
        self.support_indices = np.empty(0, np.int64)
        self.expansion: Any = None

    @property
    def kernel_dtype(self) -> str:
        """The dtype of kernel values: float32 or float64."""
        return "float64" if self.compute_dtype == "float64" else "float32"

    def _kernel_for(self, x: np.ndarray) -> kernels.Kernel:
        named = isinstance(self.kernel, str)
        gamma = kernels.resolve_gamma(self.gamma, x) if named else 1.0
        return kernels.get(
            self.kernel, gamma=gamma, degree=self.degree, coef0=self.coef0
        )

    # What is kept --------------------------------------------------------------------

    def _keep_rows(
        self,
        x: np.ndarray,
        coefficients: np.ndarray,
        bias: list[float],
        of_class: np.ndarray | None = None,
    ) -> None:
        """Keeps the rows with a coefficient, and no others, as the model.

        Args:
            x: All training rows, `[n, d]`.
            coefficients: β, a column for each output, `[n, units]`.
            bias: b of each output.
            of_class: Where there is an output for each pair of classes, each row's
                class, `[n]`.
        """
        kernel = self._kernel_for(x)
        kept = np.flatnonzero(coefficients.any(axis=1))
        if of_class is not None:
            kept = kept[np.argsort(of_class[kept], kind="stable")]
        self.support_indices = kept
        if not len(kept):
            # A layer without vectors there is not: a lone one without weight will do.
            kept = np.array([0])
        expansion = self._expansion(kernel, len(bias), kept, of_class)
        self._make_room(expansion, x.shape[1])
        precomputed = isinstance(kernel, kernels.PrecomputedKernel)
        self.expansion.support_vectors.assign(
            kept[:, np.newaxis] if precomputed else x[kept]
        )
        packed = self.expansion.packed(coefficients[kept])
        self.expansion.dual_coefficients.assign(packed)
        self.expansion.bias.assign(bias)

    def _expansion(
        self,
        kernel: kernels.Kernel,
        units: int,
        kept: np.ndarray,
        of_class: np.ndarray | None,
    ) -> KernelExpansion:
        """A layer with room for the rows `kept`."""
        options = {"dtype": self.dtype_policy, "name": "expansion"}
        if of_class is None:
            return KernelExpansion(len(kept), units, kernel, **options)
        counts = np.bincount(of_class[kept], minlength=of_class.max() + 1)
        return PairwiseExpansion(counts.tolist(), kernel, **options)

    def _make_room(self, expansion: KernelExpansion, features: int) -> None:
        if not expansion.built:  # one that was loaded is
            expansion.build((None, features))
        self._replace_layer("expansion", expansion)
        self.predict_function = self.test_function = None

    def _replace_layer(self, name: str, layer: keras.layers.Layer | None) -> None:
        # Keras locks a model once it is built; sizes are known only after training.
        self._tracker.unlock()
        if getattr(self, name) is not None:
            self._layers.remove(getattr(self, name))
        setattr(self, name, layer)
        self._tracker.lock()
        self.built = True

    # The fitted model ----------------------------------------------------------------

    @property
    def support_vectors(self) -> np.ndarray:
        """The rows that carry the decision function, `[m, d]`."""
        return self._fitted().support_vectors.numpy()

    @property
    def dual_coefficients(self) -> np.ndarray:
        """β of the support vectors, float64, `[m, units]`."""
        return self._fitted().unpacked()

    @property
    def bias(self) -> np.ndarray:
        """b, float64, `[units]`: scikit-learn's `intercept_`, minus LIBSVM's rho."""
        return self._fitted().bias.numpy()

    def decisions(self, inputs: Any) -> Any:
        """f(x) of each dual problem: `[batch, d]` → `[batch, units]`."""
        return self._fitted()(inputs)

    def call(self, inputs: Any) -> Any:
        """Maps `inputs` of shape `[batch, d]` to decision values `[batch, units]`."""
        return self.decisions(inputs)

    def predict(
        self, x: Any, batch_size: int | None = None, **kwargs: Any
    ) -> np.ndarray:
        """As in Keras, with larger batches by default: a small one wastes the kernel.

        Args:
            x: `[n, d]`, or a dataset of batches.
            batch_size: Rows a batch, of arrays. Defaults to 4096.
            **kwargs: `verbose`, `callbacks`, … of `keras.Model.predict`.
        """
        if batch_size is None and not isinstance(x, tf.data.Dataset):
            batch_size = PREDICTION_ROWS
        return super().predict(x, batch_size=batch_size, **kwargs)

    def inference_model(self) -> keras.Model:
        """What is served: a model of feature rows that holds the support vectors only.

        Returns:
            A functional model that shares this one's layers.
        """
        inputs = keras.Input((self._features,), dtype=self.kernel_dtype)
        return keras.Model(inputs, self._outputs(inputs), name=self.name)

    def _outputs(self, inputs: Any) -> Any:
        return self.call(inputs)

    def _fitted(self) -> Any:
        if self.expansion is None:
            raise ValueError(f"{type(self).__name__} is not fitted yet: call `fit`.")
        return self.expansion

    @property
    def _features(self) -> int:
        return int(self._fitted().input_spec.axes[-1])

    # Keras ---------------------------------------------------------------------------

    def build(self, input_shape: Any) -> None:
        """Does nothing: the sizes of the weights are known after `fit`."""
        self.built = True

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        kernel = self.kernel
        if not isinstance(kernel, str | dict):
            kernel = kernels.serialize(kernels.get(kernel))
        return {
            "name": self.name,
            "dtype": keras.dtype_policies.serialize(self.dtype_policy),
            "kernel": kernel,
            "gamma": self.gamma,
            "degree": self.degree,
            "coef0": self.coef0,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Any:
        """Builds the model from its config, without weights."""
        return cls(**config)

    def get_build_config(self) -> dict[str, Any]:
        """The sizes that training found."""
        if self.expansion is None:
            return {}
        return {
            "expansion": keras.saving.serialize_keras_object(self.expansion),
            "features": self._features,
        }

    def build_from_config(self, config: Mapping[str, Any]) -> None:
        """Makes room for the weights of a trained model."""
        if config:
            expansion = keras.saving.deserialize_keras_object(config["expansion"])
            self._make_room(expansion, config["features"])
