"""Rows of one version in one window, counted as they come: what is kept of them is bounded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import polars as pl
from numpy.typing import NDArray

from assay.watch.columns.count import count
from assay.watch.columns.form import ColumnProfile, Counts

SAMPLE = 20_000
"""Rows that are kept whole of a window; each is as likely to be one of them."""
BLOCKS = 64
"""Stretches in which missing cells are counted at most; then neighbours are taken together."""
BLOCK = 250
"""Rows of a stretch at first, about."""
KEY = "::key"


@dataclass(frozen=True)
class Columns:
    """What of a version is counted: the profiles of its inputs, and of its answers.

    `look` makes of rows what monitoring looks at, in the words of their family.
    """

    inputs: tuple[ColumnProfile, ...]
    answers: tuple[ColumnProfile, ...]
    look: Callable[[pl.DataFrame], pl.DataFrame] = lambda rows: rows

    @property
    def names(self) -> list[str]:
        """Return the columns of the rows that are looked at."""
        return list(dict.fromkeys(column.of for column in self.inputs))


@dataclass
class Tally:
    """What is known of rows: counts of inputs and of answers, a sample, and stretches of them.

    `sample` has whole rows and the `KEY` by which the smallest are kept, so that the tallies of two
    parts add up to that of the whole. `blocks` is (stretches,), `missing` (stretches, columns) in
    the order of `names`. `gap` is the longest time between two rows, in seconds.
    """

    inputs: Counts = field(default_factory=Counts)
    answers: Counts = field(default_factory=Counts)
    sample: pl.DataFrame = field(default_factory=pl.DataFrame)
    names: list[str] = field(default_factory=list)
    blocks: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    missing: NDArray[np.int64] = field(default_factory=lambda: np.zeros((0, 0), np.int64))
    warned: int = 0

    @property
    def rows(self) -> int:
        """Return how many rows were counted."""
        return self.inputs.rows

    def __add__(self, other: Tally) -> Tally:
        """Return the tally of the rows of both, `other` being the later ones."""
        if not self.rows or not other.rows:
            return self if self.rows else other
        made = Tally(
            self.inputs + other.inputs,
            self.answers + other.answers,
            smallest([self.sample, other.sample]),
            self.names,
            np.concatenate([self.blocks, other.blocks]),
            np.concatenate([self.missing, other.missing]),
            self.warned + other.warned,
        )
        while len(made.blocks) > BLOCKS:
            made.blocks, made.missing = _halved(made.blocks), _halved(made.missing)
        return made


def tally_of(
    columns: Columns,
    features: pl.DataFrame,
    answers: pl.DataFrame | None = None,
    kept: pl.DataFrame | None = None,
    keys: NDArray[np.uint64] | None = None,
    parts: int = 1,
) -> Tally:
    """Return the tally of rows.

    `answers` are counted beside the features where they are known. `kept` are the rows as the
    sample is to hold them, by default the features; `keys` (n,) choose among them, by chance where
    they are not given. Of one of so many equal `parts` less needs to be kept.
    """
    names = columns.names
    rows = features if kept is None else kept
    features = columns.look(features)
    if keys is None:
        keys = np.random.default_rng(features.height).integers(
            0, 2**63, features.height, dtype=np.uint64
        )
    blocks, missing = _stretches(features, names, max(1, BLOCKS // parts))
    return Tally(
        count(columns.inputs, features),
        Counts() if answers is None else count(columns.answers, answers),
        _chosen(rows, keys, min(SAMPLE, 2 * SAMPLE // parts)),
        names,
        blocks,
        missing,
    )


def smallest(samples: Sequence[pl.DataFrame], most: int = SAMPLE) -> pl.DataFrame:
    """Return the rows with the smallest keys of several samples, at most `most`."""
    whole = pl.concat(samples, how="diagonal_relaxed")
    if whole.height <= most:
        return whole
    return whole[np.sort(np.argpartition(whole[KEY].to_numpy(), most)[:most])]


def _chosen(rows: pl.DataFrame, keys: NDArray[np.uint64], most: int) -> pl.DataFrame:
    if rows.height > most:
        places = np.sort(np.argpartition(keys, most)[:most])
        rows, keys = rows[places], keys[places]
    return rows.with_columns(pl.Series(KEY, keys))


def _stretches(
    features: pl.DataFrame, names: Sequence[str], most: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the rows of each stretch, and its missing cells, (stretches, columns)."""
    rows = features.height
    count = min(most, max(1, rows // BLOCK))
    ends = np.linspace(0, rows, count + 1).astype(np.int64)
    missing = np.zeros((count, len(names)), np.int64)
    for place, name in enumerate(names):
        if name not in features.columns:
            missing[:, place] = np.diff(ends)
        elif features[name].null_count():
            column = features[name]
            spans = zip(ends, np.diff(ends), strict=False)
            missing[:, place] = [column.slice(at, size).null_count() for at, size in spans]
    return np.diff(ends), missing


def _halved(blocks: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return sums of neighbours."""
    return np.add.reduceat(blocks, np.arange(0, len(blocks), 2), axis=0)
