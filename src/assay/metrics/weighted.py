"""Formulas over weighted rows: weights of one give the metric, resampled weights its spread.

Shapes: n rows, k classes, r weightings. A formula returns (r,) values, NaN where the weighted rows
leave the metric without a meaning.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.kernel.family import Predictions

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]

CALIBRATION_BINS = 15
SMALLEST = float(np.finfo(np.float64).eps)


@dataclass(frozen=True)
class Rows:
    """Truth (n,) and predictions (n, k) or (n,) of the same rows, and what follows from them."""

    truth: NDArray[Any]
    values: Floats
    positive_code: int = 0
    threshold: float | Floats = 0.5

    @classmethod
    def of(cls, truth: NDArray[Any], predictions: Predictions, positive_code: int = 0) -> Rows:
        """Return the rows that these predictions answer."""
        return cls(truth, predictions.values, positive_code, predictions.threshold)

    @property
    def n(self) -> int:
        """Return the number of rows."""
        return len(self.truth)

    @property
    def classes(self) -> int:
        """Return the number of classes, 0 for numbers."""
        return self.values.shape[1] if self.values.ndim == 2 else 0

    def take(self, index: NDArray[Any]) -> Rows:
        """Return the rows at these positions, or where a mask is True."""
        part = Predictions(self.values, threshold=self.threshold).take(index)
        return Rows.of(self.truth[index], part, self.positive_code)

    @cached_property
    def labels(self) -> Codes:
        """Return the (n,) predicted class codes."""
        answers = Predictions(self.values, threshold=self.threshold)
        return answers.codes(self.positive_code if self.classes == 2 else None)

    @cached_property
    def cells(self) -> Codes:
        """Return each row's cell of the flattened confusion matrix."""
        return self.truth * self.classes + self.labels

    @cached_property
    def positive(self) -> NDArray[np.bool_]:
        """Return where the truth is the positive class."""
        result: NDArray[np.bool_] = self.truth == self.positive_code
        return result

    @cached_property
    def score(self) -> Floats:
        """Return the probability of the positive class."""
        score: Floats = self.values[:, self.positive_code]
        return score

    @cached_property
    def error(self) -> Floats:
        """Return prediction minus truth of numbers."""
        error: Floats = self.values - self.truth
        return error

    @cached_property
    def surprise(self) -> Floats:
        """Return minus the log of the probability given to the true class."""
        given = self.values[np.arange(self.n), self.truth]
        surprise: Floats = -np.log(np.clip(given, SMALLEST, 1 - SMALLEST))
        return surprise

    def ranking(self, code: int) -> tuple[Codes, Codes]:
        """Return the order by falling probability of a class, and where each set of ties starts."""
        score = self.values[:, code]
        order = np.argsort(-score, kind="stable")
        ranked = score[order]
        starts = np.flatnonzero(np.r_[True, ranked[1:] != ranked[:-1]])
        return order, starts

    @cached_property
    def rankings(self) -> dict[int, tuple[Codes, Codes]]:
        """Return the rankings made so far, filled by `Weighted.ties`."""
        return {}

    @cached_property
    def by_size_of_error(self) -> tuple[Codes, Floats]:
        """Return the order by absolute error, and those errors."""
        size = np.abs(self.error)
        order = np.argsort(size, kind="stable")
        return order, size[order]


@dataclass(frozen=True)
class Weighted:
    """The same rows under r weightings at once; `weights` is (r, n)."""

    rows: Rows
    weights: Floats

    @cached_property
    def total(self) -> Floats:
        """Return the sum of each weighting."""
        result: Floats = self.weights.sum(axis=1)
        return result

    def mean(self, per_row: Floats | NDArray[np.bool_]) -> Floats:
        """Return the weighted means of a per-row number."""
        result: Floats = self.weights @ per_row.astype(np.float64) / self.total
        return result

    def sums(self, codes: Codes, size: int, per_row: Floats | None = None) -> Floats:
        """Return (r, size) sums of the weights, times `per_row` when given, by code."""
        weights = self.weights if per_row is None else self.weights * per_row
        return np.stack([np.bincount(codes, row, size) for row in weights])

    @cached_property
    def confusion(self) -> Floats:
        """Return (r, k, k) confusion matrices, rows the actual classes."""
        k = self.rows.classes
        return self.sums(self.rows.cells, k * k).reshape(-1, k, k)

    def ties(self, code: int) -> tuple[Floats, Floats]:
        """Return the weight of class `code` and of the rest, by distinct score, highest first."""
        rankings = self.rows.rankings
        if code not in rankings:
            rankings[code] = self.rows.ranking(code)
        order, starts = rankings[code]
        everyone = self.weights[:, order]
        hits = everyone * (self.rows.truth[order] == code)
        if len(starts) < self.rows.n:
            everyone = np.add.reduceat(everyone, starts, axis=1)
            hits = np.add.reduceat(hits, starts, axis=1)
        return hits, everyone - hits


