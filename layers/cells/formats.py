"""How cells are written: an example of a number, or a pattern of dates."""

from collections.abc import Iterable
from typing import Any

from layers.cells.dates import check_date_format, parse_dates
from layers.cells.numbers import NUMBER_FORMAT, check_number_format, parse_numbers


def is_date_format(format: str) -> bool:
    """Return whether a format is that of dates or times, not that of numbers."""
    return "%" in format and NUMBER_FORMAT.fullmatch(format) is None


def check_format(format: str) -> None:
    """Check a format of numbers or dates, as `parse_numbers` and `parse_dates` take it.

    Raises:
        ValueError: There is no such format.
    """
    if is_date_format(format):
        check_date_format(format)
    else:
        check_number_format(format)


def parse_cells(texts: Any, format: str, na_values: Iterable[str] = ()) -> Any:
    """Parse numbers or dates, whichever the format is of.

    See `parse_numbers` and `parse_dates`.
    """
    parse = parse_dates if is_date_format(format) else parse_numbers
    return parse(texts, format, na_values)
