from . import cli as cli
from . import datasets as datasets
from . import evaluation as evaluation
from . import preprocessing as preprocessing
from . import report as report
from . import run as run
from . import threshold as threshold
