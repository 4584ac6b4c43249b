"""The settings of the recipe for support vector machines."""

from dataclasses import dataclass
from typing import Literal

from recipes.errors import InputError
from recipes.pipeline.cli.config import DataConfig, check_numbers

KernelName = Literal["rbf", "linear", "polynomial", "sigmoid", "laplacian"]
Gamma = float | Literal["scale", "auto"]
Multiclass = Literal["one_vs_one", "one_vs_rest"]
ClassWeight = Literal["none", "balanced"]
Precision = Literal["float32", "float64"]


@dataclass(frozen=True, kw_only=True)
class Config(DataConfig):
    """The recipe's settings; the machines say more about those of the model.

    In a regression `C`, `epsilon` and `tolerance` are in standard deviations of the
    training target, so that they mean the same whatever its unit. The machine is
    fitted in the target's own unit, with the three multiplied by it.
    """

    dataset: str = "breast_cancer"  # embedded name, tfds:NAME[/CONFIG][:VERSION], or a
    # file: .csv .tsv .libsvm .svm .npz, …-images-idx3-ubyte; also .gz .bz2 .xz
    kernel: KernelName = "rbf"  # k(x, z), over standardised columns
    C: float = 1.0  # cost of a row beyond its margin; regression: times the target's SD
    gamma: Gamma = "scale"  # γ of the kernel; scale: 1/(columns · variance); auto:
    # 1/columns
    degree: int = 3  # of the polynomial kernel
    coef0: float = 0.0  # constant of the polynomial and the sigmoid kernel
    epsilon: float = 0.1  # regression: half width of the tube without cost, times the
    # target's SD
    class_weight: ClassWeight = "none"  # balanced: C times rows/(classes · rows of it)
    multiclass: Multiclass = "one_vs_one"  # from 3 classes on: a problem for each pair,
    # or for each class
    probability: bool = True  # classification: probabilities by Platt's method, which
    # fits four fifths of the rows five times more; off: scores only
    tolerance: float = 1e-3  # KKT violation to reach, over all rows, in units of the
    # margin; regression: times the target's SD
    max_iterations: int = 10_000  # most outer iterations of each problem
    cache_mb: float = 1000.0  # megabytes for kernel values
    precision: Precision = "float32"  # of kernel values; sums are float64 in any case

    def __post_init__(self) -> None:
        """Checks the recipe's own values.

        Raises:
            InputError: names the flag and what would be right.
        """
        check_numbers(self, "gamma", above=0, words=("scale", "auto"))
        check_numbers(self, "C", "tolerance", "cache_mb", above=0)
        check_numbers(self, "epsilon", least=0)
        check_numbers(self, "degree", "max_iterations", least=1)
        if self.resume:
            raise InputError(
                "--resume: support vector machines keep no backup to go on from; leave "
                "it away"
            )
