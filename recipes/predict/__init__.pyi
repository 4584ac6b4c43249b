from .command import predict as predict
from .config import Config as Config