def divide(top: Floats, bottom: Floats, otherwise: float) -> Floats:
    """Return top / bottom, and `otherwise` where bottom is zero."""
    top, bottom = np.broadcast_arrays(top, bottom)
    result: Floats = np.full(top.shape, otherwise)
    return np.divide(top, bottom, out=result, where=bottom != 0)


def roc_auc_of(sample: Weighted, code: int) -> Floats:
    """Return the area under the ROC curve of one class against the rest; ties count half."""
    hits, others = sample.ties(code)
    beaten = others.sum(axis=1, keepdims=True) - np.cumsum(others, axis=1) + others / 2
    won = (hits * beaten).sum(axis=1)
    return divide(won, hits.sum(axis=1) * others.sum(axis=1), np.nan)


def roc_auc(sample: Weighted) -> Floats:
    """Return the area under the ROC curve of the positive class."""
    return roc_auc_of(sample, sample.rows.positive_code)


def roc_auc_ovr(sample: Weighted) -> Floats:
    """Return the mean over the classes of one-against-the-rest areas (every class must occur)."""
    areas = [roc_auc_of(sample, code) for code in range(sample.rows.classes)]
    result: Floats = np.mean(areas, axis=0)
    return result


def average_precision(sample: Weighted) -> Floats:
    """Return the mean precision over the steps of recall, without interpolation."""
    hits, others = sample.ties(sample.rows.positive_code)
    found = np.cumsum(hits, axis=1)
    precision = divide(found, found + np.cumsum(others, axis=1), 0.0)
    return divide((hits * precision).sum(axis=1), found[:, -1], np.nan)


def log_loss(sample: Weighted) -> Floats:
    """Return the mean of minus the log of the probability given to the true class."""
    return sample.mean(sample.rows.surprise)


def brier(sample: Weighted) -> Floats:
    """Return the mean squared distance of the positive probability from 0 or 1."""
    return sample.mean((sample.rows.score - sample.rows.positive) ** 2)


def ece(sample: Weighted) -> Floats:
    """Return the expected calibration error over 15 bins of equal width.

    Source: Naeini, Cooper and Hauskrecht 2015 (AAAI), for the positive class's probability.
    """
    rows = sample.rows
    gaps = sample.sums(calibration_bins(rows), CALIBRATION_BINS, rows.score - rows.positive)
    result: Floats = np.abs(gaps).sum(axis=1) / sample.total
    return result


def calibration_bins(rows: Rows) -> Codes:
    """Return the (n,) bins of the expected calibration error."""
    return np.minimum((rows.score * CALIBRATION_BINS).astype(np.int64), CALIBRATION_BINS - 1)


def rmse(sample: Weighted) -> Floats:
    """Return the root of the mean squared error."""
    result: Floats = np.sqrt(sample.mean(sample.rows.error**2))
    return result


def mae(sample: Weighted) -> Floats:
    """Return the mean absolute error."""
    return sample.mean(np.abs(sample.rows.error))


def median_ae(sample: Weighted) -> Floats:
    """Return the median absolute error, the middle of the two middle ones when they differ."""
    order, size = sample.rows.by_size_of_error
    reached = np.cumsum(sample.weights[:, order], axis=1)
    half = reached[:, -1:] / 2
    last = sample.rows.n - 1
    lower = np.minimum((reached < half).sum(axis=1), last)
    upper = np.minimum((reached <= half).sum(axis=1), last)
    result: Floats = (size[lower] + size[upper]) / 2
    return result


def r2(sample: Weighted) -> Floats:
    """Return one minus squared error over squared distance from the mean truth."""
    truth = sample.rows.truth - sample.rows.truth.mean()
    spread = sample.mean(truth**2) - sample.mean(truth) ** 2
    return 1 - divide(sample.mean(sample.rows.error**2), np.maximum(spread, 0.0), np.nan)


def mape(sample: Weighted) -> Floats:
    """Return the mean of absolute error over absolute truth (no truth may be zero)."""
    return sample.mean(np.abs(sample.rows.error / sample.rows.truth))
