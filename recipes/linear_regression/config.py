"""The settings of linear regression: of the model, and of the recipe around it."""

from dataclasses import KW_ONLY, dataclass
from typing import Any, Literal

from recipes.checks.settings import ModelSettings, redefined, setting
from recipes.pipeline.cli.config import DataConfig, Frame

Momentum = Literal["none", "heavy_ball", "nesterov"]


@dataclass(frozen=True)
class LinearRegressionSettings(ModelSettings):
    """The arguments of `LinearRegression`."""

    learning_rate: float | Literal["auto"] = setting(
        "auto",
        "α of the step θ ← θ − α ∂MSE/∂θ; auto: 1/L on standardised columns, where L "
        "is the loss's largest curvature",
        above=0,
    )
    _: KW_ONLY
    momentum: Momentum = setting(
        "nesterov",
        "none: the article's plain step; heavy_ball: plus 0.9 of the last step; "
        "nesterov: accelerated, restarts by itself",
    )
    l1: float = setting(
        0.0,
        "weight of Σ|w|, by the proximal step, which makes slopes exactly 0; "
        "scikit-learn's Lasso(alpha) is l1 = 2·alpha",
        least=0,
    )
    l2: float = setting(
        0.0,
        "weight of Σw²; scikit-learn's Ridge(alpha) is l2 = alpha / rows",
        least=0,
    )
    method: Literal["auto", "gram", "full"] = setting(
        "auto",
        "gram: steps on the second moments, read once; full: each step reads all "
        "rows; auto: gram up to 4096 columns",
    )
    tolerance: float = setting(
        1e-14,
        "relative excess loss, (loss − optimum)/optimum, to reach; 1e-14 brings "
        "coefficients to about 1e-6",
        least=0,
    )
    max_iterations: int = setting(100_000, "the most steps that a fit takes", least=1)
    dtype: Any = redefined(
        ModelSettings,
        "dtype",
        "float64",
        "dtype or dtype policy of the predictions; parameters and arithmetic are "
        "float64",
    )


@dataclass(frozen=True, kw_only=True)
class Config(DataConfig, LinearRegressionSettings):
    """The recipe's settings: its flags, and the arguments of `train_and_evaluate`.

    Penalties are over standardised columns.
    """

    dataset: str | Frame = redefined(DataConfig, "dataset", "diabetes")
    batch_size: int = setting(
        8192, "rows read at a time; every step uses all rows", least=1
    )
