"""Plausible changes of a row: values that training has seen, and how far an answer then is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from assay.kernel.family import Predictions

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]

COMMON = 0.05
"""A category is plausible for any row when it has at least this share of the training rows."""
MOST_LEVELS = 3
MOST_KNOWN = 5_000
LONGEST = 40
SIDES: tuple[Literal["left", "right"], ...] = ("left", "right")


@dataclass(frozen=True)
class Column:
    """A column with what training saw of it.

    `known` has (k,) sorted numbers of an ordered column (dates as numbers), `levels` the common
    values of any other; one of them is empty.
    """

    name: str
    kind: pl.DataType
    known: NDArray[Any]
    levels: tuple[Any, ...]

    @classmethod
    def of(cls, seen: pl.Series) -> Column:
        """Describe a column of the training rows."""
        kind = seen.dtype
        if kind.is_numeric() or kind.is_temporal():
            known = seen.to_physical().drop_nulls()
            values = known.gather_every(max(1, -(-len(known) // MOST_KNOWN))).to_numpy()
            return cls(seen.name, kind, np.sort(values[np.isfinite(values)]), ())
        counts = seen.drop_nulls().rename("level").value_counts(name="n")
        common = counts.filter(pl.col("n") >= COMMON * len(seen)).sort(
            ["n", "level"], descending=[True, False]
        )
        return cls(seen.name, kind, np.zeros(0), tuple(common["level"][: MOST_LEVELS + 1]))

    @property
    def ordered(self) -> bool:
        """Return True for a number or a date that varies in training."""
        return len(self.known) > 0 and bool(self.known[0] < self.known[-1])

    def stepped(self, values: pl.Series, step: float) -> pl.Series:
        """Return ordered values moved up or down by at most this share of the training rows.

        The new value is the furthest one of training whose mid-rank is no further away; so a value
        that most rows share does not move. A missing value stays missing, and none turns back.
        """
        old = values.to_physical().cast(pl.Float64).to_numpy()
        n = len(self.known)
        left, right = (np.searchsorted(self.known, old, side=side) for side in SIDES)
        goal = (left + right) / (2 * n) + step
        if step > 0:
            place = np.searchsorted(self._ranks, goal + 1e-12, side="right") - 1
            new = np.maximum(self._values[np.maximum(place, 0)], old)
        else:
            place = np.searchsorted(self._ranks, goal - 1e-12, side="left")
            new = np.minimum(self._values[np.minimum(place, len(self._values) - 1)], old)
        return self._typed(pl.Series(values.name, new, nan_to_null=True))

    @cached_property
    def _values(self) -> Floats:
        """Return the distinct values of an ordered column."""
        return np.unique(self.known).astype(np.float64)

    @cached_property
    def _ranks(self) -> Floats:
        """Return the mid-rank of each distinct value, as a share of the training rows."""
        ends = [np.searchsorted(self.known, self._values, side=side) for side in SIDES]
        return (ends[0] + ends[1]) / (2 * len(self.known))

    def at(self, share: float) -> Any:
        """Return the value under which this share of an ordered column's training values lies."""
        place = min(int(share * len(self.known)), len(self.known) - 1)
        return self._typed(pl.Series([float(self.known[place])]))[0]

    def filled(self, value: Any, rows: int) -> pl.Series:
        """Return a column that is `value` throughout."""
        return pl.Series(self.name, [value], dtype=self.kind).new_from_index(0, rows)

    def _typed(self, values: pl.Series) -> pl.Series:
        whole = values if self.kind.is_float() else values.round().cast(pl.Int64)
        return whole.cast(self.kind)


@dataclass(frozen=True)
class Move:
    """A change of one column: by a step in the order of the training values, or to a value."""

    column: Column
    step: float = 0.0
    value: Any = None

    def apply(self, values: pl.Series) -> pl.Series:
        """Return the column changed."""
        if self.step:
            return self.column.stepped(values, self.step)
        return self.column.filled(self.value, len(values))


@dataclass(frozen=True)
class Asked:
    """The model, and how its answers are read: `code` is that of the positive class, or None."""

    predict: Callable[[pl.DataFrame], Predictions]
    code: int | None

    def each(self, frame: pl.DataFrame, moves: Sequence[Move], codes: Codes) -> Floats:
        """Return (moves, n): by how much each of n rows, moved, still keeps its answer.

        `codes` (n,) are the answers before. Zero or less means that the answer has flipped.
        """
        moved = [frame.with_columns(m.apply(frame[m.column.name])) for m in moves]
        if not moved:
            return np.zeros((0, len(codes)))
        answers = self.predict(pl.concat(moved))
        return self.kept(answers, np.tile(codes, len(moves))).reshape(len(moves), -1)

    def kept(self, answers: Predictions, codes: Codes) -> Floats:
        """Return (n,) margins by which the answers are still `codes`, negative once flipped."""
        flipped = answers.codes(self.code) != codes
        values = answers.values
        if self.code is not None:
            margin = np.abs(values[:, self.code] - answers.threshold)
        else:
            own = values[np.arange(len(codes)), codes]
            others = values.copy()
            others[np.arange(len(codes)), codes] = -1.0
            margin = np.abs(own - others.max(axis=1))
        return np.where(flipped, -margin - 1e-12, margin)


def changed(row: pl.DataFrame, moves: Sequence[Move]) -> pl.DataFrame:
    """Return the rows after these moves, one after the other."""
    for move in moves:
        row = row.with_columns(move.apply(row[move.column.name]))
    return row


def described(
    asked: Asked, before: pl.DataFrame, after: pl.DataFrame, place: int, classes: tuple[str, ...]
) -> dict[str, Any]:
    """Return a table line on one row before and after: what changed, and both answers."""
    differs = [n for n in before.columns if not before[n].equals(after[n], null_equal=True)]
    changes = (f"{n}: {shown(before[n][0])} → {shown(after[n][0])}" for n in differs)
    answers = asked.predict(pl.concat([before, after]))
    codes = answers.codes(asked.code)
    told = [f"{classes[c]} ({v[c]:.0%})" for c, v in zip(codes, answers.values, strict=True)]
    return {
        "Row": place + 1,
        "Answer": told[0],
        "Change": "; ".join(changes),
        "New answer": told[1],
    }


def shown(value: Any) -> str:
    """Return a cell as a person reads it."""
    if value is None:
        return "(missing)"
    if isinstance(value, float):
        return f"{value:.6g}"
    text = str(value)
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
