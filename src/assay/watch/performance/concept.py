"""Whether labels agree with what was known: a calibration test, which concept drift fails."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtrc

from assay.kernel.family import Predictions
from assay.metrics.base import Truth
from assay.metrics.weighted import Floats
from assay.watch.performance.additive import Codes
from assay.watch.performance.exact import labelled
from assay.watch.performance.known import Known, outcome_of

FEWEST = 30
"""Labelled rows below which nothing is said."""
LIGHTEST = 2.0
"""The least variance of the number of events in a bin; eight rows of numbers."""
SLACK = 0.02
"""A gap between what happened and what was foretold that is no contradiction, however sure it is:
of a class as a share of rows, of a number relative to the expected error."""


@dataclass(frozen=True)
class Agreement:
    """How far labels lie from what was foretold, over bins of the score.

    `gap` is the mean distance, over rows, of what happened from what was foretold, less what chance
    adds: of shares for classes, relative to the expected error for numbers. `bins` has one line for
    each bin with rows: rows, what happened and what was foretold, as means. `p` is the chance of so
    much distance if nothing had changed.
    """

    rows: int
    p: float
    gap: float
    bins: tuple[tuple[int, float, float], ...] = ()

    def contradicts(self, alpha: float) -> bool:
        """Return True where labels deny what was known, by more than chance and a trifle."""
        return self.rows >= FEWEST and self.p < alpha and self.gap > SLACK


def concept(
    known: Known,
    answers: Predictions,
    codes: Codes,
    truth: Truth,
    only: NDArray[np.bool_] | None = None,
) -> Agreement:
    """Return whether the labelled rows of a window agree with what was known of such rows.

    `codes` (n, columns) are in the order of `known.names`, `truth` (n,) as in `exact.measure`,
    `only` (n,) the rows to look at, such as those that are like known ones. The rows with a label
    are compared with their recalibrated expectation, so that a shift of the inputs alone is none.
    A chi-square test over bins of the score (Hosmer and Lemeshow 1980, Communications in Statistics
    9), whose covariance holds the doubt about the expectation, too.
    """
    told = labelled(answers, truth)
    told = told if only is None else told & only
    part, n = answers.take(told), int(told.sum())
    if n < FEWEST:
        return Agreement(n, 1.0, 0.0)
    foretold = known.foretold(part, codes[told])
    happened = outcome_of(known, part, truth[told])
    mean = foretold[1:].mean(axis=0)
    weight = mean * (1 - mean) if known.classes else np.full(n, 0.25)
    bins = _merged(known.bins(part), len(known.edges) + 1, weight)
    size = int(bins.max()) + 1
    each = _variance(known, mean)
    unit = 1.0 if known.classes else float(mean.mean())
    count = np.bincount(bins, minlength=size)
    rest = np.bincount(bins, (happened - mean) / unit, size)
    noise = np.bincount(bins, each / unit**2, size)
    doubt = np.cov([np.bincount(bins, line / unit, size) for line in foretold[1:]], rowvar=False)
    covariance = np.diag(np.maximum(noise, 1e-12)) + doubt.reshape(size, size)
    distance = float(rest @ np.linalg.solve(covariance, rest))
    chance = float(np.sqrt(np.diag(covariance) * 2 / np.pi).sum()) / n
    lines = zip(
        count.tolist(),
        (np.bincount(bins, happened, size) / count).tolist(),
        (np.bincount(bins, mean, size) / count).tolist(),
        strict=True,
    )
    gap = max(float(np.abs(rest).sum()) / n - chance, 0.0)
    return Agreement(n, float(chdtrc(size, distance)), gap, tuple(lines))


def _variance(known: Known, mean: Floats) -> Floats:
    if known.classes:
        result: Floats = mean * (1 - mean)
        return result
    errors = np.abs(known.errors)
    relative = float((errors**2).mean() / errors.mean() ** 2) - 1
    return relative * mean**2


def _merged(bins: NDArray[np.int64], size: int, weight: Floats) -> NDArray[np.int64]:
    """Return (n,) bins from 0, neighbours taken together until their (n,) weights are LIGHTEST."""
    mass = np.bincount(bins, weight, size)
    place, merged, held = 0, np.zeros(size, dtype=np.int64), 0.0
    for number in range(size):
        merged[number] = place
        held += float(mass[number])
        if held >= LIGHTEST:
            place, held = place + 1, 0.0
    if held < LIGHTEST and place > 0:
        merged[merged == place] = place - 1
    return np.unique(merged[bins], return_inverse=True)[1].astype(np.int64)
