from .config import Config as Config
from .model import LinearRegression as LinearRegression
from .recipe import train_and_evaluate as train_and_evaluate
