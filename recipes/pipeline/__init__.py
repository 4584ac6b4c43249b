"""The way that data takes through every recipe, one module a stage.

config → flags → datasets → features → (the recipe's model) → evaluation → report →
export. The stages load on first use, so that a command line can answer `--help` and
usage errors before TensorFlow is imported.
"""

import importlib
from types import ModuleType

_STAGES = (
    "config",
    "datasets",
    "errors",
    "evaluation",
    "export",
    "fast_fit",
    "features",
    "flags",
    "interrupts",
    "report",
    "run",
)


def __getattr__(name: str) -> ModuleType:
    if name not in _STAGES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return importlib.import_module(f"{__name__}.{name}")
