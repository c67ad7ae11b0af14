"""Which rows hang together: those of a group, or neighbours in time whose errors are alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.errors import DataError
from assay.metrics.intervals.linear import Groups
from assay.metrics.weighted import Floats, Rows

FEWEST_BLOCKS = 12
"""Blocks below which their differences would say too little; blocks are then kept shorter."""
LONGER = 2.0
"""Blocks for an interval are longer than those for a variance: a t for few blocks is cheap, a
variance that is too small is not (Sun, Phillips and Jin 2008, Econometrica 76)."""
QUIET = 5
"""Lags in a row without correlation after which none is expected."""


@dataclass(frozen=True)
class Units:
    """What is resampled: rows (`codes` None), or the groups or blocks of (n,) `codes` from 0.

    `suffix` ends the method's name.
    """

    codes: Groups | None
    count: int
    suffix: str = ""


def units_of(
    rows: Rows, groups: NDArray[Any] | None = None, times: NDArray[Any] | None = None
) -> Units:
    """Return the units of these rows: their groups, else blocks of time, else the rows themselves.

    Raises:
        DataError: INTERVAL-TOO-FEW when there are fewer than two rows or groups.
    """
    units = Units(None, rows.n)
    if groups is not None:
        names = groups if groups.dtype.kind in "iuf" else groups.astype(str)
        known, inverse = np.unique(names, return_inverse=True)
        units = Units(inverse.astype(np.int64), len(known), ", by group")
    elif times is not None and (blocks := time_blocks(rows, times)) is not None:
        units = Units(blocks, int(blocks.max()) + 1, ", by blocks of time")
    if units.count < 2:
        what = "group" if groups is not None else "row"
        raise DataError(
            "INTERVAL-TOO-FEW",
            f"one {what} of test data cannot show how much a metric would vary",
            where="test rows",
            got=units.count,
            allowed=(f"two {what}s or more",),
            hint="set aside a larger share of the data with split.test",
        )
    return units


def time_blocks(rows: Rows, times: NDArray[Any]) -> Groups | None:
    """Return (n,) codes of blocks of neighbours in time; None where errors do not last.

    `times` (n,) orders the rows; rows of one time, or of none, stay in the order they have. The
    length is the longest that any of the errors asks for; blocks are whole and do not overlap
    (Carlstein 1986, Annals of Statistics 14).
    """
    order = np.argsort(times, kind="stable")
    length = max(block_length(series[order]) for series in _errors(rows))
    blocks = rows.n // length
    if length == 1 or blocks < 2:
        return None
    codes = np.empty(rows.n, dtype=np.int64)
    codes[order] = np.arange(rows.n) * blocks // rows.n
    return codes


def _errors(rows: Rows) -> list[Floats]:
    if not rows.classes:
        return [rows.error, np.abs(rows.error), rows.error**2]
    wrong = (rows.truth != rows.labels).astype(np.float64)
    if rows.classes > 2:
        return [wrong, rows.surprise]
    return [wrong, rows.surprise, rows.positive - rows.score, rows.positive.astype(np.float64)]


def block_length(series: Floats) -> int:
    """Return how many neighbours of (n,) numbers in time to keep together, 1 for independent ones.

    Source: Politis and White 2004, Econometric Reviews 23, with the correction by Patton, Politis
    and White 2009 (28), for blocks that are taken whole.
    """
    n = len(series)
    if n < 8 * QUIET or series.std() == 0:
        return 1
    lags = min(int(np.ceil(np.sqrt(n))) + QUIET, n // 4)
    correlation = autocorrelation(series, lags)
    bound = 2 * np.sqrt(np.log10(n) / n)
    quiet = np.convolve(np.abs(correlation[1:]) < bound, np.ones(QUIET), "valid") == QUIET
    last = int(np.argmax(quiet)) if quiet.any() else lags // 2
    if last == 0:
        return 1
    reach = min(2 * last, lags)
    lag = np.arange(1, reach + 1)
    taper = np.minimum(1.0, 2 * (1 - lag / reach))
    tail = 2 * taper * correlation[1 : reach + 1]
    spectrum = max(1 + float(tail.sum()), 0.1)
    slope = float((tail * lag).sum())
    length = np.cbrt(1.5 * n * (slope / spectrum) ** 2)
    return int(np.clip(np.ceil(LONGER * length), 1, max(n // FEWEST_BLOCKS, 1)))


def autocorrelation(series: Floats, lags: int) -> Floats:
    """Return the correlation of (n,) numbers with themselves 0 to `lags` places on."""
    centred = series - series.mean()
    size = 2 ** int(np.ceil(np.log2(2 * len(series))))
    power = np.abs(np.fft.rfft(centred, size)) ** 2
    covariance = np.fft.irfft(power, size)[: lags + 1]
    correlation: Floats = covariance / covariance[0]
    return correlation
