"""A table as its file gives it, before any rule has touched it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from assay.errors import DataError
from assay.records.snapshot import CleaningStep

CELL_LIMIT = 1_000_000
"""Most bytes that one cell may hold."""


@dataclass(frozen=True)
class Raw:
    """A frame with unique column names, and the names that the file gave them.

    `names` is parallel to the frame's columns and may repeat. `text` is True when the format has
    no types of its own, so every cell was read as text.
    """

    frame: pl.DataFrame
    names: tuple[str, ...]
    steps: tuple[CleaningStep, ...] = ()
    text: bool = False


def raw_of(frame: pl.DataFrame) -> Raw:
    """Return a frame whose names are its own as a `Raw`."""
    return Raw(frame, tuple(frame.columns))


def check_cells(frame: pl.DataFrame, where: str) -> None:
    """Raise DataError when a text cell is larger than `CELL_LIMIT` bytes."""
    text = frame.select(pl.col(pl.String))
    if not text.width or not text.height:
        return
    longest = text.select(pl.all().str.len_bytes().max()).row(0)
    for series, size in zip(text.iter_columns(), longest, strict=True):
        if size is not None and size > CELL_LIMIT:
            row = series.str.len_bytes().arg_max()
            raise DataError(
                "DATA-CELL-TOO-LARGE",
                f"a cell of {size / 1e6:.1f} MB is too large for a table",
                where=f"{where}, column {series.name}, row {(row or 0) + 1}",
                got=f"{size} bytes",
                allowed=[f"at most {CELL_LIMIT} bytes"],
                hint="look for a quotation mark that is never closed, or keep such content in "
                "files of its own and name them in the table",
            )


def to_polars(data: object) -> pl.DataFrame:
    """Return rows given as a polars or pandas frame, a list of dicts or a dict of lists.

    A pandas index is ignored; pandas itself is never imported.

    Raises:
        DataError: the data are none of these, or their columns differ in length.
    """
    if isinstance(data, pl.DataFrame):
        return data
    if isinstance(data, pl.LazyFrame):
        return data.collect()
    if type(data).__module__.split(".")[0] == "pandas" and hasattr(data, "columns"):
        return _from_pandas(data)
    if isinstance(data, Mapping):
        columns = {str(name): _values(values) for name, values in data.items()}
    elif isinstance(data, list | tuple) and all(isinstance(row, Mapping) for row in data):
        names = dict.fromkeys(name for row in data for name in row)
        columns = {str(name): [row.get(name) for row in data] for name in names}
    else:
        raise DataError(
            "DATA-KIND",
            f"rows cannot be read from a {type(data).__name__}",
            allowed=["polars frame", "pandas frame", "list of dicts", "dict of lists"],
        )
    if len({len(values) for values in columns.values()}) > 1:
        raise DataError("DATA-KIND", "the columns given differ in length")
    return pl.DataFrame([series(name, values) for name, values in columns.items()])


def _values(values: Any) -> list[Any]:
    """Return one column of a dict as a list; a bare value is a column of one row."""
    return [values] if is_single(values) else list(values)


def is_single(value: object) -> bool:
    """Return True for one cell of a dict, False for a column of cells."""
    return isinstance(value, str | bytes) or not isinstance(value, Iterable)


def series(name: str, values: list[Any]) -> pl.Series:
    """Return a typed series; values of more than one kind become text."""
    try:
        return pl.Series(name, values)
    except (TypeError, pl.exceptions.PolarsError, OverflowError):
        kinds = {type(value) for value in values if value is not None}
        if kinds <= {int, float}:
            return pl.Series(name, [None if v is None else float(v) for v in values], pl.Float64)
        if any(issubclass(kind, Mapping | list | tuple | bytes) for kind in kinds):
            return pl.Series(name, values, pl.Object)
        return pl.Series(name, [_text(value) for value in values], pl.String)


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return str(value).lower() if isinstance(value, bool) else str(value)


def _from_pandas(frame: Any) -> pl.DataFrame:
    names = [str(name) for name in frame.columns]
    if len(set(names)) < len(names):
        raise DataError("DATA-DUPLICATE-COLUMN", "two columns of the frame share a name")
    columns = [_pandas_column(frame.iloc[:, i], name) for i, name in enumerate(names)]
    return pl.DataFrame(columns)


def _pandas_column(column: Any, name: str) -> pl.Series:
    """Return one pandas column; its nullable, categorical and zoned types are unpacked."""
    if getattr(column.dtype, "tz", None) is not None:
        column = column.dt.tz_convert("UTC").dt.tz_localize(None)
    if isinstance(column.dtype, np.dtype) and column.dtype.kind in "biuf":
        return pl.Series(name, column.to_numpy())
    if isinstance(column.dtype, np.dtype) and column.dtype.kind == "M":
        return pl.Series(name, column.to_numpy().astype("datetime64[us]"))
    missing = column.isna().to_numpy()
    values = column.astype(object).to_numpy()
    plain = [None if gap else value for value, gap in zip(values, missing, strict=True)]
    return series(name, [v.item() if isinstance(v, np.generic) else v for v in plain])
