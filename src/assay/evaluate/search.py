"""The search for slices on which a model is worse than elsewhere.

Every value of every column, and every pair of values of two columns, is counted by products of
matrices. Each is then tested against as many rows drawn at random: for classes the squared error of
the probabilities, for numbers the ranks of the errors (Wilcoxon 1945, Biometrics Bulletin 1), which
one huge error cannot move. Bonferroni's correction allows for all slices looked at, half of the
allowance for single columns and half for pairs, so that the many pairs do not hide a plain column.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np
import polars as pl
from scipy.special import ndtr, stdtr

from assay.evaluate.slices import as_numbers, as_words, quantile_cuts, written
from assay.metrics.intervals.linear import Groups, Mask, midranks, variance
from assay.metrics.weighted import Codes, Floats, Rows, divide

LEVEL = 0.04
"""A little under the 5 % of false alarms that is promised: chances far out are approximate."""
MOST_VALUES = 12
MOST_PAIRED = 40
"""Columns whose pairs are looked at: those that tell most by themselves."""
FINE, WIDTHS = 40, (2, 4, 8)
"""Numbers are looked at alone in ranges of 5, 10 and 20 % of the rows, which overlap by half."""
COARSE = 4
"""Numbers are paired in quarters."""
TINY = 1e-12
CLEAR = 2.5
"""Standard errors from which on a slice's exact chance is worth computing."""
TRIED = 100


@dataclass(frozen=True)
class Part:
    """Some rows of one column in words, as a (n,) mask; `paired` parts are joined with others."""

    column: str
    words: str
    mask: Mask
    paired: bool


@dataclass(frozen=True)
class Slice:
    """A slice in words, its (n,) mask, and the chance of such a difference among all looked at."""

    words: str
    columns: tuple[str, ...]
    mask: Mask
    p_adjusted: float


@dataclass(frozen=True)
class Searched:
    """The slices found, how many were looked at, the fewest rows of one, and the worst value.

    `suspect` is the single column's slice that looks worst, found or not; None without any slice.
    """

    found: tuple[Slice, ...]
    singles: int
    pairs: int
    smallest: int
    suspect: Slice | None


def row_losses(rows: Rows) -> Floats:
    """Return (n,) what each row cost, from 0 to 1.

    For classes it is half the squared distance of the probabilities from the truth (Brier 1950,
    Monthly Weather Review 78), for numbers the rank of the error's size.
    """
    if rows.classes:
        given = rows.values[np.arange(rows.n), rows.truth]
        distance: Floats = ((rows.values**2).sum(axis=1) - 2 * given + 1) / 2
        return distance
    return midranks(np.abs(rows.error)) / rows.n


