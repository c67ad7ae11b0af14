"""Free text as hashed words.

Words are hashed with CRC-32, the same on every machine and in every release. The linear view
weighs them by ``(1 + log tf) * idf`` and scales each row to length one (Manning et al. 2008,
section 6.4); the tree view has the presence of the buckets that most rows share.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator

import numpy as np
import polars as pl
from numpy.typing import NDArray

from assay.records.base import Record

Matrix = NDArray[np.float64]

BUCKETS = (64, 4096)
"""Columns that words are hashed into, fewest and most; powers of two."""
FREQUENT = 64
"""Buckets that the tree view shows, at most."""
LONGEST = 20_000
"""Characters of a cell that are read."""
FIT_ROWS = 100_000
"""Rows that the rarity of words is learned from, at most."""
CHUNK = 4096
"""Rows whose words are held at a time."""
SEED = 20_260_101


class TextPlan(Record, frozen=True, kw_only=True, tag="tabular.text@1"):
    """Free text: how rare each bucket of words is, and the buckets of the tree view."""

    name: str
    idf: tuple[float, ...]
    frequent: tuple[int, ...]

    @property
    def tree_width(self) -> int:
        """Return length, words, and the frequent buckets."""
        return 2 + len(self.frequent)

    @property
    def linear_width(self) -> int:
        """Return the number of buckets."""
        return len(self.idf)

    spline_width = linear_width

    def tree(self, column: pl.Series, out: Matrix) -> None:
        """Write length and words (NaN where missing) and which frequent buckets occur."""
        for part, place in _chunks(column):
            self._tree(part, out[place])

    def linear(self, column: pl.Series, out: Matrix) -> None:
        """Write the weighted buckets, scaled to length one."""
        for part, place in _chunks(column):
            self._linear(part, out[place])

    spline = linear

    def _tree(self, column: pl.Series, out: Matrix) -> None:
        rows, buckets, _ = count_words(column, len(self.idf))
        out[:, 0] = column.cast(pl.String).str.len_chars().cast(pl.Float64).to_numpy()
        out[:, 1] = np.where(np.isnan(out[:, 0]), np.nan, np.bincount(rows, minlength=len(out)))
        out[:, 2:] = 0.0
        place = np.full(len(self.idf), -1)
        place[list(self.frequent)] = np.arange(len(self.frequent))
        at = place[buckets]
        out[rows[at >= 0], 2 + at[at >= 0]] = 1.0

    def _linear(self, column: pl.Series, out: Matrix) -> None:
        rows, buckets, counts = count_words(column, len(self.idf))
        weights = (1.0 + np.log(counts)) * np.array(self.idf)[buckets]
        norms = np.sqrt(np.bincount(rows, weights**2, minlength=len(out)))
        out[rows, buckets] = weights / norms[rows]


def fit_text(column: pl.Series) -> TextPlan:
    """Learn in how many rows each bucket occurs."""
    if len(column) > FIT_ROWS:
        column = column.sample(FIT_ROWS, seed=SEED)
    fewest, most = BUCKETS
    used = np.count_nonzero(_rows_with(column, most))
    size = int(np.clip(2 ** np.ceil(np.log2(4 * used + 1)), fewest, most))
    seen = _rows_with(column, size)
    idf = np.log((1 + len(column)) / (1 + seen)) + 1.0
    useful = np.where((seen >= 5) & (seen <= len(column) * 0.7), seen, 0)
    frequent = np.argsort(-useful, kind="stable")[:FREQUENT]
    return TextPlan(
        name=column.name,
        idf=tuple(idf.round(6).tolist()),
        frequent=tuple(sorted(frequent[useful[frequent] > 0].tolist())),
    )


def _chunks(column: pl.Series) -> Iterator[tuple[pl.Series, slice]]:
    for start in range(0, len(column), CHUNK):
        yield column.slice(start, CHUNK), slice(start, start + CHUNK)


def _rows_with(column: pl.Series, buckets: int) -> NDArray[np.int64]:
    """Return in how many rows each bucket occurs."""
    seen = np.zeros(buckets, np.int64)
    for part, _ in _chunks(column):
        seen += np.bincount(count_words(part, buckets)[1], minlength=buckets)
    return seen


def count_words(
    column: pl.Series, buckets: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return (row, bucket, count) of every bucket that occurs, sorted by row and bucket."""
    text = column.cast(pl.String).fill_null("").str.slice(0, LONGEST).str.to_lowercase()
    words = text.str.extract_all(r"\w+")
    lengths = words.list.len().to_numpy().astype(np.int64)
    flat = words.filter(pl.Series(lengths > 0)).explode()
    known = flat.unique()
    codes = [zlib.crc32(word.encode()) % buckets for word in known]
    hashed = flat.replace_strict(known, pl.Series(codes, dtype=pl.Int64), return_dtype=pl.Int64)
    pairs = np.repeat(np.arange(len(lengths)), lengths) * buckets
    pairs += hashed.to_numpy().astype(np.int64)  # an empty one comes as objects
    unique, counts = np.unique(pairs, return_counts=True)
    return unique // buckets, unique % buckets, counts
