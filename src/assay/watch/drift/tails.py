"""Tail probabilities of two samples over the same cells that hold at 1e-6 as they do at 0.05.

All are conditional on the totals of both samples together, as a permutation test is: the profile is
a sample too, and may be the smaller one. `a` and `b` are the profile's and the window's counts.
"""

from __future__ import annotations

from math import exp, pi, sqrt

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtrc, gammaln, ndtr

Cells = NDArray[np.int64]
Real = NDArray[np.float64]

EXPECTED = 10.0
"""What a cell of the general test must hold in the smaller sample, sparse ones being merged."""
_NEAR = 2.5
_STEPS = 40


def shares(a: Cells, n: int, b: Cells, m: int) -> Real:
    """Return two-sided p-values, one for each cell: is its share the same in both samples?

    The exact hypergeometric tail from b outwards is at most the first term of a geometric series,
    whose ratio is that of the first two terms, as their logarithms are concave; doubled for two
    sides. So it never claims too much, for cells of one row and of a million.
    """
    t = (a + b).astype(np.float64)
    first = _choose(n, a) + _choose(m, b) - _choose(n + m, t)
    above = b / m >= a / n
    up = (t - b) * (m - b) / ((b + 1.0) * (n - t + b + 1.0))
    down = b * (n - t + b) / ((t - b + 1.0) * (m - b + 1.0))
    ratio = np.where(above, up, down)
    with np.errstate(divide="ignore", over="ignore"):
        tail = np.where(ratio < 1.0, np.exp(first) / (1.0 - ratio), 1.0)
    p: Real = np.minimum(1.0, 2.0 * tail)
    return p


def _choose(n: float, k: Cells | Real) -> Real:
    value: Real = gammaln(n + 1.0) - gammaln(k + 1.0) - gammaln(n - k + 1.0)
    return value


def merged(a: Cells, b: Cells, *, ordered: bool) -> tuple[Cells, Cells]:
    """Return both with neighbours put together until each cell is expected `EXPECTED` times.

    Neighbours are those beside each other where cells are `ordered`, else those as rare.
    """
    t = a + b
    if not ordered:
        a, b, t = (x[np.argsort(a + b, kind="stable")] for x in (a, b, t))
    needed = EXPECTED * t.sum() / max(1, min(a.sum(), b.sum()))
    starts, held = [0], 0
    for i, total in enumerate(t.tolist()):
        if held >= needed:
            starts.append(i)
            held = 0
        held += total
    if held < needed and len(starts) > 1:
        starts.pop()
    return np.add.reduceat(a, starts), np.add.reduceat(b, starts)


def general(a: Cells, b: Cells) -> float:
    """Return the p-value of the likelihood-ratio test that both samples have the same shares.

    G, whose tail for small cells follows chi-squared further out than Pearson's statistic does,
    divided by Williams' (1976) correction.
    """
    t, n, m = (a + b).astype(np.float64), float(a.sum()), float(b.sum())
    total, freedom = n + m, int((t > 0).sum()) - 1
    if freedom < 1 or not n or not m:
        return 1.0
    parts = [_gain(x, t * (size / total)) for x, size in ((a, n), (b, m))]
    spare = total * float((1.0 / t[t > 0]).sum()) - 1.0
    correction = 1.0 + spare * (total / n + total / m - 1.0) / (6.0 * total * freedom)
    return float(chdtrc(freedom, max(0.0, 2.0 * sum(parts)) / correction))


def _gain(counts: Cells, expected: Real) -> float:
    seen = counts > 0
    return float(counts[seen] @ np.log(counts[seen] / expected[seen]))


def linear(scores: Real, a: Cells, b: Cells) -> float:
    """Return the two-sided p-value of the mean of `scores`, one for each cell.

    Rows are dealt to the two samples at random: normal near the middle, further out the double
    saddlepoint approximation (Skovgaard 1987; for permutations Robinson 1982), which knows skew and
    ties and is right to a few per cent of the p-value.
    """
    t, n, m = (a + b).astype(np.float64), float(a.sum()), float(b.sum())
    total = n + m
    if min(n, m) < 1 or total < 3:
        return 1.0
    away = scores - (t @ scores) / total
    variance = n * m * float(t @ away**2) / (total * (total - 1.0))
    if variance <= 0:
        return 1.0
    away = away / variance**0.5
    z = float(b @ away)
    if abs(z) < _NEAR:
        return float(2.0 * ndtr(-abs(z)))
    far = _saddle(away if z > 0 else -away, t, m / total, abs(z))
    return min(1.0, 2.0 * far)


def _saddle(scores: Real, t: Real, share: float, z: float) -> float:
    """Return P(sum of scores >= z) when a `share` of the rows, t in each cell, is drawn."""
    m = share * float(t.sum())
    u, v = _tilt(scores, t, share, np.array([z, m]))
    grown = u * scores + v
    logs = np.logaddexp(np.log1p(-share), np.log(share) + grown)
    rate = u * z + v * m - float(t @ logs)
    if rate <= 0:
        return float(ndtr(-z))
    held = np.exp(np.log(share) + grown - logs)
    spread = t * held * (1.0 - held)
    curve = [float(spread @ scores**k) for k in range(3)]
    bent = (curve[0] * curve[2] - curve[1] ** 2) / (m * (1.0 - share))
    w, wald = sqrt(2.0 * rate), u * sqrt(max(bent, 1e-300))
    density = exp(-rate) / sqrt(2.0 * pi)
    return max(0.0, float(ndtr(-w)) + density * (1.0 / wald - 1.0 / w))


def _tilt(scores: Real, t: Real, share: float, wanted: Real) -> tuple[float, float]:
    """Return the exponential tilt under which sum and number of rows are what was `wanted`."""
    features = np.stack([scores, np.ones_like(scores)])
    tilt, limit = np.zeros(2), 40.0 / max(1e-12, float(np.ptp(scores)))
    for _ in range(_STEPS):
        odds = np.log(share / (1.0 - share)) + tilt @ features
        held = 1.0 / (1.0 + np.exp(-odds))
        miss = wanted - features @ (t * held)
        bend = (features * (t * held * (1.0 - held))) @ features.T
        step = np.linalg.lstsq(bend, miss, rcond=None)[0]
        size = max(abs(step[0]) / limit * 20.0, abs(step[1]) / 2.0, 1.0)
        tilt = tilt + step / size
        if abs(tilt[0]) > limit or abs(step @ miss) < 1e-12:
            break
    return float(tilt[0]), float(tilt[1])