def smallest_slice(n: int) -> int:
    """Return the fewest rows of a slice: 2 % of all, at least 30, never more than 500."""
    return max(30, min(n // 50, 500))


def search(
    table: pl.DataFrame, losses: Floats, *, groups: Groups | None = None, most: int = 5
) -> Searched:
    """Return at most `most` slices of one or two columns that cost more than the other rows.

    `losses` (n,) is from `row_losses`, `groups` (n,) codes rows that hang together. A slice has at
    most a third of the rows. Once a slice is found its rows are set aside, so that what is then no
    worse than the rest is not told again; what is told is worse than all other rows too.
    """
    smallest = smallest_slice(table.height)
    parts = [part for name in table.columns for part in column_parts(table[name], smallest)]
    board = _Board.of(parts, losses, table.height // 3, smallest)
    left = np.ones(table.height, dtype=bool)
    suspect = next(board.ranked(left, singles=True), None)
    found: list[Slice] = []
    while len(found) < most:
        ranked = islice(board.ranked(left), TRIED)
        clear = (one for one in ranked if one.p_adjusted <= LEVEL)
        one = next((one for one in clear if board.holds(one, left, groups)), None)
        if one is None:
            break
        found.append(one)
        board = board.without(one.mask & left)
        left = left & ~one.mask
    return Searched(tuple(found), board.looked[0], board.looked[1], smallest, suspect)


def column_parts(series: pl.Series, smallest: int) -> list[Part]:
    """Return a column's parts of at least `smallest` rows: its values, or ranges of its numbers.

    Numbers give fine ranges to be looked at alone, and quarters to be paired.
    """
    name = series.name
    if series.dtype.is_nested() or series.dtype == pl.Object:
        return []
    if series.dtype.is_float():
        series = series.fill_nan(None)
    parts = [Part(name, f"{name} is missing", series.is_null().to_numpy(), paired=True)]
    if as_words(series):
        counts = series.drop_nulls().value_counts(sort=True).head(MOST_VALUES)
        for value in counts.filter(pl.col("count") >= smallest)[name].sort():
            mask = (series == value).fill_null(value=False).to_numpy()
            parts.append(Part(name, f"{name} = {_short(value)}", mask, paired=True))
    else:
        numbers = as_numbers(series)
        parts += _ranges(series, numbers, FINE, WIDTHS, paired=False)
        parts += _ranges(series, numbers, COARSE, (1,), paired=True)
    return [part for part in parts if part.mask.sum() >= smallest]


def _short(value: object) -> str:
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    return text if len(text) <= 40 else text[:39] + "…"


def _ranges(
    series: pl.Series, numbers: Floats, pieces: int, widths: tuple[int, ...], *, paired: bool
) -> list[Part]:
    """Return ranges of so many pieces wide, each width stepping by half of itself."""
    name = series.name
    known = numbers[np.isfinite(numbers)]
    if len(known) == 0 or known.min() == known.max():
        return []
    cuts = quantile_cuts(known, np.arange(1, pieces) / pieces)
    edges = np.r_[-np.inf, cuts, np.inf]
    words = ["", *(written(cut, series) for cut in cuts), ""]
    if len(cuts) < pieces - 1:  # values that repeat fill several pieces
        widths = (1, *widths[:1])
    windows = {
        (start, start + width)
        for width in widths
        for start in range(0, len(edges) - width, max(width // 2, 1))
        if width < len(edges) - 1
    }
    return [
        Part(name, _range_words(name, words[low], words[high]), mask, paired)
        for low, high in sorted(windows)
        for mask in [(edges[low] < numbers) & (numbers <= edges[high])]
    ]


def _range_words(name: str, low: str, high: str) -> str:
    if not low:
        return f"{name} ≤ {high}"
    return f"{low} < {name} ≤ {high}" if high else f"{name} > {low}"


@dataclass(frozen=True)
class _Board:
    """Every slice looked at: its two parts (twice the same for a single column), rows and losses.

    `looked` is how many single columns' slices and pairs there are, `at_first` the chance of each
    slice before any row was set aside.
    """

    parts: list[Part]
    losses: Floats
    first: Codes
    second: Codes
    counts: Floats
    costs: Floats
    at_first: Floats
    looked: tuple[int, int]
    smallest: int

    @classmethod
    def of(cls, parts: list[Part], losses: Floats, largest: int, smallest: int) -> _Board:
        """Count every part and every pair of parts of two columns; keep those of fitting size."""
        everyone = np.ones(len(losses), dtype=bool)
        single = np.arange(len(parts))
        alone = _counted(parts, losses, everyone, single, single)
        first, second, share = _pairs(parts, _chances(*alone, losses))
        first, second = np.r_[single, first], np.r_[single, second]
        counts, costs = _counted(parts, losses, everyone, first, second)
        fits = (counts >= smallest) & (counts <= largest)
        fewer = np.minimum(counts[first], counts[second])
        fits &= (first == second) | (counts < 0.95 * fewer)  # else the pair is its single again
        pairs = int(np.ceil((fits & (first != second)).sum() / share))
        looked = (int((fits & (first == second)).sum()), pairs)
        kept = np.flatnonzero(fits)
        slices = first[kept], second[kept], counts[kept], costs[kept]
        at_first = _chances(counts[kept], costs[kept], losses)
        return cls(parts, losses, *slices, at_first, looked, smallest)

    def without(self, rows: Mask) -> _Board:
        """Return the board after these rows are set aside."""
        counts, costs = _counted(self.parts, self.losses, rows, self.first, self.second)
        return replace(self, counts=self.counts - counts, costs=self.costs - costs)

    def ranked(self, left: Mask, *, singles: bool = False) -> Iterator[Slice]:
        """Yield the slices among the rows left, the least likely by chance first."""
        chance = np.maximum(_chances(self.counts, self.costs, self.losses[left]), self.at_first)
        chance[self.counts < self.smallest] = 1.0
        alone = self.first == self.second
        family = np.where(alone, self.looked[0], self.looked[1])
        adjusted = np.minimum(1.0, 2 * family * chance)
        order = np.lexsort((chance, adjusted))
        for place in order[alone[order]] if singles else order:
            yield self._slice(place, float(adjusted[place]))

    def _slice(self, place: int, adjusted: float) -> Slice:
        two = [self.parts[self.first[place]], self.parts[self.second[place]]]
        if two[0] is two[1]:
            two = two[:1]
        words = " and ".join(part.words for part in two)
        mask = np.logical_and.reduce([part.mask for part in two])
        return Slice(words, tuple(part.column for part in two), mask, adjusted)

    def holds(self, one: Slice, left: Mask, groups: Groups | None) -> bool:
        """Return True when the slice is clear also where rows of a group hang together."""
        if groups is None:
            return True
        family = self.looked[len(one.columns) - 1]
        return (
            2 * family * _chance_by_group(self.losses[left], one.mask[left], groups[left]) <= LEVEL
        )


def _pairs(parts: list[Part], chance: Floats) -> tuple[Codes, Codes, float]:
    """Return the pairs of parts of two columns, and the share that they are of all such pairs.

    `chance` (parts,) tells which columns to take where there are too many.
    """
    columns = np.array([part.column for part in parts], dtype=object)
    paired = np.flatnonzero([part.paired for part in parts])
    chosen = paired
    names = list(dict.fromkeys(columns[paired]))
    if len(names) > MOST_PAIRED:
        names.sort(key=lambda name: float(chance[columns == name].min()))
        chosen = paired[np.isin(columns[paired], names[:MOST_PAIRED])]
    one, two = np.triu_indices(len(chosen), 1)
    first, second = chosen[one], chosen[two]
    across = columns[first] != columns[second]
    share = (len(chosen) / len(paired)) ** 2 if len(paired) else 1.0
    return first[across], second[across], share


def _counted(
    parts: list[Part], losses: Floats, rows: Mask, first: Codes, second: Codes
) -> tuple[Floats, Floats]:
    """Return how many of the rows are in each slice, and the sums of their losses."""
    counts, costs = np.zeros(len(first)), np.zeros(len(first))
    alone = first == second
    for place in np.flatnonzero(alone):
        inside = losses[parts[first[place]].mask & rows]
        counts[place], costs[place] = len(inside), inside.sum()
    used = np.unique(np.r_[first[~alone], second[~alone]])
    if len(used):
        column = np.zeros(len(parts), dtype=np.int64)
        column[used] = np.arange(len(used))
        hot = np.column_stack([parts[at].mask[rows] for at in used]).astype(np.float32)
        cost = losses[rows].astype(np.float32)[:, None]
        across = column[first[~alone]], column[second[~alone]]
        counts[~alone], costs[~alone] = (hot.T @ hot)[across], ((hot * cost).T @ hot)[across]
    return counts, costs


def _chances(counts: Floats, costs: Floats, losses: Floats) -> Floats:
    """Return how likely so high a cost is for so many rows drawn at random from (n,) losses.

    Drawn without putting back, they vary as fewer rows would: `size` has as many as would vary so.
    """
    n, mean, spread = len(losses), float(losses.mean()), float(losses.var())
    if n < 2 or spread == 0:
        return np.ones(len(counts))
    size = counts * (n - 1) / np.maximum(n - counts, 1)
    excess = divide(costs, counts, mean) - mean
    score = excess * np.sqrt(size / spread)
    chance: Floats = ndtr(-score)
    clear = np.flatnonzero(score > CLEAR)
    chance[clear] = _saddlepoint(excess[clear], size[clear], losses - mean)
    return chance


def _saddlepoint(excess: Floats, size: Floats, centred: Floats) -> Floats:
    """Return the chance that the mean of `size` draws from centred losses exceeds `excess`.

    Source: Lugannani and Rice 1980, Advances in Applied Probability 12: exact to a few per cent
    far out, where the normal distribution is wrong by powers of ten for losses that lean.
    """
    spread = centred.std()
    tilts = np.geomspace(0.005, 60, 300) / spread
    values, counts = np.unique(centred.round(3), return_counts=True)
    logs = tilts[:, None] * values
    top = logs.max(axis=1, keepdims=True)
    weights = counts * np.exp(logs - top)
    total = weights.sum(axis=1)
    cumulant = top[:, 0] + np.log(total / counts.sum())
    slope = weights @ values / total
    curve = weights @ values**2 / total - slope**2
    tilt = np.interp(excess, slope, tilts)
    rate = tilt * excess - np.interp(tilt, tilts, cumulant)
    r = np.sqrt(2 * size * np.maximum(rate, TINY))
    v = tilt * np.sqrt(size * np.interp(tilt, tilts, curve))
    density = np.exp(-(r**2) / 2) / np.sqrt(2 * np.pi)
    chance: Floats = np.clip(ndtr(-r) + density * (divide(np.ones_like(v), v, 0.0) - 1 / r), 0, 1)
    return chance


def _chance_by_group(losses: Floats, inside: Mask, groups: Groups) -> float:
    """Return the one-sided chance of the difference with the variance of whole groups' sums."""
    units = len(np.unique(groups[inside]))
    if units < 2 or inside.all():
        return 1.0
    means = losses[inside].mean(), losses[~inside].mean()
    influence = np.where(
        inside, (losses - means[0]) / inside.sum(), (means[1] - losses) / (~inside).sum()
    )
    error = np.sqrt(variance(influence, np.unique(groups, return_inverse=True)[1]))
    score = (means[0] - means[1]) / error if error > 0 else 0.0
    return float(stdtr(units - 1, -score))
