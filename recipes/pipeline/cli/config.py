"""The settings that all recipes share: which data, where to, what to leave behind."""

from dataclasses import dataclass
from typing import Literal

from recipes.checks.settings import Settings, setting

LARGEST_SEED = 2**32 - 1  # NumPy's limit


@dataclass(frozen=True, kw_only=True)
class DataConfig(Settings):
    """The fields that every recipe's `Config` has; each is a flag.

    Raises:
        ArgumentError: If a value is wrong.
    """

    dataset: str = setting(
        "",
        "embedded name, tfds:NAME[/CONFIG][:VERSION], or a file: .csv .tsv .libsvm "
        ".svm .npz, or images, …-images-idx3-ubyte; also .gz .bz2 .xz",
    )
    test_dataset: str = setting(
        "", "separate test set, same forms; empty: split one off"
    )
    test_fraction: float = setting(
        0.2, "share of rows held out for the test", above=0, below=1
    )
    target: str = setting("", "target column of a table; empty: the last one")
    task: Literal["auto", "regression", "classification"] = setting(
        "auto", "what to predict: numbers or classes; auto: as the target looks"
    )
    seed: int = setting(
        0,
        "the same seed gives the same numbers to the bit",
        least=0,
        most=LARGEST_SEED,
    )
    out_dir: str = setting("", "folder for the run's files; empty: runs/RECIPE/DATASET")
    report: bool = setting(True, "write report.html")
    export: bool = setting(True, "write model.keras and the SavedModel export/N")
    split: str = setting(
        "random",
        "which rows are held out: random, time:COLUMN (the last ones by it) or "
        "group:COLUMN (those with the same value stay together)",
    )
    positive_class: str = setting(
        "", "of two classes, the one of index 1; empty: the last by name"
    )
    threshold: str = setting(
        "",
        "of two classes, from what probability of the positive one (or score, where "
        "there are no probabilities) a row is of it: a number, balanced or "
        "cost=FN:FP; empty: the score decides",
    )
    log_target: bool = setting(
        False, "numbers: learn the target's logarithm; predict, and score, the target"
    )
    weights: str = setting("", "column of a table that holds the rows' weights")
    resume: bool = setting(
        False, "go on from what a run that ended early has left in out_dir"
    )
