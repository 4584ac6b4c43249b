"""The settings that all recipes share: which data, where to, what to leave behind."""

from collections.abc import Sequence
from dataclasses import dataclass

from recipes.errors import InputError


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


def check_numbers(
    config: DataConfig,
    *names: str,
    above: float | None = None,
    least: float | None = None,
    below: float | None = None,
    words: Sequence[str] = (),
) -> None:
    """Checks the bounds of settings; not a number is beyond every one.

    Args:
        config: a recipe's configuration.
        *names: of its settings.
        above: what they should be above.
        least: the least that they should be.
        below: what they should be below.
        words: what they may be in place of a number.

    Raises:
        InputError: names the flag and what would be right.
    """
    bounds = [] if above is None else [f"above {above}"]
    bounds += [] if least is None else [f"{least} or more"]
    bounds += [] if below is None else [f"below {below}"]
    expected = " or ".join([" and ".join(bounds) + ("," if words else ""), *words])
    for name in names:
        value = getattr(config, name)
        if value in words:
            continue
        if (
            (above is not None and not value > above)
            or (least is not None and not value >= least)
            or (below is not None and not value < below)
        ):
            raise InputError(f"--{name}={value}: should be {expected}")
