"""One row at prediction time without a frame: what `conform` does, cell by cell in Python.

The quick ways below are for cells as they mostly come; any other cell goes through `conform`
itself. A row that cannot be read raises `Unread`, and the caller asks `conform` for the error.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import polars as pl

from assay.data.coerce import DECIMAL_COMMA, FALSE, MISSING, TRUE
from assay.data.conform import conform
from assay.data.raw import is_single, series
from assay.errors import AssayError
from assay.records.fitted import Field

Cell = Callable[[Any], object]

_BOOLEANS = dict.fromkeys(TRUE, True) | dict.fromkeys(FALSE, False)
_SPACE = " \t\n\r\x0b\x0c"
_NUMBER = re.compile(r"-?[0-9]{1,15}(?:\.[0-9]{1,15})?")
_WHOLE = re.compile(r"([+-]?[0-9]+)\.0")
_DAY = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
    r"(?:[ T][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{3}(?:[0-9]{3})?)?)?"
    r"(?:Z|[+-][0-9]{2}:[0-9]{2})?)?"
)
_NAN = float("nan")
_EPOCH, _EPOCH_UTC = datetime(1970, 1, 1), datetime(1970, 1, 1, tzinfo=UTC)
_DAY_MICROSECONDS, _SECOND_MICROSECONDS = 86_400_000_000, 1_000_000
_NUMPY = frozenset({np.float64, np.int64, np.bool_})
"""Scalars that are a float, int or bool of Python to every rule: those of a pandas row."""
_SAFE = 2**53
"""Whole numbers below this are the same as a float."""
_REMEMBERED, _SHORT = 2_000, 200
"""Cells of text that a column remembers, at most, and the longest of them."""


class Unread(Exception):
    """A row that is not one row of plain cells, or that does not fit the columns."""


class RowReader:
    """Reads rows given as mappings from column to cell; `conform` says what each cell becomes."""

    def __init__(self, fields: Sequence[Field], missing: Sequence[str]) -> None:
        self._cells = tuple((field.name, cell_reader(field, missing)) for field in fields)

    def read(self, row: Mapping[Any, Any]) -> list[object]:
        """Return the cells in the order of the fields, in the form of `Predictor.row`.

        Raises Unread where `conform` has to decide.
        """
        try:
            found = [read(row[name]) for name, read in self._cells]
        except (KeyError, TypeError, AssayError) as error:
            raise Unread from error
        if len(row) > len(found) and not all(map(is_single, row.values())):
            raise Unread
        return found


def cell_reader(field: Field, missing: Sequence[str]) -> Cell:
    """Return the reader of one cell; it raises Unread or DataError where there is none."""
    slow = _slow(field, missing)

    def other(value: Any) -> object:
        return read(value.item()) if type(value) in _NUMPY else slow(value)

    read = _quick(field, missing, other)
    return Memory(read).__getitem__ if field.type == "category" else read


class Memory(dict[Any, Any]):
    """What texts were read as; how many it holds is bounded. Any other cell is read anew.

    Rows that wait to be logged share their texts by it.
    """

    def __init__(self, read: Cell) -> None:
        super().__init__()
        self._read = read

    def __missing__(self, cell: Any) -> object:
        found = self._read(cell)
        if type(cell) is str and len(self) < _REMEMBERED and len(cell) < _SHORT:
            self[cell] = found
        return found


def _quick(field: Field, missing: Sequence[str], slow: Cell) -> Cell:
    words = frozenset([*MISSING, *missing])
    gone = pl.Series(list(missing), dtype=pl.String).cast(pl.Float64, strict=False)
    numbers = frozenset(gone.drop_nulls().to_list())
    if field.type == "number":
        return _number(words, numbers, slow, comma=field.reading == DECIMAL_COMMA)
    if field.type == "boolean":
        return _boolean(words, numbers, slow)
    if field.type == "datetime":
        return _datetime(words, Memory(slow).__getitem__)
    return _text(words, numbers, Memory(slow).__getitem__, lower=field.type == "category")


def _slow(field: Field, missing: Sequence[str]) -> Cell:
    """Return the reader that makes a frame of one cell."""

    def read(value: Any) -> object:
        if not is_single(value):
            raise Unread
        frame = pl.DataFrame([series(field.name, [value])])
        typed = conform(frame, [field], missing=missing, readings={field.name: field.reading})
        cell = typed.to_series()
        if field.type == "datetime":
            return cell.cast(pl.Int64).item()
        found = cell.item()
        return _NAN if found is None and field.type == "number" else found

    return read


def _number(words: frozenset[str], numbers: frozenset[float], slow: Cell, *, comma: bool) -> Cell:
    def read(value: Any) -> object:
        kind = type(value)
        if kind is float:
            return value if not numbers or value not in numbers else _NAN
        if kind is int and -_SAFE < value < _SAFE:
            return float(value) if value not in numbers else _NAN
        if value is None:
            return _NAN
        if kind is str and value.isascii():
            text = value.strip(_SPACE)
            if text in words:
                return _NAN
            if not comma and _NUMBER.fullmatch(text):
                return float(text)
        return slow(value)

    return read


def _boolean(words: frozenset[str], numbers: frozenset[float], slow: Cell) -> Cell:
    def read(value: Any) -> object:
        kind = type(value)
        if kind is bool or value is None:
            return value
        if kind is str and value.isascii():
            text = value.strip(_SPACE)
            if text in words:
                return None
            found = _BOOLEANS.get(text.lower())
            return slow(value) if found is None else found
        if (kind is int or kind is float) and value in (0, 1) and value not in numbers:
            return value == 1
        return slow(value)

    return read


def _text(words: frozenset[str], numbers: frozenset[float], slow: Cell, *, lower: bool) -> Cell:
    def read(value: Any) -> object:
        kind = type(value)
        if kind is str and value.isascii():
            text = value.strip(_SPACE)
            if text in words:
                return None
            if text.endswith(".0"):
                whole = _WHOLE.fullmatch(text)
                return whole[1] if whole else text
            lowered = text.lower()
            return lowered if lower and lowered in ("true", "false") else text
        if value is None:
            return None
        if kind is bool:
            return "true" if value else "false"
        if kind is int and -_SAFE < value < _SAFE and value not in numbers:
            return str(value)
        if kind is float and value.is_integer() and -_SAFE < value < _SAFE and value not in numbers:
            return str(int(value))
        return slow(value)

    return read


def _datetime(words: frozenset[str], slow: Cell) -> Cell:
    def read(value: Any) -> object:
        kind = type(value)
        if kind is str and value.isascii():
            text = value.strip(_SPACE)
            if text in words:
                return None
            if _DAY.fullmatch(text):
                try:
                    return _microseconds(datetime.fromisoformat(text))
                except ValueError:
                    return slow(value)
        elif kind is datetime:
            return _microseconds(value)
        elif kind is date:
            return _microseconds(datetime(value.year, value.month, value.day))
        elif value is None:
            return None
        return slow(value)

    return read


def _microseconds(moment: datetime) -> int:
    """Return whole microseconds since 1970, UTC."""
    since = moment - (_EPOCH if moment.tzinfo is None else _EPOCH_UTC)
    seconds = since.seconds * _SECOND_MICROSECONDS
    return since.days * _DAY_MICROSECONDS + seconds + since.microseconds
