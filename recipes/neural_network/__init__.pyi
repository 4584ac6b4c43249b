from .config import Config as Config
from .models.classifier import (
    MultilayerPerceptronClassifier as MultilayerPerceptronClassifier,
)
from .models.regressor import (
    MultilayerPerceptronRegressor as MultilayerPerceptronRegressor,
)
from .recipe import train_and_evaluate as train_and_evaluate
from .training.learning_rate import find_learning_rate as find_learning_rate
