"""Predictions for the rows of a file, by the model that a run has exported.

`Config` are the settings, `predict` the command. The names stand in `__init__.pyi` and
load on first use, so that flags can be read before TensorFlow is imported.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
