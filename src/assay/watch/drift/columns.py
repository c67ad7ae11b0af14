"""One column of a window against the profile: is it chance, how far, and in a sentence."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from assay.watch.columns.form import ColumnProfile
from assay.watch.drift import tails
from assay.watch.drift.effect import distance
from assay.watch.drift.reading import read

Cells = NDArray[np.int64]


@dataclass(frozen=True)
class Compared:
    """`p` is corrected for the tests within the column; `effect` is 0 to 1; `reading` says it."""

    p: float
    effect: float
    reading: str


def compare(
    column: ColumnProfile, counts: Cells, moments: NDArray[np.float64] | None = None
) -> Compared:
    """Compare the counts of a window, (bins + 2,), with those of the profile.

    Several two-sample tests, each strong against something else, corrected after Bonferroni: the
    share missing, the share that fits no cell, each cell's own share, and the general shape; for
    numbers the share below each edge, a shift of ranks and their spread. Nothing to compare (no
    rows on either side) is p = 1. `moments` as in `Counts`, for the sentence only.
    """
    a = np.asarray(column.counts, dtype=np.int64)
    if not a.sum() or not counts.sum():
        return Compared(1.0, 0.0, "no rows to compare")
    found = _tests(a, counts, ordered=column.kind == "number")
    p = min(1.0, len(found) * min(found))
    return Compared(p, distance(a, counts), read(column, counts, moments))


def _tests(a: Cells, b: Cells, *, ordered: bool) -> list[float]:
    """Return the p-value of each test that says something of these counts."""
    n, m, bins = int(a.sum()), int(b.sum()), len(a) - 2
    found = tails.shares(a[bins:], n, b[bins:], m).tolist()
    held = (a[:bins] + b[:bins]) > 0
    a, b = a[:bins][held], b[:bins][held]
    n, m = int(a.sum()), int(b.sum())
    if len(a) < 2 or not n or not m:
        return list(found)
    found.append(_best(tails.shares(a, n, b, m)))
    if len(a) == 2:
        return list(found)
    found.append(tails.general(*tails.merged(a, b, ordered=ordered)))
    if ordered:
        found.append(_best(tails.shares(np.cumsum(a)[:-1], n, np.cumsum(b)[:-1], m)))
        ranks = _ranks(a, b)
        found += [tails.linear(ranks, a, b), tails.linear(ranks**2, a, b)]
    return list(found)


def _best(found: NDArray[np.float64]) -> float:
    return min(1.0, len(found) * float(found.min()))


def _ranks(a: Cells, b: Cells) -> NDArray[np.float64]:
    """Return the mid-rank of each cell among both samples, from -1/2 to 1/2 (ridits)."""
    t = a + b
    ranks: NDArray[np.float64] = (np.cumsum(t) - t / 2.0) / t.sum() - 0.5
    return ranks
