"""The way that data takes through every recipe, one module a stage.

config → flags → datasets → features → (the recipe's model) → evaluation → report →
export. The stages load on first use, so that a command line can answer `--help` and
usage errors before TensorFlow is imported.

Beside the stages: `run` is the frame that they stand in (seed, clock, folder, record),
`backup` lets it be resumed, `parts` takes training and test rows through features and
evaluation; `arguments`, `given` and `labels` check what models are given.
"""

import importlib
from types import ModuleType

_STAGES = (
    "backup",
    "config",
    "datasets",
    "errors",
    "evaluation",
    "export",
    "fast_fit",
    "features",
    "flags",
    "interrupts",
    "parts",
    "report",
    "run",
)


def __getattr__(name: str) -> ModuleType:
    if name not in _STAGES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return importlib.import_module(f"{__name__}.{name}")
