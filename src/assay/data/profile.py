"""What a typed column holds: counts, range, moments, most frequent values, histogram."""

from __future__ import annotations

import numpy as np
import polars as pl
from msgspec.structs import replace
from numpy.typing import NDArray

from assay.records.snapshot import Column, ColumnType

BINS = 20
"""Bars of a histogram, of equal width from the lowest to the highest finite value."""

TOP = 20
"""How many of the most frequent values are kept."""


def describe(series: pl.Series, kind: ColumnType, top: int = TOP) -> Column:
    """Return the statistics of a typed column; infinities count as values but not in moments.

    Of a category, the `top` most frequent values are kept.
    """
    column = Column(
        name=series.name, type=kind, rows=len(series), missing=series.null_count(), unique=0
    )
    if kind == "number":
        return _number(series, column)
    if kind == "datetime":
        seconds = series.dt.epoch("us").cast(pl.Float64) / 1e6
        return _number(seconds.alias(series.name), column)
    if kind in ("category", "boolean"):
        return _counted(series, column, top)
    return replace(column, unique=_unique(series))


def _unique(series: pl.Series) -> int:
    return series.n_unique() - bool(series.null_count())


def _number(series: pl.Series, column: Column) -> Column:
    values = series.drop_nulls()
    finite = values.filter(values.is_finite()) if not values.is_finite().all() else values
    if not len(finite):
        return replace(column, unique=_unique(series))
    array = finite.to_numpy()
    low, high = float(array.min()), float(array.max())
    return replace(
        column,
        unique=_unique(series),
        low=low,
        high=high,
        mean=_plain(finite.mean()),
        std=_plain(finite.std(ddof=0)),
        median=_plain(finite.median()),
        histogram=histogram(array, low, high),
    )


def _plain(value: object) -> float | None:
    """Return a JSON number; a moment that overflowed is left out."""
    return float(value) if isinstance(value, int | float) and np.isfinite(value) else None


def histogram(values: NDArray[np.floating], low: float, high: float) -> tuple[int, ...]:
    """Count `values` in `BINS` bins of equal width over [low, high]; one bin when all are equal."""
    if not np.isfinite(high - low):
        return histogram(values / 4, low / 4, high / 4)
    width = (high - low) / BINS
    if width <= 0:
        return (len(values),)
    places = ((values - low) / width).astype(np.int64)
    counts = np.bincount(np.clip(places, 0, BINS - 1), minlength=BINS)
    return tuple(int(count) for count in counts)


def _counted(series: pl.Series, column: Column, most: int) -> Column:
    text = series.cast(pl.String)
    unique = _unique(text)
    counts = text.drop_nulls().alias("value").value_counts(name="cells")
    top = counts.sort(["cells", "value"], descending=[True, False]).head(most)
    return replace(column, unique=unique, top=tuple((str(v), int(n)) for v, n in top.rows()))
