"""Champion against baseline, paired on the same rows."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import bdtr, ndtr, stdtr

from assay.evaluate.intervals import unit_codes
from assay.evaluate.linear import Groups, critical, linear, linear_interval, variance
from assay.evaluate.resample import draws, ends, expanded
from assay.kernel.family import Predictions
from assay.metrics import Metric
from assay.metrics.base import Truth
from assay.metrics.weighted import Rows
from assay.records.report import Comparison, Estimate

LEVEL = 0.95
Found = tuple[float, float, float, str]
"""The ends of an interval, a p-value, and the method's name."""


def compare(
    metric: Metric,
    truth: Truth,
    champion: Predictions,
    baseline: Predictions,
    *,
    names: tuple[str, str] = ("champion", "baseline"),
    positive_code: int = 0,
    groups: NDArray[Any] | None = None,
    seed: int = 0,
    replicates: int = 2000,
) -> Comparison:
    """Return how much better the champion is, with a 95 % interval and a two-sided p-value.

    The difference is turned so that more is better. Areas and proportions pair each row's
    influence (DeLong 1988 for areas) and join the two intervals by Newcombe's square-and-add
    method; p is McNemar's exact one for accuracy, recall and specificity, else normal. Every other
    metric is bootstrapped, both models under the same weights.

    Raises:
        DataError: METRIC-UNDEFINED or METRIC-MEASURED as `Metric.compute`; INTERVAL-TOO-FEW.
    """
    models = [Rows(truth, answers.values, positive_code) for answers in (champion, baseline)]
    values = [metric.compute(truth, answers, positive_code) for answers in (champion, baseline)]
    codes, units = unit_codes(len(truth), groups)
    difference = values[0] - values[1]
    if np.array_equal(champion.values, baseline.values):
        found: Found = (0.0, 0.0, 1.0, "the same predictions")
    elif metric.interval in ("delong", "wilson"):
        found = _paired_linear(metric, models, codes)
    else:
        found = _paired_bootstrap(metric, models, codes, units, difference, seed, replicates)
    low, high, p_value, method = found
    if not metric.higher_is_better:
        difference, low, high = 0.0 - difference, 0.0 - high, 0.0 - low
    estimate = Estimate(
        value=difference,
        low=min(low, difference),
        high=max(high, difference),
        n=len(truth),
        method=method if codes is None else f"{method}, by group",
    )
    return Comparison(
        metric=metric.name,
        champion=names[0],
        baseline=names[1],
        difference=estimate,
        p_value=min(1.0, max(0.0, p_value)),
    )


def _paired_linear(metric: Metric, models: list[Rows], groups: Groups | None) -> Found:
    """Join two intervals of proportions; what the models share cancels by their correlation.

    Source: Newcombe 1998, Statistics in Medicine 17 (method 10); Zou 2007, Psychological Methods 12
    for the general form.
    """
    one, two = (linear(metric, rows) for rows in models)
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
    return low, high, p_value, "paired " + metric.interval


def _joined(a: float, b: float, shared: float) -> float:
    """Return the length of two arms added as vectors of this correlation."""
    return float(np.sqrt(max(a * a + b * b - 2 * shared * a * b, 0.0)))


def _mcnemar(one: NDArray[np.bool_], two: NDArray[np.bool_]) -> float:
    """Return McNemar's exact two-sided p-value from the rows on which only one model is right."""
    only_one, only_two = int((one & ~two).sum()), int((two & ~one).sum())
    return min(1.0, 2 * float(bdtr(min(only_one, only_two), only_one + only_two, 0.5)))


def _paired_bootstrap(
    metric: Metric,
    models: list[Rows],
    groups: Groups | None,
    units: int,
    difference: float,
    seed: int,
    replicates: int,
) -> Found:
    rng = np.random.default_rng(seed)
    errors = draws([metric], models, groups, replicates, rng)[metric.name]
    low, high = ends(metric, errors, expanded(critical(LEVEL, units), units))
    under = int((difference + errors <= 0).sum())
    over = int((difference + errors >= 0).sum())
    p_value = 2 * (min(under, over) + 1) / (len(errors) + 1)
    return difference + low, difference + high, p_value, "paired bootstrap"
