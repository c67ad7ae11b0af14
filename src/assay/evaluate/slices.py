"""The metrics of one value of one column at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from assay.kernel.family import Predictions
from assay.metrics import Metric
from assay.metrics.base import Truth
from assay.metrics.intervals.estimates import estimates
from assay.metrics.weighted import Floats
from assay.records.report import Estimate, SliceResult

MISSING = "(missing)"
OTHER = "(other)"
REPLICATES = 500
"""A slice is for looking, not for judging: fewer draws than the headline numbers."""


def bins(series: pl.Series, count: int = 4, distinct: int = 8) -> list[str | None]:
    """Return a column as the labels of its slices, missing as None.

    Numbers with more than `distinct` values, and dates, are cut at their quantiles into `count`
    ranges ("≤ 29", "29 to 45", "> 45"); anything else stays what it is, as text.
    """
    if series.dtype.is_float():
        series = series.fill_nan(None)
    if as_words(series, distinct):
        return [None if value is None else _word(value) for value in series.to_list()]
    numbers = as_numbers(series)
    known = np.isfinite(numbers)
    cuts = quantile_cuts(numbers[known], np.arange(1, count) / count)
    names = [written(cut, series) for cut in cuts]
    labels = [f"≤ {names[0]}"]
    labels += [f"{low} to {high}" for low, high in pairwise(names)]
    labels.append(f"> {names[-1]}")
    places = np.searchsorted(cuts, numbers, side="left")
    return [labels[place] if ok else None for place, ok in zip(places, known, strict=True)]


def as_words(series: pl.Series, distinct: int = 8) -> bool:
    """Return True where a column's slices are its values: words, or few different numbers."""
    if not (series.dtype.is_numeric() or series.dtype.is_temporal()):
        return True
    known = series.fill_nan(None) if series.dtype.is_float() else series
    return known.drop_nulls().n_unique() <= distinct


def as_numbers(series: pl.Series) -> Floats:
    """Return numbers or dates as (n,) floats, missing as NaN."""
    numbers: Floats = series.to_physical().cast(pl.Float64).to_numpy()
    return numbers


def quantile_cuts(numbers: Floats, shares: Floats) -> Floats:
    """Return the different values that part (n,) known numbers, not all equal, at these shares.

    One value may fill every quantile; what differs from it is then the other part.
    """
    cuts = np.quantile(numbers, shares, method="lower")
    cuts = np.minimum(cuts, numbers[numbers < numbers.max()].max())
    return np.unique(cuts)


def _word(value: object) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def written(cut: float, series: pl.Series) -> str:
    """Return a cut as the column writes its values: a number, or a date."""
    if series.dtype.is_temporal():
        return str(pl.Series([int(cut)]).cast(series.to_physical().dtype).cast(series.dtype)[0])
    return f"{cut:.6g}"


def slice_results(
    columns: Mapping[str, Sequence[str | None]],
    metrics: Sequence[Metric],
    truth: Truth,
    predictions: Predictions,
    *,
    positive_code: int = 0,
    groups: NDArray[Any] | None = None,
    seed: int = 0,
    min_rows: int = 20,
    max_values: int = 12,
    asked: Collection[tuple[str, str]] = (),
) -> tuple[SliceResult, ...]:
    """Return the metrics of each value of each column, the most frequent value first.

    `columns` maps a column's name to its (n,) values, numbers cut by `bins`. Beyond `max_values`
    the rarest are taken together, but for the `asked` pairs of column and value. A value with
    fewer than `min_rows` rows, or a metric without meaning there, is named in the note and not
    measured.
    """
    found = []
    for column, values in columns.items():
        names = [MISSING if value is None else value for value in values]
        counted = sorted(Counter(names).items(), key=lambda item: (-item[1], item[0]))
        kept = [name for name, _ in counted]
        if len(kept) > max_values:
            rare = [name for name in kept[max_values - 1 :] if (column, name) in asked]
            kept = [*kept[: max_values - 1], *rare]
        labels = np.array(names, dtype=object)
        masks = {name: (labels == name).astype(bool) for name in kept}
        if len(counted) > len(kept):
            masks[OTHER] = ~np.logical_or.reduce(list(masks.values()))
        for name, mask in masks.items():
            part = predictions.take(mask)
            inside = None if groups is None else groups[mask]
            result = one_slice(metrics, truth[mask], part, positive_code, inside, seed, min_rows)
            measured, note = result
            rows = int(mask.sum())
            found.append(
                SliceResult(column=column, value=name, rows=rows, metrics=measured, note=note)
            )
    return tuple(found)


def one_slice(
    metrics: Sequence[Metric],
    truth: Truth,
    predictions: Predictions,
    positive_code: int,
    groups: NDArray[Any] | None,
    seed: int,
    min_rows: int = 20,
    level: float = 0.95,
) -> tuple[dict[str, Estimate], str]:
    """Return the estimates of a slice's rows by metric, and a note about what is not measured."""
    if len(truth) < min_rows:
        return {}, f"fewer than {min_rows} rows: too few to measure"
    if groups is not None and (groups == groups[0]).all():
        return {}, "all rows are of one group: no interval can be given"
    classes = predictions.values.shape[1] if predictions.values.ndim == 2 else 0
    unfit = {m.title: m.unfit(truth, classes, positive_code) for m in metrics}
    measured = estimates(
        [m for m in metrics if not unfit[m.title]],
        truth,
        predictions,
        positive_code=positive_code,
        groups=groups,
        seed=seed,
        replicates=REPLICATES,
        level=level,
    )
    return measured, "; ".join(f"no {title}: {why}" for title, why in unfit.items() if why)
