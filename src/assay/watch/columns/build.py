"""The profile of each column of a table."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
import polars as pl
from numpy.typing import NDArray

from assay.records.fitted import Field
from assay.watch.columns.cells import category_of, numbers_of, tally
from assay.watch.columns.count import THREADS, count, count_numbers
from assay.watch.columns.form import ColumnProfile, Counts
from assay.watch.columns.grid import edges_of
from assay.watch.columns.views import (
    NEW_WORDS,
    Looks,
    Spoken,
    views_of_texts,
    views_of_vectors,
)
from assay.watch.columns.words import hashes, pack

SCARCE = 20
"""Rows below which it is chance whether a value is in a profile, and how often."""


@dataclass(frozen=True)
class Detail:
    """How much is kept of each column: bins of a number, names of categories, fingerprints."""

    bins: int
    values: int
    known: int

    @classmethod
    def of(cls, columns: int) -> Detail:
        """Return less for each column of a wide table, so that its profile stays small."""
        return cls(
            bins=min(32, max(12, 9_000 // columns)),
            values=min(200, max(20, 20_000 // columns)),
            known=min(2_000, max(200, 60_000 // columns)),
        )


@dataclass(frozen=True)
class Named:
    """A column of a frame, or one view of it, by name."""

    of: str
    view: str = ""

    @property
    def name(self) -> str:
        """Return `COLUMN`, or `COLUMN: VIEW`."""
        return f"{self.of}: {self.view}" if self.view else self.of


def profile_columns(frame: pl.DataFrame, fields: Sequence[Field]) -> tuple[ColumnProfile, ...]:
    """Return how the values of these columns of a frame are distributed.

    Of a text and of a vector there is a profile for each view (`views.py`), and none of the values
    themselves. A field's `type` is that of `records.snapshot.Column`, or `vector`.
    """
    detail = Detail.of(max(1, len(fields)))
    with ThreadPoolExecutor(THREADS) as pool:
        found = pool.map(lambda field: _profiles(field, frame[field.name], detail), fields)
        return tuple(profile for profiles in found for profile in profiles)


def recounted(columns: Sequence[ColumnProfile], frame: pl.DataFrame) -> tuple[ColumnProfile, ...]:
    """Return the profiles with the same cells, counted over other rows; their range stays."""
    found = count(columns, frame)
    return tuple(_recounted(column, found) for column in columns)


def _recounted(column: ColumnProfile, found: Counts) -> ColumnProfile:
    now = msgspec.structs.replace(
        column, rows=found.rows, counts=tuple(found.cells[column.name].tolist())
    )
    if column.name not in found.moments:
        return now
    n, total, squares, *_ = found.moments[column.name].tolist()
    mean = total / n if n else None
    spread = max(0.0, squares / n - mean**2) ** 0.5 if mean is not None else None
    finite = spread is not None and np.isfinite(spread)
    return msgspec.structs.replace(
        now, mean=mean if finite else None, std=spread if finite else None
    )


def _profiles(field: Field, series: pl.Series, detail: Detail) -> list[ColumnProfile]:
    if isinstance(series.dtype, pl.List | pl.Array):
        return _viewed(field.name, views_of_vectors(series), detail)
    if field.type == "text":
        return _text(field.name, series, detail)
    if field.type in ("number", "datetime"):
        return [_number(Named(field.name), numbers_of(series), detail)]
    return [_category(Named(field.name), category_of(series), detail)]


def _viewed(of: str, looks: Looks, detail: Detail) -> list[ColumnProfile]:
    return [
        _category(Named(of, view), values, detail)
        if isinstance(values, pl.Series)
        else _number(Named(of, view), values, detail)
        for view, values in looks.items()
    ]


def _text(of: str, series: pl.Series, detail: Detail) -> list[ColumnProfile]:
    """Return the profiles of a text's views; a word is known once two texts have it."""
    words, texts = Spoken(series).shared()
    least = _least(texts, detail.known, 2)
    found = _viewed(of, views_of_texts(series, pack(words[texts > least])), detail)
    vocabulary = pack(words[texts >= least])
    return [
        msgspec.structs.replace(p, known=vocabulary) if p.view == NEW_WORDS else p for p in found
    ]


def _number(named: Named, numbers: NDArray[np.float64], detail: Detail) -> ColumnProfile:
    finite = numbers[np.isfinite(numbers)]
    edges = edges_of(finite, detail.bins)
    cells, _ = count_numbers(np.array(edges), numbers)
    with np.errstate(over="ignore", invalid="ignore"):
        moments = (np.min, np.max, np.mean, np.std)
        low, high, mean, std = (_plain(of(finite)) if finite.size else None for of in moments)
    return ColumnProfile(
        name=named.name,
        of=named.of,
        view=named.view,
        kind="number",
        rows=len(numbers),
        counts=tuple(cells.tolist()),
        edges=edges,
        low=low,
        high=high,
        mean=mean,
        std=std,
    )


def _plain(value: np.floating[Any]) -> float | None:
    """Return a JSON number; a moment that overflowed is left out."""
    return float(value) if np.isfinite(value) else None


def _category(named: Named, text: pl.Series, detail: Detail) -> ColumnProfile:
    """Return a category's profile; names are kept of values that several rows had.

    Where values are rare, or more than are kept, one half of the rows chooses them and the other is
    counted: those that were chosen for being frequent are less so in any other rows.
    """
    chosen, counted = _ranked(text), text
    scarce = chosen.height > detail.values or (chosen["rows"] < SCARCE).any()
    if scarce and len(text) >= 2 * SCARCE:
        half = pl.Series(np.random.default_rng(6).random(len(text)) < 0.5)
        chosen, counted = _ranked(text.filter(half)), text.filter(~half)
    own = min(int((chosen["rows"] > 1).sum()), detail.values)
    known = pack(hashes(chosen["value"][own : own + detail.known]))
    profile = ColumnProfile(
        name=named.name,
        of=named.of,
        view=named.view,
        kind="category",
        rows=0,
        counts=(0,) * (own + bool(known) + 2),
        values=tuple(chosen["value"][:own]),
        known=known,
    )
    cells = tuple(tally(profile, counted).tolist())
    return msgspec.structs.replace(profile, rows=len(counted), counts=cells)


def _ranked(text: pl.Series) -> pl.DataFrame:
    """Return each value with its rows, the most frequent first."""
    counted = text.rename("value").drop_nulls().value_counts(name="rows")
    return counted.sort("rows", "value", descending=[True, False])


def _least(shared: NDArray[Any], most: int, floor: int) -> int:
    """Return how many rows a value needs to be known, so that at most `most` values are.

    A row of the training rows knows of the others only, so its value needs one row more.
    """
    return max(floor, int(shared[most]) + 1) if len(shared) > most else floor
