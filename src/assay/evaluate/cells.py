"""Counts of rows in a few cells, drawn again: the bootstrap of what depends on counts alone."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.records.report import Estimate

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]

REPLICATES = 2000
TAILS = (0.025, 0.975)


def redrawn(
    cells: Codes,
    size: int,
    rng: np.random.Generator,
    groups: NDArray[Any] | None = None,
    replicates: int = REPLICATES,
) -> Floats:
    """Return (replicates, size) sums of resampled row weights by cell; `cells` is (n,).

    Exponential weights (the Bayesian bootstrap, Rubin 1981, Annals of Statistics 9) add up to a
    gamma per cell. Where `groups` (n,) hang together each group has one weight; the sums are then
    drawn from the normal law with the same mean and covariance.
    """
    counts = np.bincount(cells, minlength=size).astype(np.float64)
    if groups is None:
        return rng.standard_gamma(counts, (replicates, size))
    _, units = np.unique(groups, return_inverse=True)
    table = np.bincount(units * size + cells, minlength=(units.max() + 1) * size)
    table = table.reshape(-1, size).astype(np.float64)
    values, vectors = np.linalg.eigh(table.T @ table)
    spread = vectors * np.sqrt(np.maximum(values, 0.0))
    drawn: Floats = counts + rng.standard_normal((replicates, size)) @ spread.T
    return drawn.clip(min=0.0)


def percentiles(
    value: float, draws: Floats, n: int, *, low: float = -np.inf, high: float = np.inf
) -> Estimate:
    """Return the estimate with the percentiles of its draws, kept around it and in range."""
    known = draws[np.isfinite(draws)]
    ends = np.quantile(known, TAILS) if len(known) else np.array([value, value])
    return _around(value, ends, n, low, high)


def of_a_gap(value: float, draws: Floats, n: int) -> Estimate:
    """Return the estimate of a largest gap between groups, from 0 to 1, with its interval.

    Chance can only set groups apart, and the draws are too large by as much as the value is: the
    low end mirrors them (the basic bootstrap, Davison and Hinkley 1997, section 5.2). The high end
    is their percentile, for groups that chance has brought together.
    """
    low, high = np.quantile(draws, TAILS)
    mirror = 2 * value - high, 2 * value - low
    return _around(value, np.array([mirror[0], max(mirror[1], high)]), n, 0.0, 1.0)


def _around(value: float, ends: Floats, n: int, low: float, high: float) -> Estimate:
    return Estimate(
        value=float(value),
        low=float(min(value, max(low, ends[0]))),
        high=float(max(value, min(high, ends[1]))),
        n=n,
        method="bootstrap",
    )
