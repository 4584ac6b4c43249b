"""What the cells of a table say: numbers, dates and levels from texts.

All functions are of TensorFlow's operations alone, so that a SavedModel reads a cell
exactly as training did. They take texts of any shape, as strings or a string tensor.
"""

from layers.cells.blanks import BLANKS, PLACEHOLDERS, blank_out, clean, is_blank
from layers.cells.dates import parse_dates
from layers.cells.formats import check_format, is_date_format, parse_cells
from layers.cells.levels import encode_levels
from layers.cells.numbers import parse_numbers

__all__ = [
    "BLANKS",
    "PLACEHOLDERS",
    "blank_out",
    "check_format",
    "clean",
    "encode_levels",
    "is_blank",
    "is_date_format",
    "parse_cells",
    "parse_dates",
    "parse_numbers",
]
