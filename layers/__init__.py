"""Keras layers that work in any model.

Importing this package needs TensorFlow and Keras only.
"""

from layers.calendar_parts import CalendarParts
from layers.convolution import Convolution
from layers.dense import Dense
from layers.design_columns import DesignColumns
from layers.image_rescaling import ImageRescaling
from layers.imputation import MedianImputation
from layers.kernel_expansion import KernelExpansion
from layers.linear import Linear
from layers.one_vs_one import OneVsOne
from layers.pairwise_coupling import PairwiseCoupling
from layers.pairwise_expansion import PairwiseExpansion
from layers.platt_scaling import PlattScaling
from layers.preprocessing import Preprocessing
from layers.raw_columns import RawColumns
from layers.serving_model import ServingModel
from layers.text_features import TextFeatures

__all__ = [
    "CalendarParts",
    "Convolution",
    "Dense",
    "DesignColumns",
    "ImageRescaling",
    "KernelExpansion",
    "Linear",
    "MedianImputation",
    "OneVsOne",
    "PairwiseCoupling",
    "PairwiseExpansion",
    "PlattScaling",
    "Preprocessing",
    "RawColumns",
    "ServingModel",
    "TextFeatures",
]
