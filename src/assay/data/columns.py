"""A table at prediction time, column by column: what `conform` does, mostly at less cost.

Columns as they mostly come are read here, their text by what it was read as before; any other
table goes through `conform`. A table that is not read raises `Unread`, as a row does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from assay.data.coerce import DTYPES
from assay.data.conform import conform
from assay.data.row import Cell, Memory, Unread, cell_reader
from assay.errors import AssayError
from assay.records.fitted import Field

Cells = list[Any]
Column = Callable[[Cells | pl.Series], pl.Series]


class TableReader:
    """Reads tables given as columns of cells; `conform` says what each cell becomes."""

    def __init__(self, fields: Sequence[Field], missing: Sequence[str]) -> None:
        self._columns = [(field.name, _column(field, missing)) for field in fields]

    def read(self, table: Mapping[str, Cells] | pl.DataFrame) -> pl.DataFrame:
        """Return the columns of the fields, in their order and types.

        Raises Unread where `conform` has to decide.
        """
        try:
            return pl.DataFrame([read(table[name]) for name, read in self._columns])
        except (KeyError, TypeError, AssayError, OverflowError, pl.exceptions.PolarsError) as error:
            raise Unread from error


def _column(field: Field, missing: Sequence[str]) -> Column:
    cell, dtype = cell_reader(field, missing), DTYPES[field.type]  # type: ignore[index]
    memory, known = Memory(cell), _known(field, cell)
    marked = pl.Series(list(missing), dtype=pl.String).cast(pl.Float64, strict=False)
    # else some numbers mean that a cell is missing
    quick = field.type == "number" and marked.null_count() == len(missing)

    def read(column: Cells | pl.Series) -> pl.Series:
        if isinstance(column, pl.Series):
            if column.dtype != pl.String or field.type in ("number", "boolean"):
                return _series(column, field, missing)
            coded = column.cast(known, strict=False) if field.categories else None
            if coded is not None and coded.null_count() == column.null_count():
                return column
            column = column.to_list()
        if quick:
            array = _plain_numbers(column)
            if array is not None:
                return pl.Series(field.name, array)
        typed = [memory[value] for value in column]
        if field.type == "datetime":
            return pl.Series(field.name, typed, pl.Int64).cast(dtype)
        found = pl.Series(field.name, typed, dtype)
        return found.fill_nan(None) if field.type == "number" else found

    return read


def _known(field: Field, cell: Cell) -> pl.Enum:
    """Return categories that are read as they are; a column of no others needs no look."""
    plain = filter(str.isascii, field.categories)  # to read another takes a frame
    return pl.Enum([category for category in plain if cell(category) == category])


def _plain_numbers(column: Cells) -> NDArray[np.float64] | None:
    """Return (n,) numbers where all cells are; None where one is missing, text or huge."""
    try:
        array = np.array(column)
    except (ValueError, TypeError, OverflowError):
        return None
    if array.dtype.kind not in "fi" or array.ndim != 1:
        return None
    found = array.astype(np.float64)
    return None if np.isnan(found).any() else found


def _series(column: pl.Series, field: Field, missing: Sequence[str]) -> pl.Series:
    """Read a column that has a type already: whole numbers and floats without a gap are quick."""
    plain = column.dtype.is_float() or column.dtype.is_integer()
    if field.type == "number" and plain and not missing and not column.null_count():
        found = column.cast(pl.Float64)
        if not np.isnan(found.to_numpy()).any():
            return found
    frame = conform(
        pl.DataFrame([column]), [field], missing=missing, readings={field.name: field.reading}
    )
    return frame.to_series()
