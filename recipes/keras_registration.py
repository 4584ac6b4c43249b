"""Registers the models of recipes with Keras without importing them.

Keras loads a saved object only if its class has been registered, which happens when the
class's module is imported. A recipe imports its models on first use, though, so that
flags can be read before TensorFlow is imported. So each model has a stand-in, which
imports it when Keras loads one, and the stand-ins are registered as soon as there is a
Keras.
"""

import importlib
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import ModuleType
from typing import Any

_waiting: list[str] = []  # packages that were imported before Keras


def register_models(package: str) -> None:
    """Let Keras load the models of a package, now or once Keras is imported.

    Args:
        package: The package's name. Its `__all__` has the models' names.
    """
    if "keras" in sys.modules:
        _register(package)
        return
    if not _waiting:
        sys.meta_path.insert(0, _KerasFinder())
    _waiting.append(package)


def _register(package: str) -> None:
    import keras

    registry = keras.saving.get_custom_objects()
    # A run's `model.keras` is a serving model; to import one registers all layers.
    names = [("layers", "ServingModel")]
    names += [(package, name) for name in sys.modules[package].__all__]
    for module, name in names:
        registry.setdefault(f"descent_recipes>{name}", _StandIn(module, name))


class _StandIn:
    """Stands in for a class that is not imported yet."""

    def __init__(self, module: str, name: str) -> None:
        self._module = module
        self._name = name

    def from_config(self, config: dict[str, Any]) -> Any:
        module = importlib.import_module(self._module)
        return getattr(module, self._name).from_config(config)


class _KerasLoader(SourceFileLoader):
    def exec_module(self, module: ModuleType) -> None:
        super().exec_module(module)
        for package in _waiting:
            _register(package)


class _KerasFinder(MetaPathFinder):
    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,
        target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        spec = PathFinder.find_spec(fullname, path) if fullname == "keras" else None
        if spec is not None and spec.origin is not None:
            spec.loader = _KerasLoader(fullname, spec.origin)
        return spec
