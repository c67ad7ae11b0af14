"""How much one column alone says about the target, without fitting a model.

Values are put into bins, and each row is answered from the rows of the other folds in its bin:
a cross-fitted one-column classifier or regressor, computed from one table of counts. Ranks add
the scores that need no fitting: Mann and Whitney's (1947) form of the ROC-AUC, and Spearman's
correlation.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

FOLDS = 5
FEW = 10
"""A column with at most so many values is discrete: each value is a statement, not a measure."""
MOST_BINS = 256
MOST_CATEGORIES = 2_000
SMALLEST_CLASS = 10
FEWEST_ROWS = 30
LARGEST = 1e100
"""Larger numbers are no measurements, and would overflow when they are squared or summed."""
NOISE = 3.5
"""Strength times the root of the smallest class that chance hardly reaches (0 of 300 runs each)."""

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Basis = Literal["missing", "values", "values and missing"]


@dataclass(frozen=True)
class Outcome:
    """The target of n rows: `codes` (n,) of `classes` classes, or `ranks` (n,) of a number."""

    codes: Ints | None = None
    ranks: Floats | None = None

    @property
    def rows(self) -> int:
        """Return n."""
        target = self.codes if self.codes is not None else self.ranks
        return 0 if target is None else len(target)

    def take(self, rows: NDArray[np.bool_]) -> Outcome:
        """Return the outcome of some rows, classes with too few of them marked with -1."""
        if self.codes is None:
            return Outcome(ranks=None if self.ranks is None else self.ranks[rows])
        return Outcome(codes=dense_classes(self.codes[rows]))


@dataclass(frozen=True)
class Score:
    """A column's score, cross-fitted or by ranks.

    `metric` is roc_auc, roc_auc_worst_pair (of neighbours among more than two classes),
    balanced_accuracy, or r2 (of the target's ranks). `strength` runs from 0 (says nothing) to 1
    (says it all) for each metric.
    """

    metric: str
    value: float
    strength: float
    rows: int
    discrete: bool
    basis: Basis = "values"


def dense_classes(codes: Ints) -> Ints:
    """Number the classes that have enough rows from 0; other rows get -1."""
    counts = np.bincount(codes[codes >= 0]) if len(codes) else np.zeros(0, np.int64)
    kept = np.flatnonzero(counts >= SMALLEST_CLASS)
    number = np.full(max(len(counts), 1), -1, np.int64)
    number[kept] = np.arange(len(kept))
    return np.where(codes >= 0, number[np.maximum(codes, 0)], -1)


def outcome_of_number(target: Floats) -> Outcome:
    """Return the ranks of a numeric target, centred, with variance about 1."""
    if not len(target):
        return Outcome(ranks=target)
    ranks = average_ranks(pl.Series(target))
    return Outcome(ranks=(ranks - ranks.mean()) / (ranks.std() or 1.0))


def to_unit(values: Floats) -> Floats:
    """Return numbers (n,) divided by the largest in size, so that their squares do not overflow."""
    return np.asarray(values / (np.abs(values).max(initial=0.0) or 1.0))


def average_ranks(values: pl.Series) -> Floats:
    """Return (n,) ranks from 1, ties sharing their mean; values must not be missing."""
    return values.rank("average").to_numpy().astype(np.float64)


def bins_of(values: pl.Series, most: int = MOST_BINS) -> Ints:
    """Return (n,) bin numbers of values that are not missing.

    Few distinct numbers keep a bin each, others share at most `most` bins of about equal size. A
    rare category shares bin 0 with the other rare ones.
    """
    numeric = values.dtype.is_numeric()
    if numeric and values.n_unique() > most // 4:
        bins = int(np.clip(len(values) // 10, 2, most))
        place: Floats = (average_ranks(values) - 0.5) / len(values)
        return np.asarray(place * bins, np.int64)
    codes = values.rank("dense").to_numpy().astype(np.int64)
    counts = np.bincount(codes)
    kept = np.flatnonzero(counts >= max(FOLDS, len(codes) // MOST_CATEGORIES))
    number: Ints = np.zeros(len(counts), np.int64)
    number[kept] = np.arange(1, len(kept) + 1)
    return np.asarray(number[codes])


def column_scores(values: pl.Series, outcome: Outcome) -> Iterator[Score]:
    """Score a column by whether it is filled in, by its values, and by both together.

    `values` (n,) may have missing values; text, numbers and booleans are understood.
    """
    missing = values.is_null().to_numpy()
    share = float(missing.mean()) if len(missing) else 1.0
    if 0 < share < 1:
        yield from _scores(missing.astype(np.int64), outcome, discrete=True, basis="missing")
    if share > 0.9:
        return
    filled = values.drop_nulls()
    number = bins_of(filled)
    discrete = not values.dtype.is_numeric() or filled.n_unique() <= FEW
    inside = outcome.take(~missing)
    yield from _scores(number, inside, discrete=discrete, basis="values")
    if values.dtype.is_numeric():
        yield from _rank_scores(average_ranks(filled), inside, discrete=discrete)
    if share > 0:
        together = np.full(len(missing), number.max() + 1)
        together[~missing] = number
        yield from _scores(together, outcome, discrete=discrete, basis="values and missing")


def cells_of(values: pl.Series, most: int) -> Ints:
    """Return (n,) bin numbers of values as `bins_of` does, with one more bin for missing ones."""
    missing = values.is_null().to_numpy()
    if missing.all():
        return np.zeros(len(values), np.int64)
    number = bins_of(values.drop_nulls(), most)
    cells = np.full(len(values), number.max() + 1)
    cells[~missing] = number
    return cells


def dense_cells(cells: Ints) -> Ints:
    """Number the cells (n,) that occur from 0, without holes."""
    return np.unique(cells, return_inverse=True)[1].astype(np.int64)


def encoded(cells: Ints, outcome: Outcome) -> Floats:
    """Return what the other folds' rows of a row's cell say about its target.

    `cells` (n,) are numbers from 0. The answer is (n, classes) chances, or (n, 1) mean ranks;
    rows of unknown class must have been left out.
    """
    if outcome.codes is not None:
        folds = _folds(outcome.codes)
        chance = _cross_fitted_chance(_counts(cells, outcome.codes, outcome.codes.max() + 1))
        return np.asarray(chance[cells, folds])
    ranks = np.zeros(len(cells)) if outcome.ranks is None else outcome.ranks
    folds = _folds(np.zeros(len(cells), np.int64))
    return _cross_fitted_means(cells, folds, ranks)[0][cells, folds][:, None]


def order_strength(outcome: Outcome, blocks: int = 20) -> float:
    """Return how much the place in the given order says about the target, from 0 to 1.

    The rows are cut into equal blocks; a block's rows are answered from the block's other folds.
    Strength within the noise of so few rows counts as 0.
    """
    blocks = min(blocks, outcome.rows // 20)
    if blocks < 2:
        return 0.0
    number = np.arange(outcome.rows) * blocks // outcome.rows
    scores = list(_scores(number, outcome, discrete=True, basis="values"))
    strength = max((score.strength for score in scores), default=0.0)
    if outcome.codes is None:
        smallest = outcome.rows
    else:
        smallest = int(np.bincount(outcome.codes[outcome.codes >= 0], minlength=1).min())
    return strength if strength > NOISE / np.sqrt(max(smallest, 1)) else 0.0


def _folds(codes: Ints) -> Ints:
    """Deal the rows of each class to the folds at random, evenly (`codes` all 0 for a number).

    Dealt in turn, neighbours would answer for each other in a file that has an order.
    """
    shuffled = _shuffled(len(codes))
    order = shuffled[np.argsort(codes[shuffled], kind="stable")]
    fold = np.empty(len(codes), np.int64)
    fold[order] = np.arange(len(codes)) % FOLDS
    return fold


@lru_cache(maxsize=4)
def _shuffled(rows: int) -> Ints:
    """Return (rows,) places in an order of chance, the same for as many rows."""
    order: Ints = np.random.default_rng(0).permutation(rows)
    order.flags.writeable = False
    return order


def _scores(bins: Ints, outcome: Outcome, *, discrete: bool, basis: Basis) -> Iterator[Score]:
    if outcome.codes is not None:
        yield from _class_scores(bins, outcome.codes, discrete=discrete, basis=basis)
    elif outcome.ranks is not None and outcome.rows >= FEWEST_ROWS:
        value = _cross_fitted_r2(bins, outcome.ranks)
        strength = float(np.sqrt(max(value, 0.0)))
        yield Score("r2", value, strength, outcome.rows, discrete, basis)


def _class_scores(bins: Ints, codes: Ints, *, discrete: bool, basis: Basis) -> Iterator[Score]:
    known = codes >= 0
    bins, codes = bins[known], codes[known]
    classes = int(codes.max(initial=-1)) + 1
    if classes < 2 or len(codes) < FEWEST_ROWS:
        return
    counts = _counts(bins, codes, classes)
    chance = _cross_fitted_chance(counts)
    accuracy = _balanced_accuracy(counts, chance)
    strength = max((accuracy - 1 / classes) / (1 - 1 / classes), 0.0)
    yield Score("balanced_accuracy", accuracy, strength, len(codes), discrete, basis)
    if classes == 2:
        area = _auc(chance[..., 1].ravel(), counts[..., 1].ravel(), counts[..., 0].ravel())
        yield Score("roc_auc", area, max(2 * area - 1, 0.0), len(codes), discrete, basis)


def _rank_scores(ranks: Floats, outcome: Outcome, *, discrete: bool) -> Iterator[Score]:
    """Score a number by its order alone, whichever direction is the better one.

    Several classes are put in the order of their mean rank; the worst told pair of neighbours
    is the score.
    """
    if outcome.codes is not None:
        classes = int(outcome.codes.max(initial=-1)) + 1
        members = sorted((ranks[outcome.codes == code] for code in range(classes)), key=np.mean)
        if classes >= 2:
            area = min(_rank_auc(low, high) for low, high in pairwise(members))
            metric = "roc_auc" if classes == 2 else "roc_auc_worst_pair"
            yield Score(metric, area, max(2 * area - 1, 0.0), len(ranks), discrete)
    elif outcome.ranks is not None and outcome.rows >= FEWEST_ROWS:
        spread = float(ranks.std() * outcome.ranks.std())
        rho = float(np.cov(ranks, outcome.ranks, bias=True)[0, 1]) / spread if spread else 0.0
        yield Score("r2", rho**2, abs(rho), len(ranks), discrete)


def _rank_auc(low: Floats, high: Floats) -> float:
    """Return the share of pairs in which the one of `high` is larger, ties counting half."""
    ranks = average_ranks(pl.Series(np.concatenate([low, high])))[len(low) :]
    wins = ranks.sum() - len(high) * (len(high) + 1) / 2
    return float(wins / (len(low) * len(high)))


def _counts(bins: Ints, codes: Ints, classes: int) -> Ints:
    """Return (bins, folds, classes) counts of rows."""
    size = int(bins.max()) + 1
    cell = (bins * FOLDS + _folds(codes)) * classes + codes
    counts: Ints = np.bincount(cell, minlength=size * FOLDS * classes)
    return counts.reshape(size, FOLDS, classes)


def _cross_fitted_chance(counts: Ints) -> Floats:
    """Return each class's share in a bin as the other folds see it, with one row of prior."""
    rest = counts.sum(axis=1, keepdims=True) - counts
    prior = rest.sum(axis=0) / rest.sum(axis=(0, 2))[:, None]
    chance: Floats = (rest + prior) / (rest.sum(axis=2, keepdims=True) + 1)
    return chance


def _balanced_accuracy(counts: Ints, chance: Floats) -> float:
    """Answer each cell with the class most over its prior; return the mean recall."""
    totals = counts.sum(axis=(0, 1))
    chosen = (chance / totals).argmax(axis=2)
    hits = np.take_along_axis(counts, chosen[..., None], axis=2)[..., 0]
    right = np.bincount(chosen.ravel(), weights=hits.ravel(), minlength=len(totals))
    return float((right / totals).mean())


def _auc(scores: Floats, positives: Ints, negatives: Ints) -> float:
    """Return the ROC-AUC of cells with a score each and counts of both classes."""
    _, level = np.unique(scores.round(12), return_inverse=True)
    above = np.bincount(level, weights=positives)
    below = np.bincount(level, weights=negatives)
    beaten = np.cumsum(below) - below / 2
    return float((above * beaten).sum() / (above.sum() * below.sum()))


def _cross_fitted_r2(bins: Ints, target: Floats) -> float:
    """Return 1 - SSE/SST when each row is answered with the mean of its bin's other folds."""
    folds = _folds(np.zeros(len(bins), np.int64))
    answer, rows, total = _cross_fitted_means(bins, folds, target)
    squares = float((target**2).sum())
    error = squares - 2 * float((answer * total).sum()) + float((answer**2 * rows).sum())
    spread = squares - len(target) * float(target.mean()) ** 2
    return 1 - error / spread if spread > 0 else 0.0


def _cross_fitted_means(cells: Ints, folds: Ints, target: Floats) -> tuple[Floats, Ints, Floats]:
    """Return (cells, folds): the mean of the other folds with one row of prior, rows and sums."""
    shape = (int(cells.max()) + 1, FOLDS)
    cell, size = cells * FOLDS + folds, shape[0] * shape[1]
    rows: Ints = np.bincount(cell, minlength=size).reshape(shape)
    sums = np.bincount(cell, weights=target, minlength=size)
    total: Floats = np.asarray(sums, np.float64).reshape(shape)
    rest_rows: Ints = rows.sum(axis=1, keepdims=True) - rows
    rest_total: Floats = total.sum(axis=1, keepdims=True) - total
    return (rest_total + float(target.mean())) / (rest_rows + 1), rows, total
