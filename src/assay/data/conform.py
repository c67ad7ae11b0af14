"""Rows at prediction time, brought into the shape that training saw by the same code."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import cast

import polars as pl

from assay.data.coerce import (
    coerce,
    is_nested,
    lower_booleans,
    nested_column,
    plain,
    unread_cells,
    without_missing,
)
from assay.errors import AssayError, DataError, Mistakes
from assay.records.fitted import Field
from assay.records.snapshot import ColumnType

MANY = 1_000
"""Rows from which on it pays to look at the distinct categories first."""


def conform(
    frame: pl.DataFrame,
    fields: Sequence[Field],
    *,
    missing: Sequence[str] = (),
    readings: Mapping[str, str] | None = None,
) -> pl.DataFrame:
    """Return the columns of `fields`, in their order and types; other columns are ignored.

    Args:
        frame: rows as they came, typed or text.
        fields: the inputs of a model.
        missing: the `data.missing` of the project.
        readings: what settles ambiguous cells of a column, from `readings_of` a snapshot.

    Raises:
        DataError: columns are missing (all are named), or a cell cannot be read (row and column).
    """
    absent = [field.name for field in fields if field.name not in frame.columns]
    if absent:
        near = {n for name in absent for n in difflib.get_close_matches(name, frame.columns, n=1)}
        raise DataError(
            "DATA-COLUMNS-MISSING",
            f"the rows lack {len(absent)} of the columns that the model needs",
            where=", ".join(absent),
            got=sorted(near) or frame.columns[:20],
            allowed=[field.name for field in fields],
            hint="add the columns; a value that is not known may be left empty",
        )
    errors: list[AssayError] = []
    columns = []
    for field in fields:
        series = frame.get_column(field.name)
        if is_nested(series.dtype):
            errors.append(nested_column(series.name, series.dtype))
            continue
        kind, reading = cast(ColumnType, field.type), (readings or {}).get(field.name, "")
        cells, typed = _typed(plain(series), kind, reading, missing)
        error = unread_cells(cells, typed, kind)
        if error:
            errors.append(error)
        columns.append(typed)
    if errors:
        raise errors[0] if len(errors) == 1 else Mistakes(errors)
    return pl.DataFrame(columns)


def _typed(
    series: pl.Series, kind: ColumnType, reading: str, missing: Sequence[str]
) -> tuple[pl.Series, pl.Series]:
    """Return the cells that are there, and what they are in the type of their column."""
    if kind == "category" and series.dtype == pl.String and series.len() >= MANY:
        distinct = series.unique()
        if distinct.len() * 4 <= series.len():
            _, typed = _typed(distinct, kind, reading, missing)
            if typed.equals(distinct, null_equal=True):  # as it nearly always is
                return series, series
    cells = without_missing(series, missing)
    typed = coerce(cells, kind, reading)
    return cells, lower_booleans(typed) if kind == "category" else typed
