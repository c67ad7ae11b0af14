"""Which rows of a window lie in which slice of the report."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import groupby

import numpy as np
import polars as pl
from numpy.typing import NDArray

from assay.records.report import SliceResult

Mask = NDArray[np.bool_]
MISSING, OTHER = "(missing)", "(other)"
UP_TO, ABOVE, TO = "≤ ", "> ", " to "


def slice_masks(slices: Sequence[SliceResult], frame: pl.DataFrame) -> dict[str, Mask]:
    """Return the (n,) rows of each slice by `COLUMN=VALUE`; a column that is absent has none.

    A slice of numbers or dates is a range, as the report writes it: `≤ 29`, `29 to 45`, `> 45`.
    """
    found: dict[str, Mask] = {}
    for column, group in groupby(slices, key=lambda s: s.column):
        values = [s.value for s in group]
        if column not in frame.columns:
            continue
        series = frame[column]
        if series.dtype.is_float():
            series = series.fill_nan(None)
        ranged = any(v.startswith(UP_TO) for v in values) and series.dtype != pl.String
        masks = _ranges(series, values) if ranged else _words(series, values)
        found |= {f"{column}={value}": mask for value, mask in masks.items()}
    return found


def _words(series: pl.Series, values: Sequence[str]) -> dict[str, Mask]:
    by_word: dict[str, list[object]] = {}
    for value in series.unique().to_list():
        by_word.setdefault(_word(value), []).append(value)
    masks = {
        value: series.is_in(by_word.get(value, []), nulls_equal=True).to_numpy()
        for value in values
        if value != OTHER
    }
    if OTHER in values:
        masks[OTHER] = ~np.logical_or.reduce(list(masks.values()), initial=np.False_)
    return masks


def _word(value: object) -> str:
    if value is None:
        return MISSING
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _ranges(series: pl.Series, values: Sequence[str]) -> dict[str, Mask]:
    known = series.is_not_null().to_numpy()
    timed = series.dtype.is_temporal()
    plain = series.cast(pl.Datetime("us")).to_physical() if timed else series
    numbers = plain.cast(pl.Float64).fill_null(np.nan).to_numpy()
    masks: dict[str, Mask] = {}
    for value in values:
        if value == MISSING:
            masks[value] = ~known
        elif value != OTHER:
            low, high = (_number(end, timed=timed) for end in _ends(value))
            masks[value] = known & (numbers > low) & (numbers <= high)
    return masks


def _ends(value: str) -> tuple[str, str]:
    if value.startswith(UP_TO):
        return "-inf", value.removeprefix(UP_TO)
    if value.startswith(ABOVE):
        return value.removeprefix(ABOVE), "inf"
    low, _, high = value.partition(TO)
    return low, high


def _number(text: str, *, timed: bool) -> float:
    """Return an end of a range; dates in microseconds since 1970."""
    if not timed or text.endswith("inf"):
        return float(text)
    moment = datetime.fromisoformat(text)
    return (moment.replace(tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(
        microseconds=1
    )
