"""Kernels by name and by config."""

import inspect
from typing import Any

import keras

from layers.kernels.base import Kernel
from layers.kernels.function import CallableKernel
from layers.kernels.inner_products import (
    LinearKernel,
    PolynomialKernel,
    RBFKernel,
    SigmoidKernel,
)
from layers.kernels.laplacian import LaplacianKernel
from layers.kernels.precomputed import PrecomputedKernel

_CLASSES: dict[str, type[Kernel]] = {
    "linear": LinearKernel,
    "polynomial": PolynomialKernel,
    "poly": PolynomialKernel,
    "rbf": RBFKernel,
    "sigmoid": SigmoidKernel,
    "laplacian": LaplacianKernel,
    "precomputed": PrecomputedKernel,
}
_PARAMETERS = ("gamma", "degree", "coef0")


def get(identifier: Any, **parameters: Any) -> Kernel:
    """The kernel that `identifier` stands for.

    Args:
        identifier: One of the names `"linear"`, `"polynomial"` (or `"poly"`), `"rbf"`,
            `"sigmoid"`, `"laplacian"`, `"precomputed"`; a config as `serialize`
            returns it; a `Kernel`, which is returned as it is; or a function
            k(x, z) → `(a, b)`, which becomes a `CallableKernel`.
        **parameters: `gamma`, `degree`, `coef0` for a kernel given by name. Those that
            the kernel does not have are ignored, as are all where the kernel is not
            given by name.

    Returns:
        The kernel.

    Raises:
        ValueError: If `identifier` is none of these, or a parameter is unknown or
            wrong.
    """
    unknown = set(parameters) - set(_PARAMETERS)
    if unknown:
        raise ValueError(
            f"A kernel's parameters should be among {_PARAMETERS}. "
            f"Received: {sorted(unknown)}"
        )
    if isinstance(identifier, str) and identifier in _CLASSES:
        kernel_class = _CLASSES[identifier]
        taken = inspect.signature(kernel_class).parameters
        return kernel_class(**{k: v for k, v in parameters.items() if k in taken})
    if isinstance(identifier, Kernel):
        return identifier
    if isinstance(identifier, dict):
        return deserialize(identifier)
    if callable(identifier) and not isinstance(identifier, type):
        return CallableKernel(identifier)
    raise ValueError(
        f"`kernel` should be one of {sorted(_CLASSES)}, a kernel's config, a `Kernel` "
        f"or a function of two tensors. Received: kernel={identifier!r}"
    )


def serialize(kernel: Kernel) -> dict[str, Any]:
    """The kernel's class and parameters, for `deserialize` to make it again."""
    return keras.saving.serialize_keras_object(kernel)


def deserialize(config: Any) -> Kernel:
    """The kernel of a config that `serialize` returned, or of a name.

    Raises:
        ValueError: If the config is not that of a kernel.
    """
    if isinstance(config, str):
        return get(config)
    kernel = keras.saving.deserialize_keras_object(config)
    if not isinstance(kernel, Kernel):
        raise ValueError(
            f"`config` should be that of a kernel. Received: config={config!r}"
        )
    return kernel
