"""The settings that all recipes share: which data, where to, what to leave behind."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class DataConfig:
    """What every recipe's `Config` begins with.

    The comment behind a field is the help text of its flag.
    """

    dataset: str  # embedded name, tfds:NAME[/CONFIG][:VERSION], or a file:
    # .csv .tsv .libsvm .svm .npz, or images, …-images-idx3-ubyte; also .gz .bz2 .xz
    test_dataset: str = ""  # separate test set, same forms; empty: split one off
    test_fraction: float = 0.2  # share of rows held out for the test, between 0 and 1
    target: str = ""  # target column of a table; empty: the last one
    task: str = "auto"  # auto, regression or classification
    seed: int = 0  # the same seed gives the same numbers to the bit
    out_dir: str = ""  # folder for the run's files; empty: runs/RECIPE/DATASET
    report: bool = True  # write report.html
    export: bool = True  # write model.keras and the SavedModel export/N
    resume: bool = False  # go on from the backup that a killed run left in out_dir
