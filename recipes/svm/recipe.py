"""The recipe: from flags to a certified support vector machine, report and SavedModel.

The article, sections 3.2 and 4.2. `python -m recipes.svm` runs it; a notebook calls
`train_and_evaluate(Config(...))`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from recipes import pipeline
from recipes.pipeline.config import DataConfig, check_numbers
from recipes.pipeline.errors import InputError

if TYPE_CHECKING:  # at run time these load TensorFlow, which flags can do without
    import numpy as np

    from recipes.pipeline.datasets import Data
    from recipes.pipeline.report import Page
    from recipes.pipeline.run import Run
    from recipes.svm.model import SupportVectorMachine

NAME = "svm"

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


def train_and_evaluate(config: Config) -> Run:
    """Trains on the data, certifies, scores, reports and exports.

    Args:
        config: the settings.

    Returns:
        The run: model, metrics, predictions, and the folder with its files. The
        predictions of a classification are `evaluation.Decisions`.

    Raises:
        InputError: if the data or a setting are wrong; nothing is left half-written.
    """
    session = pipeline.run.Session(NAME, config)
    with session.stage("load"):
        data = load(config)
        preprocessing = pipeline.features.preprocessing(data)
        data = data.with_notes(*preprocessing.notes)
        session.open_folder(data.description)
    with session.stage("fit"):
        x_train = pipeline.parts.matrix(data.train, preprocessing)
        model = fit(config, data, x_train, session.folder)
    inference = model.inference_model()
    serving = pipeline.features.serving_model(
        data.description, preprocessing, inference
    )
    with session.stage("evaluate"):
        x_test = pipeline.parts.matrix(data.test, preprocessing)
        features = {"train": x_train, "test": x_test}
        answers = pipeline.parts.predict(inference, data, features)
        scores = pipeline.parts.score(data, answers)
    contents = {
        **scores,
        "certificate": model.certificate,
        "parameters": parameters(config, data, model),
    }
    return session.finish(
        model,
        serving,
        data,
        answers,
        contents,
        page=lambda run, command: report(run, x_train, command),
    )


def load(config: Config) -> Data:
    """Loads training and test rows, of numbers or of classes to predict."""
    from recipes.svm import advice

    task: Any = config.task  # checked by the flags, or else by what loads the data
    data = pipeline.datasets.load(config, task=task)
    if data.description.task == "regression":
        return data.with_notes(advice.on_target(data))
    if config.probability:
        advice.check_probability(data)
    return data


def target_scale(data: Data) -> float:
    """The unit of `C`, `epsilon` and `tolerance`: 1 for a classification."""
    if data.description.task == "classification":
        return 1.0
    return float(data.train.target.std())


def machine(config: Config, data: Data) -> SupportVectorMachine:
    """The machine for the data's task, not yet fitted."""
    from recipes.svm.classifier import SupportVectorClassifier
    from recipes.svm.regressor import SupportVectorRegressor

    scale = target_scale(data)
    common: dict[str, Any] = {
        "kernel": config.kernel,
        "C": config.C * scale,
        "gamma": config.gamma,
        "degree": config.degree,
        "coef0": config.coef0,
        "tolerance": config.tolerance * scale,
        "max_iterations": config.max_iterations,
        "cache_mb": config.cache_mb,
        "dtype": config.precision,
    }
    if data.description.task == "regression":
        return SupportVectorRegressor(epsilon=config.epsilon * scale, **common)
    return SupportVectorClassifier(
        multiclass=config.multiclass,
        probability=config.probability,
        seed=config.seed,
        **common,
    )


def fit(
    config: Config, data: Data, features: np.ndarray, folder: Path
) -> SupportVectorMachine:
    """Fits the machine to the preprocessed training rows, logging to `folder`."""
    from recipes.svm import advice

    model = machine(config, data)
    logs = pipeline.run.tensorboard(folder, update_freq=1)  # a batch is an iteration
    options: dict[str, Any] = {}
    if data.description.task == "classification" and config.class_weight != "none":
        options["class_weight"] = config.class_weight
    for line in advice.on_cost(config.multiclass, data):
        print(line, flush=True)
    try:
        with pipeline.interrupts.whole():
            model.fit(
                features,
                data.train.target,
                callbacks=[logs],
                verbose=pipeline.run.verbosity(),
                **options,
            )
    except KeyboardInterrupt:
        raise pipeline.run.interrupted(folder) from None
    except ValueError as error:
        pipeline.run.discard(folder)
        if "`cache_mb`" not in str(error):
            raise
        raise InputError(f"--cache_mb={config.cache_mb:g}: {error}") from None
    return model


def parameters(
    config: Config, data: Data, model: SupportVectorMachine
) -> dict[str, Any]:
    """What the settings came to: the numbers that the machine was fitted with."""
    scale = target_scale(data)
    found: dict[str, Any] = {"kernel": config.kernel, "C": config.C * scale}
    kernel = model.expansion.kernel.get_config()
    found |= {name: kernel[name] for name in kernel if name in _KERNEL_PARAMETERS}
    if data.description.task == "regression":
        found["epsilon"] = config.epsilon * scale
    else:
        found["class_weight"] = config.class_weight
    return {**found, "tolerance": config.tolerance * scale}


_KERNEL_PARAMETERS = ("gamma", "degree", "coef0")


def report(run: Run, features: np.ndarray, command: list[str]) -> Page:
    """The page of `report.html`."""
    from recipes.svm import sections

    return sections.page(run, features, command)
