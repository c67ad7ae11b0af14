"""Metrics that are proportions at heart: their value, each row's influence, and Wilson's interval.

An area under the ROC curve is the share of rightly ordered pairs, so it takes the same interval as
accuracy once its variance is known: the interval of a proportion seen on as many rows as would
give that variance (the effective sample size; Korn and Graubard 1998, Survey Methodology 24). It
keeps inside 0 to 1 and stays honest at the ends, where a normal interval shrinks to nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri, stdtrit

from assay.metrics import Metric
from assay.metrics.weighted import Floats, Rows

Mask = NDArray[np.bool_]
Groups = NDArray[np.int64]


@dataclass(frozen=True)
class Linear:
    """A proportion and the (n,) influence of each row on it, by which its error is about their sum.

    `support` has the rows that each part of it rests on: the denominator of a share, the
    positives and the negatives of an area.
    """

    value: float
    influence: Floats
    support: tuple[Mask, ...]

    def units(self, groups: Groups | None) -> int:
        """Return the number of rows (or groups) behind the part that rests on the fewest."""
        if groups is None:
            return min(int(mask.sum()) for mask in self.support)
        return min(len(np.unique(groups[mask])) for mask in self.support)

    def freedom(self, groups: Groups | None) -> int | None:
        """Return the units behind an estimated variance, None for a plain share."""
        return self.units(groups) if groups is not None or len(self.support) > 1 else None

    @property
    def n(self) -> int:
        """Return the number of rows it rests on."""
        return int(np.logical_or.reduce(self.support).sum())


def linear(metric: Metric, rows: Rows) -> Linear:
    """Return the metric of `rows` with its influences; `interval` must be wilson or delong."""
    if metric.interval == "delong":
        return _mean_area(rows) if rows.classes > 2 else _area(rows, rows.positive_code)
    right = rows.truth == rows.labels
    base = {
        "accuracy": np.ones(rows.n, dtype=bool),
        "precision": rows.labels == rows.positive_code,
        "recall": rows.positive,
        "specificity": ~rows.positive,
    }[metric.name]
    count = int(base.sum())
    share = float(right[base].mean()) if count else 0.0
    return Linear(share, base * (right - share) / max(count, 1), (base,))


def _mean_area(rows: Rows) -> Linear:
    """Return the mean area of one class against the rest; its influences are the mean of theirs."""
    value, influence = 0.0, np.zeros(rows.n)
    for code in range(rows.classes):
        area = _area(rows, code)
        value += area.value / rows.classes
        influence += area.influence / rows.classes
    return Linear(value, influence, tuple(rows.truth == code for code in range(rows.classes)))


def _area(rows: Rows, code: int) -> Linear:
    """Return the area under the ROC curve of one class, with DeLong's components.

    Source: DeLong, DeLong and Clarke-Pearson 1988, Biometrics 44; midranks in O(n log n) after
    Sun and Xu 2014, IEEE Signal Processing Letters 21.
    """
    mask = rows.truth == code
    positives, negatives = int(mask.sum()), int((~mask).sum())
    score = rows.values[:, code]
    # Each row's share of the other class that it is rightly ordered against, ties half.
    inside = midranks(score)
    placed = np.empty(rows.n)
    placed[mask] = (inside[mask] - midranks(score[mask])) / negatives
    placed[~mask] = 1 - (inside[~mask] - midranks(score[~mask])) / positives
    value = float(placed[mask].mean())
    size = np.where(mask, positives, negatives)
    # n / (n - 1) makes the sum of squares the unbiased variance; one row alone has none.
    influence = (placed - value) / size * np.sqrt(size / np.maximum(size - 1, 1))
    return Linear(value, influence, (mask, ~mask))


def midranks(values: Floats) -> Floats:
    """Return the ranks from 1, equal values sharing the mean of their ranks."""
    order = np.argsort(values, kind="stable")
    ranked = values[order]
    starts = np.flatnonzero(np.r_[True, ranked[1:] != ranked[:-1]])
    sizes = np.diff(np.r_[starts, len(values)])
    ranks = np.empty(len(values))
    ranks[order] = np.repeat(starts + (sizes + 1) / 2, sizes)
    return ranks


def variance(influence: Floats, groups: Groups | None) -> float:
    """Return the variance of a sum of influences, rows of a group taken together.

    Source: Obuchowski 1997, Biometrics 53, for clustered areas; the ratio estimator for shares.
    """
    if groups is None:
        return float((influence**2).sum())
    sums = np.bincount(groups, influence)
    count = len(sums)
    return float((sums**2).sum()) * count / max(count - 1, 1)


def critical(level: float, units: int | None = None) -> float:
    """Return the two-sided critical value: normal, or Student's t for so many units."""
    upper = (1 + level) / 2
    return float(ndtri(upper) if units is None else stdtrit(max(units - 1, 1), upper))


def wilson(share: float, n: float, z: float) -> tuple[float, float]:
    """Return Wilson's score interval of a share seen on `n` rows; 0 to 1 when n is 0.

    Source: Wilson 1927, Journal of the American Statistical Association 22.
    """
    if n <= 0:
        return 0.0, 1.0
    middle = share + z * z / (2 * n)
    half = z * np.sqrt(share * (1 - share) / n + (z / (2 * n)) ** 2)
    scale = 1 + z * z / n
    low, high = (middle - half) / scale, (middle + half) / scale
    return min(share, max(0.0, float(low))), max(share, min(1.0, float(high)))


def linear_interval(part: Linear, groups: Groups | None, level: float) -> tuple[float, float]:
    """Return the interval of a proportion; `groups` are (n,) codes from 0 without gaps.

    A variance that was estimated takes Student's t; that of a plain share is known from the share.
    """
    units = part.units(groups)
    spread = variance(part.influence, groups)
    size = float(units)
    if units > 1 and spread > 0 and 0 < part.value < 1:
        size = min(part.value * (1 - part.value) / spread, float(part.n))
    return wilson(part.value, size, critical(level, part.freedom(groups)))
