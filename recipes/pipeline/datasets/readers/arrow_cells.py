"""The cells of Arrow's typed columns, as numbers or as people write them."""

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import types

from recipes.pipeline.datasets import encoding
from recipes.pipeline.datasets.readers.table_source import TEXTS

_BLANKS = pa.array(sorted(encoding.BLANKS))
_WHOLE_BELOW = 2.0**53
_SECONDS = pa.timestamp("s")
_MICROSECONDS = pa.timestamp("us")  # Python's; nanoseconds end in the year 2262
_DAY, _TIME, _FRACTION = "%Y-%m-%d", " %H:%M:%S", ".%f"


def describe_fault(kind: pa.DataType) -> str:
    """Return what cells hold that are neither numbers nor texts; "" if they are."""
    if types.is_dictionary(kind):
        return describe_fault(kind.value_type)
    if _is_text(kind) or _is_number(kind) or is_date(kind):
        return ""
    if types.is_boolean(kind) or types.is_time(kind) or types.is_null(kind):
        return ""
    if types.is_duration(kind):
        return "a duration; store it as a number, such as seconds"
    if types.is_struct(kind) or types.is_map(kind):
        return "an object; store its values in columns of their own"
    if types.is_nested(kind):
        return "a list; store its values in columns of their own"
    return f"a value of the type {kind}; store it as a number or a text"


def is_date(kind: pa.DataType) -> bool:
    """Return whether cells are dates, with or without a time."""
    return types.is_timestamp(kind) or types.is_date(kind)


def as_numbers(column: pa.Array) -> pa.Array:
    """Return a column as float64, with null for NaN and for texts of blanks.

    Raises:
        pyarrow.ArrowInvalid: A cell is no number; truth values and dates are none.
    """
    kind = column.type
    if types.is_dictionary(kind):
        return _convert_dictionary(column, as_numbers)
    if types.is_null(kind):
        return column.cast(pa.float64())
    if _is_text(kind):
        bare = pc.utf8_trim_whitespace(column.cast(pa.string()))
        blank = pc.is_in(bare, value_set=_BLANKS)
        column = pc.if_else(blank, pa.scalar(None, pa.string()), bare)
    elif not _is_number(kind):
        raise pa.ArrowInvalid(f"{kind} is no number")
    numbers = _widen(column).cast(pa.float64(), safe=False)
    return pc.if_else(pc.is_nan(numbers), pa.scalar(None, pa.float64()), numbers)


def as_strings(column: pa.Array, date_format: str) -> pa.Array:
    """Return a column as strings, as people write its cells.

    A float with a whole value is written without a fraction, whatever the other rows
    hold, so that a number has one text everywhere. Zeros that end a decimal fraction
    are left out. A value that `describe_fault` objects to is shown as […].

    Args:
        column: Cells of any type.
        date_format: As strptime takes it, for dates.
    """
    kind = column.type
    if types.is_dictionary(kind):
        return _convert_dictionary(column, lambda part: as_strings(part, date_format))
    if describe_fault(kind):
        return pc.if_else(column.is_valid(), "[…]", pa.scalar(None, pa.string()))
    if types.is_boolean(kind):
        return pc.if_else(column, "True", "False")
    if is_date(kind):
        return _write_dates(column, date_format)
    if types.is_floating(kind):
        return _write_floats(_widen(column))
    strings = column.cast(pa.string())
    if types.is_decimal(kind) or types.is_time(kind):
        return pc.replace_substring_regex(strings, r"\.0+$|(\.\d*[1-9])0+$", r"\1")
    return strings


def as_texts(column: pa.Array, date_format: str) -> pa.Array:
    """Return a column as `TEXTS`, written as by `as_strings`."""
    if types.is_dictionary(column.type) and not column.dictionary.null_count:
        strings = as_strings(column.dictionary, date_format)
        if not strings.null_count:
            indices = column.indices.cast(TEXTS.index_type)
            return pa.DictionaryArray.from_arrays(indices, strings)
    return as_strings(column, date_format).dictionary_encode()


def choose_date_format(column: pa.Array) -> str:
    """Return the ISO format that writes a column of dates with no needless zeros.

    The time is left out if it is midnight in all rows, and so is the fraction of a
    second. Times with a zone are written in UTC, with a Z.
    """
    moments = column.cast(_MICROSECONDS, safe=False)
    zone = "Z" if types.is_timestamp(column.type) and column.type.tz else ""
    if _are_whole(moments, "day"):
        return _DAY
    fraction = "" if _are_whole(moments, "second") else _FRACTION
    return _DAY + _TIME + fraction + zone


def _is_text(kind: pa.DataType) -> bool:
    is_view = getattr(types, "is_string_view", lambda _: str(kind) == "string_view")
    return types.is_string(kind) or types.is_large_string(kind) or is_view(kind)


def _is_number(kind: pa.DataType) -> bool:
    return types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind)


def _widen(column: pa.Array) -> pa.Array:
    """Return a column of 16-bit floats, which Arrow cannot always cast, as 32-bit."""
    if not types.is_float16(column.type):
        return column
    numbers = column.to_numpy(zero_copy_only=False).astype(np.float32)
    return pa.array(numbers, from_pandas=True)


def _convert_dictionary(
    column: pa.DictionaryArray, convert: Callable[[pa.Array], pa.Array]
) -> pa.Array:
    return convert(column.dictionary).take(column.indices)


def _write_floats(column: pa.Array) -> pa.Array:
    numbers = pc.if_else(pc.is_nan(column), pa.scalar(None, column.type), column)
    whole = pc.and_(
        pc.equal(pc.floor(numbers), numbers), pc.less(pc.abs(numbers), _WHOLE_BELOW)
    )
    digits = pc.if_else(whole, numbers, pa.scalar(0, column.type)).cast(pa.int64())
    return pc.if_else(whole, digits.cast(pa.string()), numbers.cast(pa.string()))


def _write_dates(column: pa.Array, date_format: str) -> pa.Array:
    moments = column.cast(_MICROSECONDS, safe=False)  # in UTC
    if _FRACTION not in date_format:
        moments = pc.floor_temporal(moments, unit="second").cast(_SECONDS)
    # Arrow's %S has as many digits of the fraction as the type.
    pattern = date_format.replace(f"%S{_FRACTION}", "%S").replace("%z", "+0000")
    return pc.strftime(moments, format=pattern)


def _are_whole(moments: pa.Array, unit: str) -> bool:
    whole = pc.equal(moments, pc.floor_temporal(moments, unit=unit))
    return pc.all(whole, min_count=0).as_py() is not False
