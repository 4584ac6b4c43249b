"""The settings of support vector machines: of the models, and of the recipe."""

from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, dataclass
from typing import Any, Literal

from recipes.checks.settings import ModelSettings, Settings, redefined, setting
from recipes.pipeline.cli.config import DataConfig, Frame

KernelName = Literal["rbf", "linear", "polynomial", "sigmoid", "laplacian"]


@dataclass(frozen=True)
class MachineSettings(ModelSettings):
    """The arguments that all support vector machines take."""

    kernel: KernelName | str | Mapping[str, Any] | Callable[..., Any] = setting(
        "rbf",
        "k(x, z): a name that `layers.kernels` lists, such as `linear`, `rbf` or "
        "`precomputed`; a `layers.kernels.Kernel`, or its config; or a registered "
        "function of two tensors",
    )
    _: KW_ONLY
    gamma: float | Literal["scale", "auto"] = setting(
        "scale",
        "γ of a kernel given by name; scale: 1/(columns · variance of all entries); "
        "auto: 1/columns",
        above=0,
    )
    degree: int = setting(3, "degree of the polynomial kernel", least=1)
    coef0: float = setting(
        0.0, "constant term of the polynomial and the sigmoid kernel"
    )
    tolerance: float = setting(
        1e-3,
        "KKT violation to reach, over all rows, in units of the margin (regression: "
        "of the target)",
        above=0,
    )
    max_iterations: int = setting(
        10_000, "the most outer iterations of each dual problem", least=1
    )
    cache_mb: float = setting(1000.0, "megabytes for kernel values", above=0)


@dataclass(frozen=True, kw_only=True)
class CostSettings(Settings):
    """The cost of errors."""

    C: float = setting(
        1.0,
        "cost of a row beyond its margin (regression: of a unit of error beyond the "
        "tube)",
        above=0,
    )


@dataclass(frozen=True, kw_only=True)
class NuSettings(Settings):
    """The share of errors."""

    nu: float = setting(
        0.5,
        "ν: at most this share of rows lies beyond margin or tube, at least this "
        "share are support vectors",
        above=0,
        most=1,
    )


@dataclass(frozen=True, kw_only=True)
class ClassifierSettings(MachineSettings):
    """The arguments that classifiers take besides."""

    multiclass: Literal["one_vs_one", "one_vs_rest"] = setting(
        "one_vs_one",
        "from 3 classes on: a dual problem for each pair of classes, or for each class",
    )
    probability: bool = setting(
        False,
        "fit probabilities by Platt's method on held-out folds, which solves five "
        "more problems of four fifths of the rows",
    )
    seed: int = setting(0, "seed of the folds", least=0)


@dataclass(frozen=True, kw_only=True)
class SupportVectorClassifierSettings(ClassifierSettings, CostSettings):
    """The arguments of `SupportVectorClassifier`."""


@dataclass(frozen=True, kw_only=True)
class NuSupportVectorClassifierSettings(ClassifierSettings, NuSettings):
    """The arguments of `NuSupportVectorClassifier`."""


@dataclass(frozen=True, kw_only=True)
class SupportVectorRegressorSettings(MachineSettings, CostSettings):
    """The arguments of `SupportVectorRegressor`."""

    epsilon: float = setting(
        0.1, "half width of the tube in which errors cost nothing", least=0
    )


@dataclass(frozen=True, kw_only=True)
class NuSupportVectorRegressorSettings(MachineSettings, CostSettings, NuSettings):
    """The arguments of `NuSupportVectorRegressor`."""


@dataclass(frozen=True, kw_only=True)
class OneClassSettings(MachineSettings, NuSettings):
    """The arguments of `OneClassSupportVectorMachine`."""


@dataclass(frozen=True, kw_only=True)
class Config(
    DataConfig, SupportVectorClassifierSettings, SupportVectorRegressorSettings
):
    """The recipe's settings: its flags, and the arguments of `train_and_evaluate`.

    In a regression `C`, `epsilon` and `tolerance` are in standard deviations of the
    training target, so that they mean the same whatever its unit. The machine is
    fitted in the target's own unit, with the three multiplied by it.
    """

    dataset: str | Frame = redefined(DataConfig, "dataset", "breast_cancer")
    kernel: KernelName = setting("rbf", "k(x, z), over standardised columns")
    C: float = redefined(
        CostSettings,
        "C",
        1.0,
        "cost of a row beyond its margin; regression: of an error of one standard "
        "deviation of the target beyond the tube",
    )
    epsilon: float = redefined(
        SupportVectorRegressorSettings,
        "epsilon",
        0.1,
        "regression: half width of the tube in which errors cost nothing, in standard "
        "deviations of the target",
    )
    tolerance: float = redefined(
        MachineSettings,
        "tolerance",
        1e-3,
        "KKT violation to reach, over all rows, in units of the margin; regression: "
        "in standard deviations of the target",
    )
    class_weight: Literal["none", "balanced"] = setting(
        "none", "balanced: C times rows/(classes · rows of the class)"
    )
    probability: bool = redefined(
        ClassifierSettings,
        "probability",
        True,
        "classification: probabilities by Platt's method on held-out folds, which "
        "solves five more problems of four fifths of the rows; on here, as report and "
        "SavedModel show them, off in SupportVectorClassifier",
    )
    precision: Literal["float32", "float64"] = setting(
        "float32", "precision of kernel values; sums are float64 in any case"
    )
