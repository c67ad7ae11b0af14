"""How far two samples over the same cells lie apart, without what chance adds."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

Cells = NDArray[np.int64]
Real = NDArray[np.float64]

FEW = 40
"""Rows of both samples up to which a cell's part of chance is summed up exactly."""
_EXPECTED = (0.05, 0.1, 0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 7.0, 10.0, 20.0, 40.0, 100.0)
_FACTOR = (0.238, 0.426, 0.815, 1.151, 1.355, 1.354, 1.305, 1.206, 1.141, 1.103, 1.065, 1.042, 1.02,
           1.01, 1.0)  # fmt: skip
"""What chance adds in one sample, in 1 / (8 n ln 2), by how many rows a cell is expected to have
there (Poisson counts)."""


def distance(a: Cells, b: Cells) -> float:
    """Return the Jensen-Shannon distance (base 2, 0 to 1) between counts of two samples.

    Without what chance adds to the divergence: about (k - 1)(1/n + 1/m) / (8 ln 2) for k cells of
    many rows each.
    """
    if not a.sum() or not b.sum():
        return 0.0
    return float(np.clip(excess(a, b).sum(), 0.0, 1.0) ** 0.5)


def excess(a: Cells, b: Cells) -> Real:
    """Return what each cell adds to the Jensen-Shannon divergence, in bits, beyond chance."""
    n, m = int(a.sum()), int(b.sum())
    t = a + b
    few = t <= FEW
    chance = np.empty(len(t))
    chance[few] = _few(n, m)[t[few]]
    share = t[~few] / (n + m)
    chance[~few] = share * (1.0 - (1.0 - _many(share, n)) * (1.0 - _many(share, m)))
    return _part(a / n, b / m) - chance


@lru_cache(maxsize=64)
def _few(n: int, m: int) -> Real:
    """Return what is expected of cells with 0, 1, ... FEW rows, dealt to both samples by chance."""
    t, x = np.arange(FEW + 1)[:, None], np.arange(FEW + 1)[None, :]
    y = np.maximum(t - x, 0)
    logs = gammaln(t + 1) - gammaln(x + 1) - gammaln(y + 1)
    logs = logs + x * np.log(m / (n + m)) + y * np.log(n / (n + m))
    chance = np.where(x <= t, np.exp(logs), 0.0)
    expected: Real = (chance * _part(y / n, x / m)).sum(axis=1)
    return expected


def _many(share: Real, rows: int) -> Real:
    """Return what chance in one sample adds to each cell's part, relative to the cell's share."""
    expected = np.maximum(share * rows, _EXPECTED[0])
    factor = (1.0 - share) * np.interp(expected, _EXPECTED, _FACTOR)
    added: Real = factor / (8.0 * np.log(2.0) * expected)
    return added


def _part(p: Real, q: Real) -> Real:
    middle = (p + q) / 2.0
    part: Real = (_bits(p, middle) + _bits(q, middle)) / 2.0
    return part


def _bits(p: Real, middle: Real) -> Real:
    with np.errstate(divide="ignore", invalid="ignore"):
        bits: Real = np.where(p > 0, p * np.log2(p / middle), 0.0)
    return bits
