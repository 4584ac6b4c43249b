"""Kernels by name and by config."""

import inspect
from collections.abc import Callable
from typing import Any

import keras

from layers.kernels.base import Kernel
from layers.kernels.function import CallableKernel

_CLASSES: dict[str, type[Kernel]] = {}


def named(*names: str) -> Callable[[type[Kernel]], type[Kernel]]:
    """Return a class decorator that registers a kernel for `get` under its names."""

    def add(kernel_class: type[Kernel]) -> type[Kernel]:
        _CLASSES.update(dict.fromkeys(names, kernel_class))
        return kernel_class

    return add


def get(identifier: Any, **parameters: Any) -> Kernel:
    """Return the kernel that `identifier` stands for.

    Args:
        identifier: A name, as listed in `layers.kernels`; a config as `serialize`
            returns it; a `Kernel`, which is returned unchanged; or a function
            k(x, z) → `(a, b)`, which becomes a `CallableKernel`.
        **parameters: Constructor arguments for a kernel given by name, such as `gamma`,
            `degree` and `coef0`. Those that the kernel does not have but another one
            does are ignored, as are all if the kernel is not given by name.

    Returns:
        The kernel.

    Raises:
        ValueError: If `identifier` is none of these, or a parameter is unknown or
            wrong.
    """
    known = {name for each in _CLASSES.values() for name in _parameters(each)}
    unknown = set(parameters) - known
    if unknown:
        raise ValueError(
            f"A kernel's parameters should be among {sorted(known)}. "
            f"Received: {sorted(unknown)}"
        )
    if isinstance(identifier, str) and identifier in _CLASSES:
        kernel_class = _CLASSES[identifier]
        own = _parameters(kernel_class)
        return kernel_class(**{k: v for k, v in parameters.items() if k in own})
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
    """Return the kernel's class and parameters, as `deserialize` takes them."""
    return keras.saving.serialize_keras_object(kernel)


def deserialize(config: Any) -> Kernel:
    """Return the kernel of a config that `serialize` returned, or of a name.

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


def _parameters(kernel_class: type[Kernel]) -> set[str]:
    """Return the names of the constructor's arguments."""
    return set(inspect.signature(kernel_class).parameters)
