"""Numbers and answers in words."""

from __future__ import annotations

import numpy as np

from assay.records.snapshot import Problem

TINY = 1e-6
"""Below this a number is mostly zeros."""


def of_what(problem: Problem) -> str:
    """Return what the explained number is, in words."""
    if not problem.classes:
        return f"predicted {problem.target}"
    if problem.positive is None:
        return "probability of the answer"
    return f"probability of {problem.positive}"


def plain(value: float, digits: int = 3) -> str:
    """Return a number as a person reads it: three significant digits, all of a whole part.

    One too small to read so has an exponent.
    """
    if value == 0 or not np.isfinite(value):
        return f"{value:g}"
    if abs(value) < TINY:
        return f"{value:.{digits}g}"
    return f"{value:,.{max(0, digits - 1 - int(np.floor(np.log10(abs(value)))))}f}"
