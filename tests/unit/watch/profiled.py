"""Frames, fields and counts by the plain way, for the tests of profiles."""

from __future__ import annotations

import numpy as np
import polars as pl

from assay.records.fitted import Field
from assay.watch.columns.form import ColumnProfile

TYPES = {pl.Float64: "number", pl.Int64: "number", pl.Boolean: "boolean", pl.Date: "datetime"}


def fields_of(frame: pl.DataFrame, **types: str) -> list[Field]:
    """Return fields with the types that dtypes have, unless they are given."""
    return [
        Field(
            name=name, type=types.get(name, TYPES.get(dtype.base_type(), "category")), missing=True
        )
        for name, dtype in frame.schema.items()
    ]


def cell_of(column: ColumnProfile, value: object) -> int:
    """Return the cell of one value: what `ColumnProfile` says, word by word."""
    if value is None or value != value:
        return column.bins + 1
    if column.kind == "category":
        return column.values.index(value) if value in column.values else column.bins
    if abs(value) == float("inf"):
        return column.bins
    return sum(value >= edge for edge in column.edges)


def plainly(column: ColumnProfile, values: list[object]) -> list[int]:
    """Return the counts of values, one value at a time."""
    cells = [cell_of(column, value) for value in values]
    return np.bincount(cells, minlength=len(column.counts)).tolist()
