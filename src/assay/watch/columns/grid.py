"""The edges between which numbers are counted."""

from __future__ import annotations

from math import inf, isfinite, nextafter

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]
_DIGITS = range(1, 17)


def edges_of(finite: Numbers, bins: int) -> tuple[float, ...]:
    """Return edges that leave about as many values in each of about `bins` bins; none for none.

    No value lies before the first edge or after the last, and both are a hair's breadth from one.
    Few distinct values get a bin each. A
    value that alone fills a bin stands alone, and the others share the bins that are left as if
    there were no such value. An edge is the shortest decimal number between two values, so that it
    need not be one of them.
    """
    if not finite.size:
        return ()
    values, counts = np.unique(finite, return_counts=True)
    starts = np.arange(1, values.size) if values.size <= bins else _starts(counts, bins)
    inner = [_between(float(values[i - 1]), float(values[i])) for i in starts]
    low, high = float(values[0]), float(values[-1])
    hair = 1e-6 * high - 1e-6 * low
    before, after = low - hair, high + hair
    if not (isfinite(before) and before < low):
        before = nextafter(low, -inf)
    if not (isfinite(after) and after > high):
        after = nextafter(high, inf)
    ends = [_between(before, low), *inner, _between(high, after)]
    return tuple(edge for edge in ends if isfinite(edge))


def _starts(counts: NDArray[np.int64], bins: int) -> NDArray[np.int64]:
    """Return the places, without 0, of the distinct values with which a bin begins."""
    most = counts.sum() / bins
    mass = np.minimum(counts, most)
    bin_of = np.floor((np.cumsum(mass) - mass) / mass.sum() * bins)
    begins = np.flatnonzero(np.diff(bin_of)) + 1
    alone = np.flatnonzero(counts >= most)
    starts = np.unique(np.concatenate([begins, alone, alone + 1]))
    return starts[(starts > 0) & (starts < counts.size)]


def _between(low: float, high: float) -> float:
    """Return the shortest decimal number above `low` and up to `high`, which may be infinite."""
    if not isfinite(high - low):
        return high
    middle = low / 2 + high / 2
    for digits in _DIGITS:
        for number in (high, middle):
            short = float(f"{number:.{digits}g}")
            if low < short <= high:
                return short
    return high
