"""Neural networks by stochastic gradient descent (the article, sections 3.3 and 4.3).

The networks are the models; `Config` and `train_and_evaluate` are the recipe. They load
on first use, so that flags can be read before TensorFlow is imported.
"""

import importlib
from typing import Any

_MODULES = {
    "MultilayerPerceptronClassifier": "classifier",
    "MultilayerPerceptronRegressor": "regressor",
    "find_learning_rate": "learning_rate",
    "Config": "recipe",
    "train_and_evaluate": "recipe",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = importlib.import_module(f"{__name__}.{_MODULES[name]}")
    return getattr(module, name)
