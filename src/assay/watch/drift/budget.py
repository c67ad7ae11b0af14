"""How false alarms are shared out: over time, families of questions, columns and scales."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from assay.records.spec import WatchSection

MONTH = 30 * 86_400.0
MOST = 0.01
"""The chance that a window gets at most, and that one without times gets."""


def alpha_of(section: WatchSection, seconds: float | None) -> float:
    """Return the chance of a false alarm that a window which took so many seconds may have.

    The chances of all windows of 30 days add up to `section.false_alarms` at most, whether or not
    they depend on each other.
    """
    if seconds is None or seconds <= 0:
        return MOST
    return min(MOST, section.false_alarms * seconds / MONTH)


def holm(p: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return p-values corrected for all of them, (n,) (Holm 1979, Scand. J. Statist. 6)."""
    order = np.argsort(p, kind="stable")
    steps = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    corrected = np.empty_like(p)
    corrected[order] = np.minimum(1.0, steps)
    return corrected
