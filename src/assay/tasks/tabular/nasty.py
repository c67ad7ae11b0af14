"""Rows made from real ones to break an export."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

BORDERS = 6
"""Values between neighbours in the data, per number column, each tried with both its neighbours."""
WIDE = 100
"""Of more columns than this, a sample is broken one by one."""
_INF = float("inf")
_NUMBERS = (
    _INF,
    -_INF,
    1e308,
    -1e308,
    3.5e38,
    1e19,
    -0.0,
    0.0,
    5e-324,
    -1e-40,
    1e-35,
    float("nan"),
)
_TEXTS = (
    "", " ", "no such value", "x" * 100_000, "\u202eтест 試験 🎯", "a\x00b", "=1+1", "<b>&amp;</b>",
    "NaN", "\n", "0", "e\u0301 é",
)  # fmt: skip
_DATES = (datetime(1, 1, 1), datetime(1900, 2, 28), datetime(1970, 1, 1), datetime(9999, 12, 31))


def nasty_rows(features: Sequence[str], frame: pl.DataFrame, seed: int) -> pl.DataFrame:
    """Return rows with the schema of `frame`, each a training row with something wrong.

    Per column: missing, and the worst values of its type, among them numbers half-way between
    neighbours in the data and one unit in the last place to both sides, where trees split. Then
    rows with everything missing and everything extreme.
    """
    draw = np.random.default_rng(seed)
    features = list(features)
    if len(features) > WIDE:
        features = [features[i] for i in np.sort(draw.permutation(len(features))[:WIDE])]
    bad = {name: _bad_values(frame[name], draw) for name in features}
    count = sum(len(values) for values in bad.values())
    rows = frame[draw.integers(0, frame.height, count)]
    start = 0
    columns = []
    for name, values in bad.items():
        place = np.arange(start, start + len(values))
        columns.append(rows[name].scatter(place, values))
        start += len(values)
    single = rows.with_columns(columns)
    worst = max(len(values) for values in bad.values())
    every = frame[draw.integers(0, frame.height, worst)].with_columns(
        values[np.arange(worst) % len(values)] for values in bad.values()
    )
    return pl.concat([single, every])


def _bad_values(column: pl.Series, draw: np.random.Generator) -> pl.Series:
    """Return missing and the worst values, of the column's type; missing comes first."""
    values: list[Any] = [None]
    if column.dtype.is_float():
        values += [*_NUMBERS, *_borders(column, draw)]
    elif column.dtype == pl.Boolean:
        values += [True, False]
    elif column.dtype.is_temporal():
        values += _DATES
    elif column.dtype == pl.String:
        values += _TEXTS
    return pl.Series(
        column.name, values, dtype=pl.Float64 if column.dtype.is_float() else None
    ).cast(column.dtype)


def _borders(column: pl.Series, draw: np.random.Generator) -> NDArray[np.float64]:
    known = column.drop_nulls().to_numpy()
    known = np.unique(known[np.isfinite(known)])
    if len(known) < 2:
        return known
    at = draw.integers(0, len(known) - 1, BORDERS)
    middle = known[at] / 2 + known[at + 1] / 2
    narrow = middle.astype(np.float32).astype(np.float64)
    borders = np.concatenate([known[at], middle, narrow])
    near = [borders, np.nextafter(borders, -_INF), np.nextafter(borders, _INF)]
    return np.concatenate(near)
