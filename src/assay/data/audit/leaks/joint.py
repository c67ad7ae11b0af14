"""Columns that may give the target away only together: which combinations are worth a look.

Two numbers by their sum, difference, product or ratio; three by a weighted sum, of the numbers or
of their logarithms; two or three columns by a table of their values. What such columns tell
together is far more than what each tells alone: that excess, not the strength, sets them apart
from honest strong columns, which repeat each other (suppression, in the words of Conger,
Educational and Psychological Measurement 34, 1974).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, islice

import numpy as np
import polars as pl
from numpy.typing import NDArray

from assay.data.audit.leaks.probe import Probe
from assay.data.audit.score import (
    FEW,
    LARGEST,
    Floats,
    Ints,
    Outcome,
    cells_of,
    dense_cells,
    to_unit,
)
from assay.data.audit.subject import SEED

SCREENED = 800_000
"""Cells, pairs of columns times rows, that are screened for each way to combine two numbers."""
SCREENED_ROWS = (250, 1_000)
MOST_NUMBERS = 80
"""Numeric columns whose pairs are tried; of more, those are drawn at random."""
MOST_LEVELS = 64
"""Values of a column that can be a key of a table; a number with more is cut into 8 ranges."""
RANGES = 8
FEW_LEVELS = 6
MOST_TABLES = 3_000
KEPT = 6
"""Best of each kind that are looked at closely."""
TINY = 1e-9


@dataclass(frozen=True)
class Joint:
    """Some columns taken together: how, as text; what they say, (n,) numbers or cells."""

    names: tuple[str, ...]
    how: str
    values: pl.Series


def combined(probe: Probe, columns: list[str]) -> Iterator[Joint]:
    """Offer the most telling combinations of two or three columns of a probe."""
    yield from _pairs_of_numbers(probe, columns)
    yield from _weighted_sums(probe, columns)
    yield from _tables(probe, columns)


def numbers_of(probe: Probe, columns: list[str]) -> tuple[list[str], Floats]:
    """Return the names of numeric columns with a spread, and their values, gaps as the median."""
    kept, found = [], []
    for name in columns:
        values = probe.table[name]
        if not values.dtype.is_numeric() or values.count() < len(values) / 2:
            continue
        filled = values.cast(pl.Float64).fill_null(values.median()).to_numpy()
        if np.abs(filled).max() < LARGEST and np.ptp(filled) > 0:
            kept.append(name)
            found.append(filled)
    return kept, np.array(found).reshape(len(kept), len(probe.rows))


OPERATIONS: dict[str, Callable[[Floats, Floats], Floats]] = {
    "{0} + {1}": lambda a, b: a + b,
    "{0} - {1}": lambda a, b: a - b,
    "{0} × {1}": lambda a, b: a * b,
    "{0} / {1}": lambda a, b: a / np.where(np.abs(b) < TINY, TINY, b),
}


def _pairs_of_numbers(probe: Probe, columns: list[str]) -> Iterator[Joint]:
    names, values = numbers_of(probe, columns)
    rng = np.random.default_rng(SEED)
    chosen = np.sort(rng.permutation(len(names))[:MOST_NUMBERS])
    if len(chosen) < 2:
        return
    pairs = len(chosen) * (len(chosen) - 1) // 2
    rows = rng.permutation(len(probe.rows))[: int(np.clip(SCREENED // pairs, *SCREENED_ROWS))]
    answer = probe.answer[rows] - probe.answer[rows].mean(axis=0)
    few = values[np.ix_(chosen, rows)]
    single = _rank_shares(few, answer)
    left, right = np.triu_indices(len(chosen), 1)
    for how, operation in OPERATIONS.items():
        shares = _rank_shares(operation(few[left], few[right]), answer)
        excess = shares - single[left] - single[right]
        gain = shares - np.maximum(single[left], single[right])
        best = {*np.argsort(-excess)[:KEPT].tolist(), *np.argsort(-gain)[:KEPT].tolist()}
        for pair in sorted(best):
            a, b = chosen[left[pair]], chosen[right[pair]]
            joint = pl.Series(operation(values[a], values[b]))
            yield Joint((names[a], names[b]), how.format(names[a], names[b]), joint)


def _rank_shares(values: Floats, answer: Floats) -> Floats:
    """Return (m,) the share of the ranks of values (m, n) that the answer (n, k) explains."""
    ranks = values.argsort(axis=1).argsort(axis=1).astype(np.float32)
    ranks -= ranks.mean(axis=1, keepdims=True)
    told = ((ranks @ answer.astype(np.float32)) ** 2).sum(axis=1)
    rows = values.shape[1]
    scale = rows if answer.shape[1] > 1 else float((answer**2).sum())
    return np.asarray(told / (scale * (ranks**2).sum(axis=1)))


def _weighted_sums(probe: Probe, columns: list[str]) -> Iterator[Joint]:
    """Offer weighted sums of two or three of the numbers that the others cannot stand in for."""
    names, values = numbers_of(probe, columns)
    positive: NDArray[np.bool_] = np.all(values > 0, axis=1)
    named = [name for name, whole in zip(names, positive, strict=True) if whole]
    for kind, these, numbers in (
        ("sum", names, values),
        ("product", named, np.log(values[positive])),
    ):
        if len(these) < 2:
            continue
        unit, answer = _standard(numbers), _linear_answer(probe, kind)
        for chosen, axis in _sums_of_few(unit, answer):
            shown = tuple(these[i] for i in chosen)
            yield Joint(shown, f"a weighted {kind} of {listed(shown)}", pl.Series(axis))


def _linear_answer(probe: Probe, kind: str) -> Floats:
    """Return the target to be fitted: classes as they are, numbers raw, or their logarithms."""
    if probe.outcome.codes is not None:
        return probe.answer
    target = probe.subject.target[probe.rows].astype(np.float64)
    if kind == "product" and (target > 0).all():
        target = np.log(target)
    target = to_unit(target)
    return np.asarray((target - target.mean())[:, None])


def _standard(values: Floats) -> Floats:
    centred = values - values.mean(axis=1, keepdims=True)
    widest = np.abs(centred).max(axis=1, keepdims=True)
    centred = centred / np.where(widest > 0, widest, 1)
    spread = centred.std(axis=1, keepdims=True)
    return np.asarray(centred / np.where(spread > 0, spread, 1))


def _sums_of_few(unit: Floats, answer: Floats) -> Iterator[tuple[tuple[int, ...], Floats]]:
    """Return the best sums of 2 or 3 of the columns (d, n) whose loss would cost the fit most.

    Each sum is (n,), the first canonical variate of its columns with the answer.
    """
    inner, outer = unit @ unit.T, unit @ answer
    spread = float((answer**2).sum())
    inverse = np.linalg.pinv(inner + TINY * unit.shape[1] * np.eye(len(unit)))
    cost = ((inverse @ outer) ** 2).sum(axis=1) / np.diag(inverse)
    best = sorted(np.argsort(-cost)[:KEPT].tolist())
    alone = (outer**2).sum(axis=1) / (np.diag(inner) * spread)
    found = []
    for size in (2, 3):
        for few in combinations(best, size):
            kept = list(few)
            weights = np.linalg.lstsq(inner[np.ix_(kept, kept)], outer[kept], rcond=None)[0]
            share = float((weights * outer[kept]).sum()) / spread
            found.append((share - float(alone[kept].sum()), few, weights))
    for _, few, weights in sorted(found, key=lambda one: -one[0])[:KEPT]:
        fitted = weights.T @ unit[list(few)]
        yield few, np.linalg.svd(fitted, full_matrices=False)[2][0]


def listed(names: Sequence[str]) -> str:
    """Return names as one would say them: a, b and c."""
    return f"{', '.join(names[:-1])} and {names[-1]}"


def _tables(probe: Probe, columns: list[str]) -> Iterator[Joint]:
    """Offer pairs, and triples of columns with few values, whose cells say more than each alone."""
    cells = {name: _levels(probe.table[name]) for name in columns}
    keys = [name for name in columns if 1 <= cells[name].max() < MOST_LEVELS]
    few = [name for name in keys if cells[name].max() < FEW_LEVELS]
    alone = {name: _cell_share(cells[name], probe.outcome) for name in keys}
    for offered in (combinations(keys, 2), combinations(few, 3)):
        group = list(islice(offered, MOST_TABLES))
        excess = [
            _cell_share(_joined([cells[name] for name in names]), probe.outcome)
            - sum(alone[name] for name in names)
            for names in group
        ]
        for place in np.argsort(excess)[::-1][:KEPT]:
            names = group[place]
            joint = pl.Series(_joined([cells[name] for name in names])).cast(pl.String)
            yield Joint(names, f"the combination of {listed(names)}", joint)


def is_ranged(values: pl.Series) -> bool:
    """Return True for a number with so many values that a table has its ranges as keys."""
    return values.dtype.is_numeric() and values.n_unique() > 2 * FEW


def _levels(values: pl.Series) -> Ints:
    if is_ranged(values):
        return cells_of(values, RANGES)
    return dense_cells(cells_of(values, MOST_LEVELS * 8))


def _joined(cells: list[Ints]) -> Ints:
    joint = cells[0]
    for other in cells[1:]:
        joint = joint * (int(other.max()) + 1) + other
    return joint


def _cell_share(cells: Ints, outcome: Outcome) -> float:
    """Return the share of the target that cells (n,) explain, adjusted for their number."""
    if outcome.codes is not None:
        counts = np.bincount(outcome.codes)
        size = int(cells.max() + 1) * len(counts)
        table = np.bincount(cells * len(counts) + outcome.codes, minlength=size)
        table = table.reshape(-1, len(counts))
        rows = table.sum(axis=1)
        told = (table**2 / np.maximum(rows, 1)[:, None]).sum(axis=0) @ (1 / counts) - 1
        share = told / (len(counts) - 1)
    else:
        ranks = outcome.ranks if outcome.ranks is not None else np.zeros(len(cells))
        rows = np.bincount(cells)
        told = (np.bincount(cells, weights=ranks) ** 2 / np.maximum(rows, 1)).sum()
        share = told / max(float((ranks**2).sum()), TINY)
    freedom = len(cells) - np.count_nonzero(rows)
    return float(1 - (1 - share) * (len(cells) - 1) / freedom) if freedom > 0 else -math.inf
