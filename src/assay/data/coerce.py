"""From any cell to a cell of a type: the one piece of code that training and serving share.

Every function takes a whole column and gives null where a cell cannot be read.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

import polars as pl

from assay.data.dates import parse_dates
from assay.errors import DataError
from assay.records.snapshot import ColumnType

MISSING = frozenset(
    word
    for plain in ("na", "n/a", "#n/a", "n.a.", "nan", "-nan", "null", "none", "nil", "nat", "<na>")
    for word in (plain, plain.upper(), plain.title())
) | {"", "?", "-", "--", ".", "NaN", "-NaN", "NaT", "\\N"}
"""Words that mean that a cell is empty; `data.missing` adds to them."""

DTYPES: dict[ColumnType, pl.DataType] = {
    "number": pl.Float64(),
    "boolean": pl.Boolean(),
    "datetime": pl.Datetime("us"),
    "category": pl.String(),
    "text": pl.String(),
    "id": pl.String(),
}

DECIMAL_COMMA = "decimal-comma"
DAY_FIRST = "day-first"

TRUE = ("true", "yes", "y", "t", "1", "on")
FALSE = ("false", "no", "n", "f", "0", "off")
_BOOLEANS = dict.fromkeys(TRUE, True) | dict.fromkeys(FALSE, False)

_SIGN = r"^([+\-−]?)\s*[€$£¥₹]?\s*"
_END = r"([eE][+-]?\d+)?\s*[%€$£¥₹]?$"
_POINT = _SIGN + r"([+-]?(?:\d+|[1-9]\d{0,2}(?:[,'’ \x{a0}\x{202f}]\d{3})+)?(?:\.\d*)?)" + _END
_COMMA = _SIGN + r"([+-]?(?:\d+|[1-9]\d{0,2}(?:[.'’ \x{a0}\x{202f}]\d{3})+)?(?:,\d*)?)" + _END

NESTED = (pl.List, pl.Array, pl.Struct, pl.Object, pl.Binary)


def is_nested(dtype: pl.DataType) -> bool:
    """Return True for lists, structs, bytes and objects: cells that hold more than one value."""
    return isinstance(dtype, NESTED)


def plain(series: pl.Series) -> pl.Series:
    """Return a column in one of four kinds: Boolean, a number, Datetime in UTC, or String."""
    dtype = series.dtype
    if isinstance(dtype, pl.Categorical | pl.Enum | pl.Time):
        return series.cast(pl.String)
    if isinstance(dtype, pl.Decimal):
        return series.cast(pl.Float64)
    if isinstance(dtype, pl.Duration):
        return series.dt.total_microseconds().cast(pl.Float64) / 1e6
    if isinstance(dtype, pl.Date):
        return series.cast(pl.Datetime("us"))
    if isinstance(dtype, pl.Datetime):
        if dtype.time_zone is not None:
            series = series.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
        return series.cast(pl.Datetime("us"))
    if isinstance(dtype, pl.Null):
        return series.cast(pl.String)
    return series


def without_missing(series: pl.Series, words: Collection[str] = ()) -> pl.Series:
    """Return a plain column without spaces at the ends, and null where a cell means "missing"."""
    if series.dtype == pl.String:
        series = series.str.strip_chars()
        gone = series.is_in([*MISSING, *words])
    elif series.dtype.is_numeric():
        if series.dtype.is_float() and series.is_nan().any():
            series = series.fill_nan(None)
        if not words:  # as it nearly always is
            return series
        values = pl.Series(list(words), dtype=pl.String).cast(pl.Float64, strict=False).drop_nulls()
        if not len(values):
            return series
        gone = series.cast(pl.Float64).is_in(values.to_list())
    else:
        return series
    return series.set(gone.fill_null(False), None) if gone.any() else series


def coerce(series: pl.Series, kind: ColumnType, reading: str = "") -> pl.Series:
    """Return a plain column, missing cells already null, as the type that `kind` stands for.

    `reading` settles what a cell alone cannot: `decimal-comma` for 1,234 and `day-first` for
    1/2/2020. A cell that cannot be read becomes null, so compare the null counts.
    """
    if kind == "number":
        return to_number(series, comma=reading == DECIMAL_COMMA)
    if kind == "boolean":
        return to_boolean(series)
    if kind == "datetime":
        return to_datetime(series, day_first=reading == DAY_FIRST)
    return to_text(series)


def to_number(series: pl.Series, *, comma: bool = False) -> pl.Series:
    """Read numbers, also with currency or percent signs, thousands groups and a decimal comma."""
    if series.dtype != pl.String:
        if isinstance(series.dtype, pl.Datetime):
            return pl.Series(series.name, [None], pl.Float64).new_from_index(0, len(series))
        return series.cast(pl.Float64)
    if not comma:
        numbers = series.cast(pl.Float64, strict=False)
        if numbers.null_count() == series.null_count():
            return numbers
    first, second = (_COMMA, _POINT) if comma else (_POINT, _COMMA)
    numbers = _read(series, first)
    rest = numbers.is_null() & series.is_not_null()
    if rest.any():
        numbers = numbers.zip_with(~rest, _read(series, second))
    return numbers


def matches_point(text: pl.Series) -> pl.Series:
    """Say of each cell whether it is a number written with a decimal point."""
    return _read(text, _POINT).is_not_null()


def matches_comma(text: pl.Series) -> pl.Series:
    """Say of each cell whether it is a number written with a decimal comma."""
    return _read(text, _COMMA).is_not_null()


def _read(text: pl.Series, pattern: str) -> pl.Series:
    mark = "," if pattern is _COMMA else "."
    groups = "[.'’ \\x{a0}\\x{202f}]" if pattern is _COMMA else "[,'’ \\x{a0}\\x{202f}]"
    parts = text.str.extract_groups(pattern).struct
    body = parts.field("2").str.replace_all(groups, "").str.replace(mark, ".", literal=True)
    sign = parts.field("1").str.replace("−", "-", literal=True)
    end = parts.field("3").fill_null("")
    numbers = (sign + body + end).cast(pl.Float64, strict=False)
    special = text.str.contains(r"^(?i)[+-]?inf(inity)?$").fill_null(False)
    return numbers.zip_with(~special, text.cast(pl.Float64, strict=False)).alias(text.name)


def to_boolean(series: pl.Series) -> pl.Series:
    """Read yes/no, true/false, y/n, t/f, on/off and 1/0 in any case."""
    if series.dtype == pl.Boolean:
        return series
    if series.dtype == pl.String:
        return series.str.to_lowercase().replace_strict(
            _BOOLEANS, default=None, return_dtype=pl.Boolean
        )
    if not series.dtype.is_numeric():
        return pl.Series(series.name, [None], pl.Boolean).new_from_index(0, len(series))
    return series.cast(pl.Float64).replace_strict(
        {1.0: True, 0.0: False}, default=None, return_dtype=pl.Boolean
    )


def to_datetime(series: pl.Series, *, day_first: bool = False) -> pl.Series:
    """Read dates in any form of `dates.FORMS`; a number is no date."""
    if isinstance(series.dtype, pl.Datetime):
        return series
    if series.dtype != pl.String:
        return pl.Series(series.name, [None], pl.Datetime("us")).new_from_index(0, len(series))
    return per_distinct(series, lambda text: parse_dates(text, day_first=day_first))


def to_text(series: pl.Series) -> pl.Series:
    """Write cells as text, so that 1, 1.0 and "1.0" are one value in every file format."""
    if series.dtype == pl.String:
        if series.str.ends_with(".0").any():
            return series.str.replace(r"^([+-]?\d+)\.0$", "$1")
        return series
    if series.dtype.is_float():
        whole = series.is_finite() & (series.round() == series) & (series.abs() < 2**53)
        as_whole = series.set(~whole.fill_null(False), None).cast(pl.Int64).cast(pl.String)
        return as_whole.zip_with(whole.fill_null(False), series.cast(pl.String))
    if isinstance(series.dtype, pl.Datetime):
        return series.dt.to_string("%Y-%m-%d %H:%M:%S")
    return series.cast(pl.String)


def lower_booleans(series: pl.Series) -> pl.Series:
    """Write the words true and false as `to_text` writes booleans; other text stays."""
    lowered = series.str.to_lowercase()
    return lowered.zip_with(lowered.is_in(["true", "false"]).fill_null(False), series)


def per_distinct(series: pl.Series, function: Callable[[pl.Series], pl.Series]) -> pl.Series:
    """Apply a cell-wise function once for each distinct value when values repeat."""
    distinct = series.unique().drop_nulls()
    if len(distinct) * 4 > len(series):
        return function(series)
    found = function(distinct)
    return series.replace_strict(distinct, found, default=None, return_dtype=found.dtype)


def unread_cells(series: pl.Series, typed: pl.Series, kind: ColumnType) -> DataError | None:
    """Return the error about the first cell that `coerce` could not read, or None."""
    count = typed.null_count() - series.null_count()
    if not count:
        return None
    unread = typed.is_null() & series.is_not_null()
    row = int(unread.arg_true()[0])
    more = f", and {count - 1} more" if count > 1 else ""
    return DataError(
        "DATA-CELL-TYPE",
        f"a cell of {series.name} cannot be read as a {kind}{more}",
        where=f"column {series.name}, row {row + 1}",
        got=str(series[row])[:80],
        hint="correct the cell, leave it empty, or add the word to data.missing",
    )


def nested_column(name: str, dtype: pl.DataType, hint: str = "") -> DataError:
    """Return the error about a column whose cells are lists, structs, bytes or objects."""
    return DataError(
        "DATA-NESTED",
        f"{name} holds more than one value in a cell",
        where=f"column {name}",
        got=str(dtype),
        allowed=["numbers", "text", "booleans", "dates"],
        hint=hint or f'add "{name}" to data.drop, or take it apart before',
    )
