"""Support vector machines by SMO (the article, sections 3.2 and 4.2).

The machines are the models; `Config` and `train_and_evaluate` are the recipe. They load
on first use, so that flags can be read before TensorFlow is imported.
"""

import importlib
from typing import Any

_MODULES = {
    "SupportVectorClassifier": "classifier",
    "SupportVectorRegressor": "regressor",
    "NuSupportVectorClassifier": "classifier",
    "NuSupportVectorRegressor": "regressor",
    "OneClassSupportVectorMachine": "one_class",
    "Config": "recipe",
    "train_and_evaluate": "recipe",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = importlib.import_module(f"{__name__}.{_MODULES[name]}")
    return getattr(module, name)
