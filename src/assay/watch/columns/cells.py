"""The cell of a value: numbers by edges, categories by name."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from assay.watch.columns.form import ColumnProfile
from assay.watch.columns.words import among, hashes

Numbers = NDArray[np.float64]


def numbers_of(series: pl.Series) -> Numbers:
    """Return (n,) float64: NaN where missing, infinite where a text is no number.

    Dates are seconds since 1970 (UTC).
    """
    if isinstance(series.dtype, pl.Date | pl.Datetime):
        moments = series.cast(pl.Datetime("us")).to_physical().cast(pl.Float64)
        return moments.to_numpy() / 1e6
    numbers = series.cast(pl.Float64, strict=False)
    if numbers.null_count() > series.null_count():
        numbers = numbers.set(numbers.is_null() & series.is_not_null(), float("inf"))
    return numbers.to_numpy()


def category_of(series: pl.Series) -> pl.Series:
    """Return categories as text: booleans as `true` and `false`."""
    return series if series.dtype == pl.String else series.cast(pl.String)


def cells_of(column: ColumnProfile, values: Numbers | pl.Series) -> NDArray[np.int32]:
    """Return the cell of each number or category, (n,)."""
    if isinstance(values, pl.Series):
        return _category_cells(column, values)
    return _number_cells(column, values)


def _number_cells(column: ColumnProfile, numbers: Numbers) -> NDArray[np.int32]:
    cells = np.searchsorted(np.array(column.edges), numbers, side="right").astype(np.int32)
    cells[np.isinf(numbers)] = column.bins
    cells[np.isnan(numbers)] = column.bins + 1
    return cells


def _category_cells(column: ColumnProfile, text: pl.Series) -> NDArray[np.int32]:
    unseen, own = column.bins, len(column.values)
    names = pl.Series(column.values, dtype=pl.String)
    places = pl.Series(range(own), dtype=pl.Int32)
    found = text.replace_strict(names, places, default=unseen, return_dtype=pl.Int32)
    if column.known:
        odd = text.filter(found == unseen).drop_nulls().unique()
        rare = odd.filter(pl.Series(among(hashes(odd), column.known), dtype=pl.Boolean))
        found = found.set(text.is_in(rare.implode()).fill_null(value=False), own)
    cells: NDArray[np.int32] = found.set(text.is_null(), unseen + 1).to_numpy()
    return cells


def tally(column: ColumnProfile, text: pl.Series) -> NDArray[np.int64]:
    """Return how many categories fall into each cell, (bins + 2,)."""
    counted = text.rename("value").value_counts(name="rows")
    cells = _category_cells(column, counted["value"])
    rows = counted["rows"].to_numpy()
    return np.bincount(cells, rows, len(column.counts)).astype(np.int64)


def sorted_tally(edges: Numbers, ordered: Numbers) -> tuple[NDArray[np.int64], Numbers]:
    """Return counts (len(edges) + 3,) and moments (5,) of sorted numbers, NaN last."""
    low = int(ordered.searchsorted(-np.inf, side="right"))
    high, end = ordered.searchsorted([np.inf, np.nan]).tolist()
    finite = ordered[low:high]
    bins = np.diff(finite.searchsorted(edges), prepend=0, append=finite.size)
    counts = np.concatenate([bins, [low + end - high, ordered.size - end]]).astype(np.int64)
    if not finite.size:
        return counts, np.array([0.0, 0.0, 0.0, np.inf, -np.inf])
    with np.errstate(over="ignore", invalid="ignore"):
        total, squares = finite.sum(), np.square(finite).sum()
    return counts, np.array([finite.size, total, squares, finite[0], finite[-1]])
