"""A table by what a user wrote for it."""

from pathlib import Path

from recipes.pipeline.datasets.readers import files
from recipes.pipeline.datasets.readers.csv_layout import LayoutOptions
from recipes.pipeline.datasets.readers.csv_table import CsvTable
from recipes.pipeline.datasets.readers.table_source import Table


def open_table(value: str, layout: LayoutOptions | None = None) -> Table:
    """Open a table.

    Args:
        value: What a user wrote: the file's path.
        layout: What the user says of a text table's layout; the rest is detected.

    Raises:
        InputError: There is no such file, or it is no table.
    """
    path = Path(value)
    files.check_file("--dataset", path)
    return CsvTable(path, layout)
