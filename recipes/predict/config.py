"""The settings of `python -m recipes.predict`."""

from dataclasses import dataclass

from recipes.checks.settings import Settings, setting
from recipes.errors import ArgumentError

OUTPUT_SUFFIXES = (".csv", ".csv.gz", ".parquet")


@dataclass(frozen=True, kw_only=True)
class Config(Settings):
    """What to predict with which model, and where to write it; each is a flag.

    Raises:
        ArgumentError: If a value is wrong or missing.
    """

    run: str = setting(
        "", "folder of a run, of which the newest export/N is used, or one such export"
    )
    dataset: str = setting(
        "", "the rows to predict: a table, or arrays, as a run takes"
    )
    output: str = setting("", "file to write: .csv, .csv.gz or .parquet")
    id: tuple[str, ...] = setting(
        (), "columns of the table to keep beside the predictions; empty: all"
    )
    target: str = setting(
        "", "column with the truth, to score against; empty: the run's target, if there"
    )

    def __post_init__(self) -> None:
        """Check the values."""
        super().__post_init__()
        for name, expected in (
            ("run", "the folder of a run, such as runs/svm/iris"),
            ("dataset", "the file with the rows to predict"),
            ("output", "the file to write, such as scored.csv"),
        ):
            if not getattr(self, name):
                raise ArgumentError(name, expected, "")
        if not self.output.lower().endswith(OUTPUT_SUFFIXES):
            expected = "a file that ends in .csv, .csv.gz or .parquet"
            raise ArgumentError("output", expected, self.output)
