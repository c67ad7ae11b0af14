"""What happened to a column, in one plain sentence."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from assay.watch.columns.form import MISSING, NEVER_SEEN, NOT_FINITE, RARE, ColumnProfile
from assay.watch.drift.effect import excess

Cells = NDArray[np.int64]
Real = NDArray[np.float64]

_MOST = 0.5
_SHIFT, _SPREAD = 0.1, 1.2


def read(column: ColumnProfile, counts: Cells, moments: Real | None) -> str:
    """Return the sentence for what adds most to the difference; both sides must have rows."""
    a = np.asarray(column.counts, dtype=np.int64)
    apart = np.maximum(excess(a, counts), 0.0)
    most = _MOST * float(apart.sum())
    before, now = a / a.sum(), counts / counts.sum()
    if apart[-1] > most:
        return f"{percent(now[-1])} {MISSING} instead of {percent(before[-1])}"
    if column.kind == "category":
        worst = int(apart.argmax())
        return f"{_of(column.labels[worst])} {_instead(now[worst], before[worst])}"
    if apart[-2] > most:
        return f"{percent(now[-2])} {NOT_FINITE} instead of {percent(before[-2])}"
    return _number(column, moments, apart, before, now)


def _number(
    column: ColumnProfile, moments: Real | None, apart: Real, before: Real, now: Real
) -> str:
    last = column.bins - 1
    beyond = float(now[0] + now[last]) if column.edges else 0.0
    known = float(before[0] + before[last]) if column.edges else 0.0
    if beyond > known and apart[0] + apart[last] > _MOST * apart.sum():
        times = _times(column, moments, beyond)
        return f"{percent(beyond)} lie outside of what training saw{times}"
    moved = _moved(column, moments)
    if moved:
        return moved
    worst = int(apart.argmax())
    return f"share of {column.labels[worst]} {_instead(now[worst], before[worst])}"


def _moved(column: ColumnProfile, moments: Real | None) -> str:
    """Return what mean and spread say; nothing where neither changed much."""
    if moments is None or not moments[0] or column.mean is None or not column.std:
        return ""
    mean = float(moments[1] / moments[0])
    std = max(0.0, float(moments[2] / moments[0]) - mean**2) ** 0.5
    shift = (mean - column.mean) / column.std
    if np.isfinite(shift) and abs(shift) >= _SHIFT:
        return f"mean {short(mean)} instead of {short(column.mean)} ({shift:+.2f} sd)"
    if np.isfinite(std) and not 1.0 / _SPREAD < std / column.std < _SPREAD:
        return f"standard deviation {short(std)} instead of {short(column.std)}"
    return ""


def _times(column: ColumnProfile, moments: Real | None, beyond: float) -> str:
    """Return the power of ten by which the values outside are larger, if it is one."""
    if moments is None or not moments[0] or not column.mean:
        return ""
    mean = float(moments[1] / moments[0])
    ratio = (mean / column.mean - (1.0 - beyond)) / beyond
    if not np.isfinite(ratio) or ratio < 5.0:
        return ""
    times = float(10 ** round(np.log10(ratio)))
    return f": about {short(times) if times < 1e6 else f'{times:.0e}'} times larger, another unit?"


def _of(label: str) -> str:
    return label if label in (NEVER_SEEN, RARE) else f"share of {label}"


def _instead(now: float, before: float) -> str:
    return f"{percent(now)} instead of {percent(before)}"


def percent(share: float) -> str:
    """Return a share as per cent with two significant digits, such as 31% or 0.4%."""
    value = 100.0 * float(share)
    if 99.0 < value < 100.0:
        return f"{100.0 - float(f'{100.0 - value:.2g}'):.6g}%"
    return f"{value:.0f}%" if value >= 10.0 else f"{float(f'{value:.2g}'):g}%"


def short(value: float) -> str:
    """Return a number with about three significant digits."""
    return f"{value:,.0f}" if 1000 <= abs(value) < 1e9 else f"{value:.3g}"
