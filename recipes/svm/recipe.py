"""The recipe: from flags to a certified support vector machine, report and SavedModel.

The article, sections 3.2 and 4.2. `python -m recipes.svm` runs it; a notebook calls
`train_and_evaluate(Config(...))`.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from recipes import pipeline
from recipes.pipeline.config import DataConfig
from recipes.pipeline.errors import InputError

if TYPE_CHECKING:  # at run time these load TensorFlow, which flags can do without
    import numpy as np

    from recipes.pipeline.datasets import Data
    from recipes.pipeline.run import Run
    from recipes.svm.model import SupportVectorMachine

NAME = "svm"
BATCH_SIZE = 8192  # rows that are preprocessed, or predicted, at a time

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
        if self.gamma not in ("scale", "auto"):
            _check("gamma", self.gamma, "above 0, or scale or auto", above=0)
        for name in ("C", "tolerance", "cache_mb"):
            _check(name, getattr(self, name), "above 0", above=0)
        _check("epsilon", self.epsilon, "0 or more", least=0)
        for name in ("degree", "max_iterations"):
            _check(name, getattr(self, name), "1 or more", least=1)
        if self.resume:
            raise InputError(
                "--resume: support vector machines keep no backup to go on from; leave "
                "it away"
            )


def _check(
    name: str,
    value: Any,
    expected: str,
    *,
    above: float | None = None,
    least: float | None = None,
) -> None:
    """Checks a bound; not a number is beyond every one."""
    if (above is not None and not value > above) or (
        least is not None and not value >= least
    ):
        raise InputError(f"--{name}={value}: should be {expected}")


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
    import keras

    keras.utils.set_random_seed(config.seed)
    clock = pipeline.run.Stopwatch()
    with clock("load"):
        data = load(config)
        preprocessing = pipeline.features.preprocessing(data)
        data = data.with_notes(*preprocessing.notes)
        folder = pipeline.run.open_folder(config, NAME, data.description)
    with clock("fit"):
        features = preprocessed(data.train_dataset(BATCH_SIZE), preprocessing)
        model = fit(config, data, features, folder)
    inference = model.inference_model()
    serving = pipeline.features.serving_model(
        data.description, preprocessing, inference
    )
    with clock("evaluate"):
        predictions = predict(data, features, preprocessing, inference)
        scores = score(data, predictions)
    parts = {
        **scores,
        "certificate": model.certificate,
        "parameters": parameters(config, data, model),
    }
    if config.export:
        with clock("export"):
            pipeline.export.save_keras(serving, folder / "model.keras")
            pipeline.export.save_model(serving, folder / "export", outputs(data))
    metrics = pipeline.run.record(NAME, data, parts, clock.seconds)
    run = pipeline.run.Run(model, serving, metrics, folder, data, predictions)
    if config.report:
        with clock("report"):
            write_report(config, run, features)
    pipeline.run.finish(run, config)
    return run


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


def preprocessed(dataset: Any, preprocessing: Any) -> np.ndarray:
    """The features of a dataset's rows as one matrix `[n, p]`, float32."""
    import numpy as np

    return np.concatenate([preprocessing(rows).numpy() for rows, _ in dataset])


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
    import keras

    from recipes.svm import advice

    model = machine(config, data)
    logs = folder / pipeline.run.LOGS
    shutil.rmtree(logs, ignore_errors=True)
    options: dict[str, Any] = {}
    if data.description.task == "classification" and config.class_weight != "none":
        options["class_weight"] = config.class_weight
    for line in advice.on_cost(config.multiclass, data):
        print(line, flush=True)
    # A batch is an iteration.
    board = keras.callbacks.TensorBoard(str(logs), write_graph=False, update_freq=1)
    try:
        with pipeline.interrupts.whole():
            model.fit(
                features,
                data.train.target,
                callbacks=[board],
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


def predict(
    data: Data, features: np.ndarray, preprocessing: Any, inference: Any
) -> tuple[Any, ...]:
    """What the machine makes of the training and of the test rows."""
    test = preprocessed(data.test_dataset(BATCH_SIZE), preprocessing)
    answers = (
        inference.predict(each, batch_size=BATCH_SIZE, verbose=0)
        for each in (features, test)
    )
    if data.description.task == "regression":
        return tuple(answers)
    made = (
        pipeline.evaluation.decisions(
            rows.target, **(each if isinstance(each, dict) else {"scores": each})
        )
        for rows, each in zip((data.train, data.test), answers, strict=True)
    )
    return tuple(made)


def score(data: Data, predictions: tuple[Any, ...]) -> dict[str, dict[str, Any]]:
    """Scores on both parts, and those of the simplest rival on the test."""
    evaluation = pipeline.evaluation
    y_train, y_test = data.train.target, data.test.target
    if data.description.task == "regression":
        return {
            "train": evaluation.regression_scores(y_train, predictions[0]),
            "test": evaluation.regression_scores(y_test, predictions[1]),
            "baseline": evaluation.mean_baseline_scores(y_train, y_test),
        }
    train, test = (
        evaluation.classification_scores(made.target, made.scores, made.probabilities)
        for made in predictions
    )
    classes = len(data.description.target.levels)
    baseline = evaluation.majority_baseline_scores(y_train, y_test, classes)
    return {"train": train, "test": test, "baseline": baseline}


def outputs(data: Data) -> Any:
    """What turns the machine's answer into the SavedModel's named outputs."""
    if data.description.task == "regression":
        return pipeline.export.regression_outputs
    return pipeline.export.classification_outputs(data.description.target.levels)


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


def write_report(config: Config, run: Run, features: np.ndarray) -> None:
    """Writes `report.html`."""
    from recipes.svm import sections

    page = sections.page(run, features, pipeline.flags.command(config, NAME))
    with pipeline.export.whole_file(run.out_dir / "report.html", "the report") as path:
        pipeline.report.write(path, pipeline.report.render(page))
