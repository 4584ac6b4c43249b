from .config import Config as Config
from .models.classifier import NuSupportVectorClassifier as NuSupportVectorClassifier
from .models.classifier import SupportVectorClassifier as SupportVectorClassifier
from .models.one_class import (
    OneClassSupportVectorMachine as OneClassSupportVectorMachine,
)
from .models.regressor import NuSupportVectorRegressor as NuSupportVectorRegressor
from .models.regressor import SupportVectorRegressor as SupportVectorRegressor
from .recipe import train_and_evaluate as train_and_evaluate
