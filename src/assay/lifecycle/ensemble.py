"""Greedy selection of an ensemble on out-of-fold predictions (Caruana et al., ICML 2004, §2)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from assay.kernel.family import Predictions
from assay.metrics import Metric

PICKS = 12
MIN_GAIN = 1e-3
"""Share of the distance to a perfect (or zero) score that another member must win."""


def select(
    metric: Metric,
    truth: NDArray[np.int64] | NDArray[np.float64],
    predictions: Mapping[str, NDArray[np.float64]],
    classes: tuple[str, ...],
    positive_code: int,
    max_members: int = 4,
) -> tuple[dict[str, float], float]:
    """Return weights (name → share, summing to 1) and the score of the weighted mean.

    `predictions` holds (n, classes) probabilities or (n,) numbers for the same n rows. Members
    are picked with replacement; it stops when a pick gains too little.
    """

    def score(values: NDArray[np.float64]) -> float:
        return metric.compute(truth, Predictions(values, classes), positive_code)

    picks: Counter[str] = Counter()
    total = np.zeros_like(next(iter(predictions.values())))
    best = float("-inf") if metric.higher_is_better else float("inf")
    for taken in range(PICKS):
        allowed = picks if len(picks) >= max_members else predictions
        scores = {n: score((total + predictions[n]) / (taken + 1)) for n in allowed}
        name = (max if metric.higher_is_better else min)(scores, key=lambda n: scores[n])
        if taken and not _gains(metric, scores[name], best):
            break
        best, total = scores[name], total + predictions[name]
        picks[name] += 1
    return {name: count / picks.total() for name, count in picks.items()}, best


def _gains(metric: Metric, score: float, best: float) -> bool:
    """Return True when `score` is better by more than a sliver of what is left to win."""
    if metric.higher_is_better:
        room = (metric.high - best) if np.isfinite(metric.high) else abs(best)
        return score - best > MIN_GAIN * room
    return best - score > MIN_GAIN * abs(best)
