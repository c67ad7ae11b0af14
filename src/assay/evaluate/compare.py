"""Champion against baseline, or against the model that is live, paired on the same rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray
from scipy.special import bdtr, ndtr, stdtr

from assay.kernel.family import Predictions
from assay.metrics import Metric
from assay.metrics.base import Truth
from assay.metrics.intervals.blocks import Units, units_of
from assay.metrics.intervals.gaps import paired_gaps
from assay.metrics.intervals.linear import (
    Groups,
    Linear,
    critical,
    linear,
    linear_interval,
    variance,
)
from assay.metrics.intervals.resample import draws, ends, expanded
from assay.metrics.weighted import Floats, Rows
from assay.records.report import Comparison, Estimate

LEVEL = 0.95
Against = Literal["baseline", "champion"]
Found = tuple[float, float, float, str]
"""The ends of an interval, a p-value, and the method's name."""


def compare(
    metric: Metric,
    truth: Truth,
    champion: Predictions,
    baseline: Predictions,
    *,
    names: tuple[str, str] = ("champion", "baseline"),
    against: Against = "baseline",
    positive_code: int = 0,
    groups: NDArray[Any] | None = None,
    times: NDArray[Any] | None = None,
    seed: int = 0,
    replicates: int = 2000,
) -> Comparison:
    """Return how much better the champion is, with a 95 % interval and a two-sided p-value.

    The difference is turned so that more is better. Areas and proportions pair each row's
    influence (DeLong 1988 for areas) and join the two intervals by Newcombe's square-and-add
    method; p is McNemar's for accuracy, recall and specificity, else Student's. Means of
    losses take Student's paired t test. Other metrics of labels are
    bootstrapped, both models under the same weights. `groups` and `times` as in `estimates`.

    Raises:
        DataError: METRIC-UNDEFINED or METRIC-MEASURED as `Metric.compute`; INTERVAL-TOO-FEW.
    """
    models = [Rows.of(truth, answers, positive_code) for answers in (champion, baseline)]
    values = [metric.compute(truth, answers, positive_code) for answers in (champion, baseline)]
    units = units_of(models[0], groups, times)
    difference = values[0] - values[1]
    if np.array_equal(champion.values, baseline.values) and np.array_equal(
        champion.threshold, baseline.threshold
    ):
        found: Found = (0.0, 0.0, 1.0, "the same predictions")
    else:
        found = _found(metric, models, units, difference, seed, replicates)
    low, high, p_value, method = found
    if not metric.higher_is_better:
        difference, low, high = 0.0 - difference, 0.0 - high, 0.0 - low
    estimate = Estimate(
        value=difference,
        low=min(low, difference),
        high=max(high, difference),
        n=len(truth),
        method=method + units.suffix,
    )
    return Comparison(
        metric=metric.name,
        champion=names[0],
        baseline=names[1],
        difference=estimate,
        p_value=min(1.0, max(0.0, p_value)),
        against=against,
    )


def compare_all(
    metrics: Sequence[Metric],
    truth: Truth,
    champion: Predictions,
    other: Predictions,
    *,
    names: tuple[str, str] = ("champion", "baseline"),
    against: Against = "baseline",
    positive_code: int = 0,
    groups: NDArray[Any] | None = None,
    times: NDArray[Any] | None = None,
    seed: int = 0,
    replicates: int = 2000,
) -> tuple[Comparison, ...]:
    """Return the comparison by every metric that these rows define, with Holm's adjusted p-values.

    Arguments as in `compare`. Measured metrics are left out. Raises DataError INTERVAL-TOO-FEW.
    """
    classes = champion.values.shape[1] if champion.values.ndim == 2 else 0
    fit = [m for m in metrics if not m.operational and not m.unfit(truth, classes, positive_code)]
    found = [
        compare(
            metric,
            truth,
            champion,
            other,
            names=names,
            against=against,
            positive_code=positive_code,
            groups=groups,
            times=times,
            seed=seed,
            replicates=replicates,
        )
        for metric in fit
    ]
    adjusted = holm([one.p_value for one in found])
    return tuple(
        msgspec.structs.replace(one, p_adjusted=float(p))
        for one, p in zip(found, adjusted, strict=True)
    )


def holm(p_values: Sequence[float]) -> Floats:
    """Return p-values that allow for being one of many, in the same order.

    Source: Holm 1979, Scandinavian Journal of Statistics 6.
    """
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p, kind="stable")
    steps = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(steps, 1.0)
    return adjusted


