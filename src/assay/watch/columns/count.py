"""A window counted over the cells of a profile, in one pass."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import polars as pl
from numpy.typing import NDArray

from assay.watch.columns.cells import (
    category_of,
    cells_of,
    numbers_of,
    sorted_tally,
    tally,
)
from assay.watch.columns.form import ColumnProfile, Counts
from assay.watch.columns.views import NEW_WORDS, Looks, views_of_texts, views_of_vectors

CHUNK = 1 << 15
"""Numbers that are sorted at once: they fit the second-level cache."""
VIEWED = 20_000
"""Texts or vectors that are looked at at once."""
THREADS = 2

Numbers = NDArray[np.float64]


def count(columns: Sequence[ColumnProfile], frame: pl.DataFrame) -> Counts:
    """Count the values of each column over the cells of its profile.

    A column that the frame lacks counts as missing in every row; others of the frame are ignored.
    The cells of two parts add up to those of the whole, to the last row.
    """
    found = Counts(rows=frame.height)
    with ThreadPoolExecutor(THREADS) as pool:
        for part in pool.map(lambda group: _counted(group, frame), _by_column(columns)):
            found.cells |= part.cells
            found.moments |= part.moments
    return found


def codes(columns: Sequence[ColumnProfile], frame: pl.DataFrame) -> NDArray[np.int32]:
    """Return (n, columns): the cell of each value, as in `ColumnProfile.counts`."""
    found = np.empty((frame.height, len(columns)), dtype=np.int32, order="F")
    place = {column.name: i for i, column in enumerate(columns)}
    for group in _by_column(columns):
        for start, looks in _parts(group, frame):
            for column in group:
                cells = cells_of(column, looks[column.view])
                found[start : start + len(cells), place[column.name]] = cells
    return found


def absent(columns: Sequence[ColumnProfile], frame: pl.DataFrame) -> tuple[str, ...]:
    """Return the columns, in order, that the frame lacks."""
    return tuple(dict.fromkeys(c.of for c in columns if c.of not in frame.columns))


def count_numbers(edges: Numbers, numbers: Numbers) -> tuple[NDArray[np.int64], Numbers]:
    """Return counts (len(edges) + 3,) and moments (5,) of numbers, (n,).

    A chunk is sorted, then the edges are looked up in it: quicker than looking for the bin of each
    value, and exact whatever the edges are.
    """
    starts = range(0, max(1, len(numbers)), CHUNK)
    parts = [sorted_tally(edges, np.sort(numbers[at : at + CHUNK])) for at in starts]
    cells, moments = (np.stack(part) for part in zip(*parts, strict=True))
    with np.errstate(over="ignore", invalid="ignore"):
        total = moments.sum(axis=0)
    total[3], total[4] = moments[:, 3].min(), moments[:, 4].max()
    return cells.sum(axis=0), total


def _by_column(columns: Sequence[ColumnProfile]) -> list[list[ColumnProfile]]:
    """Return the profiles of each column of a frame, all its views together."""
    groups: dict[str, list[ColumnProfile]] = {}
    for column in columns:
        groups.setdefault(column.of, []).append(column)
    return list(groups.values())


def _parts(group: Sequence[ColumnProfile], frame: pl.DataFrame) -> Iterator[tuple[int, Looks]]:
    """Yield the values that each view of a column has for rows from a place on.

    A column that is there as it is comes as one part.
    """
    first = group[0]
    if first.of not in frame.columns:
        gone = pl.Series([None], dtype=pl.String).new_from_index(0, frame.height)
        yield (
            0,
            {c.view: np.full(frame.height, np.nan) if c.kind == "number" else gone for c in group},
        )
        return
    series = frame[first.of]
    if not first.view:
        yield 0, {"": numbers_of(series) if first.kind == "number" else category_of(series)}
        return
    vocabulary = next((c.known for c in group if c.view == NEW_WORDS), None)
    for start in range(0, max(1, len(series)), VIEWED):
        part = series.slice(start, VIEWED)
        yield (
            start,
            views_of_vectors(part) if vocabulary is None else views_of_texts(part, vocabulary),
        )


def _counted(group: Sequence[ColumnProfile], frame: pl.DataFrame) -> Counts:
    total = Counts()
    for _, looks in _parts(group, frame):
        part = Counts()
        for column in group:
            values = looks[column.view]
            if isinstance(values, pl.Series):
                part.cells[column.name] = tally(column, values)
            else:
                part.cells[column.name], part.moments[column.name] = count_numbers(
                    np.array(column.edges), values
                )
        total += part
    return total
