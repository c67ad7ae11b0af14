"""Each metric's value on the test rows with its interval."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import bdtr

from assay.kernel.family import Predictions
from assay.metrics.base import Metric, Truth
from assay.metrics.intervals.blocks import Units, units_of
from assay.metrics.intervals.gaps import gap_interval
from assay.metrics.intervals.linear import (
    Groups,
    critical,
    linear,
    linear_interval,
    variance,
    wilson,
)
from assay.metrics.intervals.resample import draws, ends, expanded
from assay.metrics.weighted import Floats, Rows
from assay.records.report import Estimate

LAWS = {
    "odds": "log-odds",
    "mean": "skewness-corrected t",
    "root": "skewness-corrected t",
    "rest": "log t",
}
"""The method's name where a metric's interval is not called after its own."""


def estimates(
    metrics: Sequence[Metric],
    truth: Truth,
    predictions: Predictions,
    *,
    positive_code: int = 0,
    groups: NDArray[Any] | None = None,
    times: NDArray[Any] | None = None,
    seed: int = 0,
    replicates: int = 2000,
    level: float = 0.95,
) -> dict[str, Estimate]:
    """Return the estimate of each metric by name; measured metrics are left out.

    `truth` is (n,) codes or numbers. `groups` (n,) names the group of each row (any values): rows
    of one group may hang together, so groups are taken whole. Without groups `times` (n,) orders
    the rows: where errors then last for a while, blocks of time are taken whole. Shares, areas and
    means have an interval from their influences (`linear.py`), a median from order statistics, the
    calibration error from the gaps of its bins (`gaps.py`); what else depends on labels is
    bootstrapped (`resample.py`). The interval always holds the value and keeps to the metric's
    range; the same seed gives the same interval.

    Raises:
        DataError: METRIC-UNDEFINED as `Metric.compute`; INTERVAL-TOO-FEW below two rows or groups.
    """
    wanted = [metric for metric in metrics if not metric.operational]
    rows = Rows.of(truth, predictions, positive_code)
    values = {m.name: m.compute(truth, predictions, positive_code) for m in wanted}
    units = units_of(rows, groups, times)
    resampled = [m for m in wanted if m.counts is not None and m.interval == "bootstrap"]
    rng = np.random.default_rng(seed)
    errors = draws(resampled, [rows], units.codes, replicates, rng) if resampled else {}
    result = {}
    for metric in wanted:
        value = values[metric.name]
        if metric.name in errors:
            z = expanded(critical(level, units.count), units.count)
            low, high = (value + end for end in ends(errors[metric.name], z))
            estimate = Estimate(value=value, low=low, high=high, n=rows.n, method="bootstrap")
        elif metric.interval == "debiased":
            low, high = gap_interval(rows, units.codes, level, replicates, rng)
            estimate = Estimate(value=value, low=low, high=high, n=rows.n, method="debiased")
        elif metric.interval == "order":
            low, high = median_interval(rows.by_size_of_error, units.codes, level)
            estimate = Estimate(value=value, low=low, high=high, n=rows.n, method="order")
        else:
            estimate = _from_influences(metric, value, rows, units, level)
        result[metric.name] = _tidy(metric, estimate, units)
    return result


def _from_influences(
    metric: Metric, value: float, rows: Rows, units: Units, level: float
) -> Estimate:
    part = linear(metric, rows)
    if part is None:
        raise ValueError(f"{metric.name} has no interval")
    low, high = linear_interval(part, units.codes, level)
    if low == high and (metric.low, metric.high) == (0.0, 1.0):
        # Without a single mistake the rows show no doubt; a proportion of so few does.
        low, high = wilson(value, part.units(units.codes), critical(level, units.count))
    method = LAWS.get(part.law, metric.interval)
    return Estimate(value=value, low=low, high=high, n=part.n, method=method)


def median_interval(
    ordered: tuple[NDArray[np.int64], Floats], groups: Groups | None, level: float
) -> tuple[float, float]:
    """Return the interval of a median of (n,) numbers, given their order and them in that order.

    Where rows hang together, the share of rows under the median has a variance, and its Wilson
    interval is read off at the order statistics (Woodruff 1952, JASA 47).
    """
    order, ranked = ordered
    n = len(ranked)
    if groups is None:
        return order_interval(ranked, 0.5, level)
    under = np.empty(n)
    under[order] = (np.arange(n) < n / 2) - 0.5
    units = len(np.unique(groups))
    size = min(0.25 / max(variance(under / n, groups), 1e-12), n)
    low, high = wilson(0.5, size, critical(level, units))
    last = n - 1
    return float(ranked[int(low * last)]), float(ranked[min(int(np.ceil(high * last)), last)])


def order_interval(ranked: Floats, quantile: float, level: float) -> tuple[float, float]:
    """Return the order statistics that hold a quantile of sorted (n,) numbers at this level.

    Source: Hahn and Meeker 1991, "Statistical Intervals", section 5.2. The smallest or largest
    number stands in where the rows are too few to reach the level.
    """
    n = len(ranked)
    tail = (1 - level) / 2
    chance = bdtr(np.arange(n), n, quantile)  # that at most i numbers lie under the quantile
    low = int(np.searchsorted(chance, tail, side="right")) - 1
    high = int(np.searchsorted(chance, 1 - tail))
    return float(ranked[max(low, 0)]), float(ranked[min(high, n - 1)])


def _tidy(metric: Metric, estimate: Estimate, units: Units) -> Estimate:
    """Keep the interval in the metric's range and around its value."""
    value = estimate.value
    return Estimate(
        value=value,
        low=min(value, max(metric.low, estimate.low)),
        high=max(value, min(metric.high, estimate.high)),
        n=estimate.n,
        method=estimate.method + units.suffix,
    )