def _found(
    metric: Metric,
    models: list[Rows],
    units: Units,
    difference: float,
    seed: int,
    replicates: int,
) -> Found:
    parts = [part for rows in models if (part := linear(metric, rows)) is not None]
    if len(parts) == 2 and parts[0].law in ("mean", "root", "rest"):
        return _paired_means(parts, units)
    if len(parts) == 2:
        return _paired_linear(metric, models, parts, units.codes)
    rng = np.random.default_rng(seed)
    z = expanded(critical(LEVEL, units.count), units.count)
    if metric.interval == "debiased":
        errors = paired_gaps(models, units.codes, replicates, rng)
    else:
        errors = draws([metric], models, units.codes, replicates, rng)[metric.name]
    low, high = ends(errors, z)
    under = int((difference + errors <= 0).sum())
    over = int((difference + errors >= 0).sum())
    p_value = 2 * (min(under, over) + 1) / (len(errors) + 1)
    return difference + low, difference + high, p_value, "paired bootstrap"


def _paired_means(parts: list[Linear], units: Units) -> Found:
    """Compare two means by the differences of their rows' (or units') influences.

    Student's paired t test: equally good models differ to both sides alike, and to correct for a
    skewness that is mostly noise would make too much of it.
    """
    one, two = parts
    spread = variance(one.influence - two.influence, units.codes)
    difference = one.value - two.value
    if spread == 0:
        return difference, difference, 1.0 if difference == 0 else 0.0, "paired"
    error = float(np.sqrt(spread))
    arm = critical(LEVEL, units.count) * error
    p_value = 2 * float(stdtr(units.count - 1, -abs(difference) / error))
    return difference - arm, difference + arm, p_value, "paired t"


def _paired_linear(
    metric: Metric, models: list[Rows], parts: list[Linear], groups: Groups | None
) -> Found:
    """Join two intervals of proportions; what the models share cancels by their correlation.

    Source: Newcombe 1998, Statistics in Medicine 17 (method 10); Zou 2007, Psychological Methods 12
    for the general form.
    """
    one, two = parts
    (low1, high1), (low2, high2) = (linear_interval(p, groups, LEVEL) for p in (one, two))
    spreads = [variance(p.influence, groups) for p in (one, two)]
    paired = variance(one.influence - two.influence, groups)
    both = float(np.sqrt(spreads[0] * spreads[1]))
    shared = float(np.clip((sum(spreads) - paired) / (2 * both), -1, 1)) if both > 0 else 0.0
    difference = one.value - two.value
    low = difference - _joined(one.value - low1, high2 - two.value, shared)
    high = difference + _joined(high1 - one.value, two.value - low2, shared)
    units = min(one.units(groups), two.units(groups))
    freedom = None if one.freedom(groups) is None else units
    z = critical(LEVEL, freedom)
    error = np.sqrt(paired) if paired > 0 and units > 1 else (high - low) / (2 * z)
    if metric.name in ("accuracy", "recall", "specificity") and groups is None:
        base = one.support[0]
        right = [(rows.truth == rows.labels)[base] for rows in models]
        return low, high, _mcnemar(right[0], right[1]), "paired proportions"
    score = abs(difference) / error if error > 0 else 0.0
    p_value = 2 * float(ndtr(-score) if freedom is None else stdtr(max(units - 1, 1), -score))
    return low, high, p_value, "paired " + ("log-odds" if one.law == "odds" else metric.interval)


def _joined(a: float, b: float, shared: float) -> float:
    """Return the length of two arms added as vectors of this correlation."""
    return float(np.sqrt(max(a * a + b * b - 2 * shared * a * b, 0.0)))


def _mcnemar(one: NDArray[np.bool_], two: NDArray[np.bool_]) -> float:
    """Return McNemar's mid-p value, two-sided, from the rows on which only one model is right.

    Source: Fagerland, Lydersen and Laake 2013, BMC Medical Research Methodology 13: the exact test,
    with what was seen itself counted half, which keeps to 5 % where the exact one stays far below.
    """
    only_one, only_two = int((one & ~two).sum()), int((two & ~one).sum())
    few, both = min(only_one, only_two), only_one + only_two
    if only_one == only_two:
        return 1.0
    less = float(bdtr(few - 1, both, 0.5)) if few else 0.0
    return min(1.0, less + float(bdtr(few, both, 0.5)))
