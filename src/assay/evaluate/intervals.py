"""Each metric's value on the test rows with its interval."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import bdtr

from assay.errors import DataError
from assay.evaluate.linear import Groups, critical, linear, linear_interval, wilson
from assay.evaluate.resample import draws, ends, expanded
from assay.kernel.family import Predictions
from assay.metrics import Metric
from assay.metrics.base import Truth
from assay.metrics.weighted import Floats, Rows, calibration_noise
from assay.records.report import Estimate


def estimates(
    metrics: Sequence[Metric],
    truth: Truth,
    predictions: Predictions,
    *,
    positive_code: int = 0,
    groups: NDArray[Any] | None = None,
    seed: int = 0,
    replicates: int = 2000,
    level: float = 0.95,
) -> dict[str, Estimate]:
    """Return the estimate of each metric by name; measured metrics are left out.

    `truth` is (n,) codes or numbers. `groups` (n,) names the group of each row (any values): rows
    of one group may hang together, so groups are resampled whole. Areas take DeLong's variance
    and proportions their own, both in Wilson's interval; a median takes order statistics; the rest
    is bootstrapped (`resample.py`). The interval always holds the value and keeps to the metric's
    range; the same seed gives the same interval.

    Raises:
        DataError: METRIC-UNDEFINED as `Metric.compute`; INTERVAL-TOO-FEW below two rows or groups.
    """
    wanted = [metric for metric in metrics if not metric.operational]
    rows = Rows(truth, predictions.values, positive_code)
    values = {m.name: m.compute(truth, predictions, positive_code) for m in wanted}
    codes, units = unit_codes(rows.n, groups)
    resampled = [m for m in wanted if _is_resampled(m, codes)]
    rng = np.random.default_rng(seed)
    errors = draws(resampled, [rows], codes, replicates, rng) if resampled else {}
    result = {}
    for metric in wanted:
        value = values[metric.name]
        if metric.name in errors:
            estimate = _from_errors(metric, value, errors[metric.name], rows, units, level)
        elif metric.interval == "order":
            low, high = order_interval(rows.by_size_of_error[1], 0.5, level)
            estimate = Estimate(value=value, low=low, high=high, n=rows.n, method="order")
        else:
            part = linear(metric, rows)
            low, high = linear_interval(part, codes, level)
            estimate = Estimate(value=value, low=low, high=high, n=part.n, method=metric.interval)
        result[metric.name] = _tidy(metric, estimate, grouped=codes is not None)
    return result


def unit_codes(n: int, groups: NDArray[Any] | None) -> tuple[Groups | None, int]:
    """Return the groups as codes from 0 without gaps (None when there are none), and the units.

    Raises:
        DataError: INTERVAL-TOO-FEW when there are fewer than two rows or groups.
    """
    codes: Groups | None = None
    units = n
    if groups is not None:
        names = groups if groups.dtype.kind in "iuf" else groups.astype(str)
        known, inverse = np.unique(names, return_inverse=True)
        codes, units = inverse.astype(np.int64), len(known)
    if units < 2:
        what = "group" if groups is not None else "row"
        raise DataError(
            "INTERVAL-TOO-FEW",
            f"one {what} of test data cannot show how much a metric would vary",
            where="test rows",
            got=units,
            allowed=(f"two {what}s or more",),
            hint="set aside a larger share of the data with split.test",
        )
    return codes, units


def _is_resampled(metric: Metric, groups: Groups | None) -> bool:
    if metric.interval == "order":
        return groups is not None
    return metric.interval in ("bootstrap", "debiased")


def _from_errors(
    metric: Metric, value: float, errors: Floats, rows: Rows, units: int, level: float
) -> Estimate:
    """Return the estimate that resampled errors give."""
    z = expanded(critical(level, units), units)
    if metric.interval == "debiased":
        low, high = debiased(errors, calibration_noise(rows), z)
    else:
        low, high = ends(metric, errors, z)
    low, high = value + low, value + high
    if np.ptp(errors) == 0 and (metric.low, metric.high) == (0.0, 1.0):
        # Without a single mistake the draws show no doubt; a proportion of so few rows does.
        few = min(units, int(rows.positive.sum())) if metric.needs == "positive" else units
        low, high = wilson(value, few, z)
    return Estimate(value=value, low=low, high=high, n=rows.n, method="bootstrap")


def debiased(errors: Floats, noise: float, z: float) -> tuple[float, float]:
    """Return the ends for a sum of absolute noisy gaps, which noise can only enlarge.

    The low end allows for all of it being noise: `noise` is what a calibrated model would show.
    Where rows hang together the draws may know better: their bias is sqrt 2 - 1 of the value's own.
    """
    noise = max(noise, float(errors.mean()) / (np.sqrt(2) - 1))
    spread = float(errors.std())
    return -noise - z * spread, z * spread


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


def _tidy(metric: Metric, estimate: Estimate, *, grouped: bool) -> Estimate:
    """Keep the interval in the metric's range and around its value."""
    value = estimate.value
    return Estimate(
        value=value,
        low=min(value, max(metric.low, estimate.low)),
        high=max(value, min(metric.high, estimate.high)),
        n=estimate.n,
        method=f"{estimate.method}, by group" if grouped else estimate.method,
    )
