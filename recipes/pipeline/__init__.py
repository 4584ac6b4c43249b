"""The way that data takes through every recipe, one room a stage.

cli → datasets → preprocessing → (the recipe's model) → evaluation → report → run
(record, export). The stages load on first use, so that a command line can answer
`--help` and usage errors before TensorFlow is imported.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
