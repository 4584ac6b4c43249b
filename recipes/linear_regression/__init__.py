"""Linear regression by gradient descent (the article, sections 3.1 and 4.1).

`LinearRegression` is the model; `Config` and `train_and_evaluate` are the recipe.
The names stand in `__init__.pyi` and load on first use, so that flags can be read
before TensorFlow is imported.
"""

import lazy_loader

from recipes.keras_registration import register_models

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
register_models(__name__)
