"""How often rows agree by chance: the yardstick for copies and for hidden entities.

Rows of a table of few coarse columns are honestly alike, rows of many fine ones are not. The chance
is read from a tree of dependence between columns (Chow and Liu, "Approximating discrete probability
distributions with dependence trees", IEEE Trans. Information Theory 14, 1968), so that columns that
say the same, such as a town and its postcode, are not counted twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from assay.data.audit.score import Floats, Ints

MOST_LEVELS = 64
MOST_COLUMNS = 48
MOST_ROWS = 20_000
MOST_ROWS_FOR_TREE = 5_000

Bools = NDArray[np.bool_]
Hashes = NDArray[np.uint64]


@dataclass(frozen=True)
class Chance:
    """A tree over columns cut into levels.

    `levels` (n, d) are the binned rows, `columns` (d,) their places in the table that was given,
    `parents` (d,) the parent of each column, -1 for the root. `alone` (d, size) and `given`
    (d, size, size; parent first) are log probabilities. `within` (d,) is the log of the chance that
    two cells of one level are equal.
    """

    levels: Ints
    columns: Ints
    parents: Ints
    alone: Floats
    given: Floats
    within: Floats

    def log_share(self, rows: Ints, agree: Bools, *, equal: bool = False) -> Floats:
        """Return the log of the share of all rows that agree with a row in the columns of `agree`.

        `rows` (m,) are row numbers, `agree` (m, all columns) says in which columns. Cells agree
        when they are of one level; with `equal` only when they are equal, which is as likely in
        each level as in the mean over all levels.
        """
        total = np.zeros(len(rows))
        agree = agree[:, self.columns]
        for place, parent in enumerate(self.parents):
            own = self.levels[rows, place]
            chance = self.alone[place, own]
            if parent >= 0:
                joint = self.given[place, self.levels[rows, parent], own]
                chance = np.where(agree[:, parent], joint, chance)
            chance = chance + self.within[place] * equal
            total += np.where(agree[:, place], chance, 0.0)
        return total


def chance_of(table: pl.DataFrame) -> Chance:
    """Learn the tree from the rows of a table; of very many columns the finest are used."""
    size = int(np.clip(np.sqrt(table.height) / 2, 8, MOST_LEVELS))
    columns = finest(table)[:MOST_COLUMNS]
    levels = np.stack([_levels(table[:, int(place)], size) for place in columns], axis=1)
    learnt = levels[:: max(len(levels) // MOST_ROWS, 1)]
    parents = _tree(learnt[:: max(len(learnt) // MOST_ROWS_FOR_TREE, 1)], size)
    alone = np.stack([np.bincount(own, minlength=size) for own in learnt.T]) + 0.5
    given = np.zeros((len(columns), size, size))
    for place, parent in enumerate(parents):
        if parent >= 0:
            given[place] = _joint(learnt[:, parent], learnt[:, place], size) + 0.5 / size
    alone = np.log(alone / alone.sum(axis=1, keepdims=True))
    given = np.log(given / np.maximum(given.sum(axis=2, keepdims=True), 1e-9) + 1e-12)
    within = np.array(
        [_log_equal(table[:, int(i)], own) for i, own in zip(columns, levels.T, strict=True)]
    )
    return Chance(levels, columns, parents, alone, given, within)


def _log_equal(values: pl.Series, levels: Ints) -> float:
    """Return the log of the share of pairs of one level that are equal, at least one pair."""
    equal = values.to_frame("cell").group_by("cell").len()["len"].to_numpy().astype(np.float64)
    same = np.bincount(levels).astype(np.float64)
    pairs = [float((counts * (counts - 1)).sum()) for counts in (equal, same)]
    return float(np.log(max(pairs[0], 2.0) / max(pairs[1], 2.0)))


def finest(table: pl.DataFrame) -> Ints:
    """Return the places of the columns, those with the most distinct values first."""
    head = table.head(MOST_ROWS)
    distinct = np.array([column.n_unique() for column in head.iter_columns()])
    return np.asarray(np.argsort(-distinct, kind="stable"))


def chosen(table: pl.DataFrame, names: Iterable[str]) -> pl.DataFrame:
    """Return some columns; a name is no pattern here, whatever signs it is made of."""
    return pl.DataFrame([table[name] for name in names])


def hashes_of(table: pl.DataFrame) -> Hashes:
    """Return (n, columns) a hash of each cell; missing cells are alike."""
    return np.stack(
        [column.hash(seed=place + 1).to_numpy() for place, column in enumerate(table)], axis=1
    )


def keys_of(hashes: Hashes, columns: Sequence[int] | Ints) -> Hashes:
    """Return (n,) one hash for the cells of some columns together."""
    mixed = np.zeros(len(hashes), np.uint64)
    for column in columns:
        mixed = mixed * np.uint64(0x9E3779B97F4A7C15) + hashes[:, column]
    return mixed


def _levels(values: pl.Series, size: int) -> Ints:
    """Cut a column into at most `size` levels: a number by rank, the rare values of others as one.

    Level 0 holds the missing cells.
    """
    ordered = values.dtype.is_numeric() or values.dtype.is_temporal()
    if ordered and values[:MOST_ROWS_FOR_TREE].n_unique() > size + 1:
        return _by_rank(values, size)
    codes = values.rank("dense").fill_null(0).to_numpy().astype(np.int64)
    most = int(codes.max(initial=0))
    if most < size:
        return codes
    if ordered:
        return _by_rank(values, size)
    common = np.argsort(-np.bincount(codes)[1:], kind="stable")[: size - 2] + 1
    number = np.full(most + 1, size - 1)
    number[0] = 0
    number[common] = np.arange(1, len(common) + 1)
    return np.asarray(number[codes])


def _by_rank(values: pl.Series, size: int) -> Ints:
    ranks = values.rank("average").fill_null(0).to_numpy()
    return np.asarray(np.ceil(ranks * (size - 1) / ranks.max()).astype(np.int64))


def _joint(parent: Ints, own: Ints, size: int) -> Ints:
    counts: Ints = np.bincount(parent * size + own, minlength=size * size)
    return counts.reshape(size, size)


def _tree(levels: Ints, size: int) -> Ints:
    """Return each column's parent in the tree of the largest total mutual information (Prim)."""
    width = levels.shape[1]
    entropy = np.array([_entropy(np.bincount(own, minlength=size)) for own in levels.T])
    shared = np.full((width, width), -np.inf)
    for i, j in combinations(range(width), 2):
        both = _entropy(_joint(levels[:, i], levels[:, j], size).ravel())
        shared[i, j] = shared[j, i] = entropy[i] + entropy[j] - both
    parents = np.full(width, -1)
    root = int(entropy.argmax())
    best, source = shared[root].copy(), np.full(width, root)
    inside = np.arange(width) == root
    for _ in range(width - 1):
        new = int(np.where(inside, -np.inf, best).argmax())
        parents[new], inside[new] = source[new], True
        closer = shared[new] > best
        best[closer], source[closer] = shared[new][closer], new
    return parents


def _entropy(counts: Ints) -> float:
    shares = counts[counts > 0] / counts.sum()
    return -float((shares * np.log(shares)).sum())
