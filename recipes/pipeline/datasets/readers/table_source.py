"""A table as a stream of rows, whatever the format of its file."""

from collections.abc import Iterator, Mapping
from typing import Any, Literal, Protocol

import pyarrow as pa

CellType = Literal["number", "text"]
TEXTS = pa.dictionary(pa.int32(), pa.string())


class NotNumbersError(Exception):
    """Columns that were to be read as numbers hold other texts.

    Args:
        columns: Their names.
    """

    def __init__(self, columns: tuple[str, ...]) -> None:
        super().__init__(", ".join(columns))
        self.columns = columns


class Table(Protocol):
    """Named columns of cells, which can be read again and again.

    Attributes:
        name: Short name, for folders: a file's name without suffixes.
        where: Name in messages: the file.
        names: The columns' names, different and not empty.
        header: Whether the file has them; otherwise they are x1, x2, ….
        layout: How a text file was divided into cells, so that another can be as well.
        notes: What a user should know of how the file was read.
    """

    name: str
    where: str
    names: tuple[str, ...]
    header: bool
    layout: Mapping[str, Any]
    notes: tuple[str, ...]

    def read_head(self) -> pa.Table:
        """Return the first rows, about a megabyte, all cells as strings.

        A cell without a value is null, one with an empty text "".
        """

    def read(self, types: Mapping[str, CellType]) -> Iterator[pa.RecordBatch]:
        """Read the columns that `types` names, in its order.

        Args:
            types: "number": the column comes as float64, with null for a text of
                `layers.cells.BLANKS`, blanks around it ignored. "text": as `TEXTS`,
                each cell as it stands in the file, null for a cell without a value.
                What is no text in the file is written as people write it: 3 for a float
                of 3.0, dates as ISO 8601, truth values as True and False.

        Raises:
            NotNumbersError: Cells of some columns are no numbers.
            InputError: The file is malformed; the message says where.
        """

    def locate(self, column: str, text: str) -> str:
        """Return where a text first stands in a column: "line 57" or "row 57".

        It is "" if the text stands nowhere.
        """


def name_unnamed(number: int) -> str:
    """Return the name of a column that has none; the first is number 1."""
    return f"column_{number}"
