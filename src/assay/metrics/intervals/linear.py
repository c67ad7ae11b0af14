"""Metrics by their influences: the value, how much each row moves it, and intervals from that.

A metric is nearly a sum over rows, so its error is nearly the sum of its influences (the
infinitesimal jackknife; Jaeckel 1972, Bell Laboratories MM 72-1215-11). What differs is the law of
that sum, and with it the interval:

- A share, or an area under the ROC curve (the share of rightly ordered pairs), takes Wilson's
  interval on as many rows as would give its variance (the effective sample size; Korn and Graubard
  1998, Survey Methodology 24): inside 0 to 1, and honest at the ends.
- Average precision is taken on the scale of log-odds (Boyd, Eng and Page 2013, ECML), with
  Student's t for its positives.
- A mean of losses leans to one side, and Hall's transformation (1992, JRSS B 54) takes that out.
- What R² leaves unexplained is a ratio, taken on the scale of logarithms.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit, ndtri, stdtrit

from assay.metrics.base import Metric
from assay.metrics.weighted import Floats, Rows

Mask = NDArray[np.bool_]
Groups = NDArray[np.int64]
Law = Literal["share", "area", "odds", "mean", "root", "rest"]

TINY = 1e-9
MOST = 30.0
LARGEST = float(np.finfo(np.float64).max)
PRIOR = 3.0
"""Rows that the expected variance of an area counts for beside the observed one."""


@dataclass(frozen=True)
class Linear:
    """A metric and the (n,) influence of each row on it, by which its error is about their sum.

    `support` has the rows that each part of it rests on: the denominator of a share, the
    positives and the negatives of an area. `law` says which interval fits.
    """

    value: float
    influence: Floats
    support: tuple[Mask, ...]
    law: Law

    def units(self, groups: Groups | None) -> int:
        """Return the number of rows (or groups) behind the part that rests on the fewest."""
        if groups is None:
            return min(int(mask.sum()) for mask in self.support)
        return min(len(np.unique(groups[mask])) for mask in self.support)

    def freedom(self, groups: Groups | None) -> int | None:
        """Return the units behind an estimated variance, None where it follows from the value."""
        known = groups is None and (self.law == "share" or self._expects_variance)
        return None if known else self.units(groups)

    def variance(self, groups: Groups | None) -> float:
        """Return the variance; an area on few rows is helped by the one expected of its value.

        Source: Hanley and McNeil 1982, Radiology 143, for what is expected.
        """
        observed = variance(self.influence, groups)
        if groups is not None or not self._expects_variance:
            return observed
        units = self.units(None)
        expected = _expected_variance(self.value, *(int(mask.sum()) for mask in self.support))
        return (units * observed + PRIOR * expected) / (units + PRIOR)

    @property
    def _expects_variance(self) -> bool:
        return self.law == "area" and len(self.support) == 2

    @property
    def n(self) -> int:
        """Return the number of rows it rests on."""
        return int(np.logical_or.reduce(self.support).sum())


def linear(metric: Metric, rows: Rows) -> Linear | None:
    """Return the metric of `rows` with its influences; None where it has no such form."""
    if metric.interval == "delong":
        return _mean_area(rows) if rows.classes > 2 else _area(rows, rows.positive_code)
    if metric.interval == "wilson":
        return _proportion(metric.name, rows)
    return _FORMULAS[metric.name](rows) if metric.name in _FORMULAS else None


def _proportion(name: str, rows: Rows) -> Linear:
    right = rows.truth == rows.labels
    base = {
        "accuracy": np.ones(rows.n, dtype=bool),
        "precision": rows.labels == rows.positive_code,
        "recall": rows.positive,
        "specificity": ~rows.positive,
    }[name]
    count = int(base.sum())
    share = float(right[base].mean()) if count else 0.0
    return Linear(share, base * (right - share) / max(count, 1), (base,), "share")


def _mean(losses: Floats) -> Linear:
    value = float(losses.mean())
    return Linear(value, (losses - value) / len(losses), (np.ones(len(losses), bool),), "mean")


def _root_mean_square(rows: Rows) -> Linear:
    square = _mean(rows.error**2)
    value = float(np.sqrt(square.value))
    influence = square.influence / (2 * value) if value > 0 else square.influence
    return replace(square, value=value, influence=influence, law="root")


def _explained(rows: Rows) -> Linear:
    """Return R², one minus a ratio of two means, with its influences."""
    square = (rows.truth - rows.truth.mean()) ** 2
    ratio = float((rows.error**2).mean() / square.mean())
    influence = (ratio * square - rows.error**2) / square.sum()
    return Linear(1 - ratio, influence, (np.ones(rows.n, bool),), "rest")


def _average_precision(rows: Rows) -> Linear:
    """Return average precision; a row moves the precision at its own score and at all below."""
    order, starts = rows.ranking(rows.positive_code)
    tie = np.cumsum(np.isin(np.arange(rows.n), starts)) - 1
    hits = np.bincount(tie, rows.positive[order])
    everyone = np.cumsum(np.bincount(tie))
    found = np.cumsum(hits)
    precision, total = found / everyone, found[-1]
    value = float((hits * precision).sum() / total)
    gained = np.cumsum((hits * (everyone - found) / everyone**2)[::-1])[::-1]
    lost = np.cumsum((hits * found / everyone**2)[::-1])[::-1]
    influence = np.empty(rows.n)
    influence[order] = np.where(rows.positive[order], (precision - value + gained)[tie], -lost[tie])
    return Linear(value, influence / total, (rows.positive,), "odds")


def _median_error(rows: Rows) -> Linear:
    """Return the median absolute error; it moves as the share of rows under it, over the density.

    Source: Bahadur 1966, Annals of Mathematical Statistics 37; the density is read from a window
    of rows around the median (Hall and Sheather 1988, JRSS B 50).
    """
    order, ranked = rows.by_size_of_error
    n = rows.n
    half = max(int(0.97 * n ** (2 / 3)), 1)
    low, high = max(n // 2 - half, 0), min(n // 2 + half, n - 1)
    width = float(ranked[high] - ranked[low]) * n / max(high - low, 1)
    influence = np.empty(n)
    influence[order] = np.where(np.arange(n) < n / 2, -0.5, 0.5) * width / n
    value = float((ranked[(n - 1) // 2] + ranked[n // 2]) / 2)
    return Linear(value, influence, (np.ones(n, bool),), "mean")


_FORMULAS: dict[str, Callable[[Rows], Linear]] = {
    "average_precision": _average_precision,
    "log_loss": lambda rows: _mean(rows.surprise),
    "brier": lambda rows: _mean((rows.score - rows.positive) ** 2),
    "mae": lambda rows: _mean(np.abs(rows.error)),
    "median_ae": _median_error,
    "mape": lambda rows: _mean(np.abs(rows.error / rows.truth)),
    "rmse": _root_mean_square,
    "r2": _explained,
}


def _mean_area(rows: Rows) -> Linear:
    """Return the mean area of one class against the rest; its influences are the mean of theirs."""
    value, influence = 0.0, np.zeros(rows.n)
    for code in range(rows.classes):
        area = _area(rows, code)
        value += area.value / rows.classes
        influence += area.influence / rows.classes
    support = tuple(rows.truth == code for code in range(rows.classes))
    return Linear(value, influence, support, "area")


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
    return Linear(value, influence, (mask, ~mask), "area")


def midranks(values: Floats) -> Floats:
    """Return the ranks from 1, equal values sharing the mean of their ranks."""
    order = np.argsort(values, kind="stable")
    ranked = values[order]
    starts = np.flatnonzero(np.r_[True, ranked[1:] != ranked[:-1]])
    sizes = np.diff(np.r_[starts, len(values)])
    ranks = np.empty(len(values))
    ranks[order] = np.repeat(starts + (sizes + 1) / 2, sizes)
    return ranks


def _expected_variance(area: float, positives: int, negatives: int) -> float:
    """Return the variance of an area between two exponential distributions of scores."""
    one, two = area / (2 - area), 2 * area**2 / (1 + area)
    pairs = area * (1 - area)
    pairs += (positives - 1) * (one - area**2) + (negatives - 1) * (two - area**2)
    return max(pairs / (positives * negatives), 0.0)


def sums(influence: Floats, groups: Groups | None) -> Floats:
    """Return the influences of the units: (n,) of rows, or summed by (n,) group codes."""
    if groups is None:
        return influence
    summed: Floats = np.bincount(groups, influence).astype(np.float64)
    return summed


def variance(influence: Floats, groups: Groups | None) -> float:
    """Return the variance of a sum of influences, rows of a group taken together.

    Source: Obuchowski 1997, Biometrics 53, for clustered areas; the ratio estimator for shares;
    for few groups as large as the jackknife makes it (Bell and McCaffrey 2002, Survey Methodology
    28).
    """
    if groups is None:
        return float((influence**2).sum())
    each = sums(influence, groups)
    return float((each**2).sum()) * (len(each) / max(len(each) - 1, 1)) ** 2


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
    """Return the interval by the part's law; `groups` are (n,) codes from 0 without gaps.

    A variance that was estimated takes Student's t; one that follows from the value does not.
    """
    units = part.units(groups)
    z = critical(level, part.freedom(groups))
    if part.law == "root":
        scale = 2 * part.value
        squares = replace(part, value=part.value**2, influence=part.influence * scale, law="mean")
        low, high = linear_interval(squares, groups, level)
        return float(np.sqrt(max(low, 0.0))), float(np.sqrt(high))
    if part.law == "rest":
        rest = 1 - part.value
        share = part.influence / rest if rest > 0 else np.zeros(len(part.influence))
        factor = float(np.exp(min(z * np.sqrt(variance(share, groups)), MOST)))
        return max(1 - rest * factor, -LARGEST), 1 - rest / factor
    spread = part.variance(groups) if units > 1 else 0.0
    if part.law == "mean":
        low, high = leaning(sums(part.influence, groups), spread, (-z, z))
        return part.value + low, part.value + high
    inside = spread > 0 and 0 < part.value < 1
    if part.law == "odds" and inside:
        odds = float(logit(part.value))
        arm = z * float(np.sqrt(spread)) / (part.value * (1 - part.value))
        return float(expit(odds - arm)), float(expit(odds + arm))
    size = part.value * (1 - part.value) / spread if inside else float(units)
    return wilson(part.value, min(size, part.n) if part.law == "share" else size, z)


def leaning(each: Floats, spread: float, z: tuple[float, float]) -> tuple[float, float]:
    """Return the ends of the interval of a sum of (n,) influences, less its value.

    `spread` is its variance. Source: Hall 1992, JRSS B 54, "On the removal of skewness by
    transformation", the cubic form.
    """
    lean = skewness(each)
    arms = list(z)
    if abs(lean) > TINY:
        arms = [3 / lean * (float(np.cbrt(1 + lean * (end - lean / 6))) - 1) for end in z]
    error = float(np.sqrt(spread))
    return -error * arms[1], -error * arms[0]


def skewness(each: Floats) -> float:
    """Return the skewness of a sum of (n,) centred influences."""
    largest = float(np.abs(each).max())
    if largest == 0:
        return 0.0
    scaled = each / largest
    lean: float = float((scaled**3).sum()) / float((scaled**2).sum()) ** 1.5
    return lean
