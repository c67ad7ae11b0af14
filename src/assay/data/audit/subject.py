"""What every check of the audit is given, and how it shows values as evidence."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property, wraps
from typing import Any, TypeVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

from assay.data.audit.score import (
    Floats,
    Ints,
    Outcome,
    Score,
    column_scores,
    dense_classes,
    outcome_of_number,
)
from assay.kernel.family import class_labels
from assay.records.snapshot import DataSnapshot, Problem
from assay.records.spec import GateSpec, SplitSection

SAMPLE = 100_000
"""Statistics of one column rest on at most so many training rows, drawn with a fixed seed."""
SEED = 20_260_101
LONGEST = 80
"""Characters of a value that evidence shows."""

T = TypeVar("T")


@dataclass(frozen=True)
class Subject:
    """A table, its split, and the question: the frozen input of every check.

    `parts` is (n,) int8: -1 for a test row, -2 for a row left out, else a training fold.
    """

    problem: Problem
    snapshot: DataSnapshot
    table: pl.DataFrame
    parts: NDArray[np.int8]
    policy: SplitSection
    gates: tuple[GateSpec, ...]
    found: dict[Callable[[Subject], Any], Any] = field(default_factory=dict, init=False, repr=False)

    @cached_property
    def features(self) -> tuple[str, ...]:
        """Return the columns that models may use and the table has."""
        return tuple(name for name in self.problem.features if name in self.table.columns)

    @cached_property
    def target(self) -> Ints | Floats:
        """Return (n,) class codes, -1 where unknown, or (n,) numbers, NaN where unknown."""
        column = self.table[self.problem.target]
        if not self.problem.classes:
            return column.cast(pl.Float64, strict=False).fill_null(np.nan).to_numpy()
        codes = {label: code for code, label in enumerate(self.problem.classes)}
        labels = class_labels(column)
        return labels.replace_strict(codes, default=-1, return_dtype=pl.Int64).to_numpy()

    @cached_property
    def known(self) -> NDArray[np.bool_]:
        """Return (n,) True where the target is known."""
        if self.problem.classes:
            return np.asarray(self.target >= 0)
        return np.asarray(np.isfinite(self.target))

    @cached_property
    def train(self) -> Ints:
        """Return the numbers of the training rows whose target is known."""
        return np.flatnonzero((self.parts >= 0) & self.known)

    @cached_property
    def test(self) -> Ints:
        """Return the numbers of the test rows."""
        return np.flatnonzero(self.parts == -1)

    @cached_property
    def first(self) -> pl.Series:
        """Return (n,) False where a row repeats an earlier one in every column."""
        return self.table.hash_rows().is_first_distinct()

    @cached_property
    def sample(self) -> Ints:
        """Return the training rows that column statistics rest on, in order."""
        if len(self.train) <= SAMPLE:
            return self.train
        chosen = np.random.default_rng(SEED).choice(self.train, SAMPLE, replace=False)
        return np.sort(chosen)

    @property
    def basis(self) -> dict[str, Any]:
        """Say how many training rows a column statistic rests on."""
        rows: dict[str, Any] = {"rows": len(self.sample)}
        if len(self.sample) < len(self.train):
            rows["sampled_from"] = len(self.train)
        return rows

    @cached_property
    def sampled(self) -> pl.DataFrame:
        """Return the sampled rows of the table."""
        return self.table if len(self.sample) == self.table.height else self.table[self.sample]

    @cached_property
    def outcome(self) -> Outcome:
        """Return the target of the sampled rows."""
        return self.outcome_of(self.sample)

    @cached_property
    def scores(self) -> dict[str, tuple[Score, ...]]:
        """Return for each feature what it alone says about the target."""
        return {
            name: tuple(column_scores(plain(self.sampled[name]), self.outcome))
            for name in self.features
        }

    def outcome_of(self, rows: Ints) -> Outcome:
        """Return the target of some rows, in their order."""
        target = self.target[rows]
        if self.problem.classes:
            return Outcome(codes=dense_classes(target.astype(np.int64)))
        return outcome_of_number(target.astype(np.float64))

    @cached_property
    def splits_at_random(self) -> bool:
        """Return True when rows are dealt to the test part with no regard to time or groups."""
        policy = self.policy
        return not (policy.time_on or policy.group_on or policy.group_time_on or self.test_is_given)

    @property
    def test_is_given(self) -> bool:
        """Return True when a column or a file says which rows test, rather than time or groups."""
        policy = self.policy
        given = policy.predefined_on is not None or self.snapshot.test_rows > 0
        return given and not (policy.time_on or policy.group_on or policy.group_time_on)


def once(find: Callable[[Subject], T]) -> Callable[[Subject], T]:
    """Let what a function finds in a subject be found once, however many checks ask for it."""

    @wraps(find)
    def kept(subject: Subject) -> T:
        if find not in subject.found:
            subject.found[find] = find(subject)
        answer: T = subject.found[find]
        return answer

    return kept


def plain(values: pl.Series) -> pl.Series:
    """Return a column with dates as numbers and NaN as missing, ready to be scored."""
    if values.dtype.is_temporal():
        return values.to_physical().cast(pl.Float64)
    return values.fill_nan(None) if values.dtype.is_float() else values


def show(value: Any) -> Any:
    """Return a value as evidence: plain JSON, short, never NaN."""
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return float(f"{value:.6g}") if math.isfinite(value) else str(value)
    if isinstance(value, datetime):
        return value.isoformat(sep=" ")
    text = str(value)
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def records(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> list[dict[str, Any]]:
    """Return an evidence table: one mapping a line, keys and values made plain."""
    keys = [show(title) for title in header]
    return [dict(zip(keys, map(show, row), strict=True)) for row in rows]


def percent(share: float) -> str:
    """Return a share as a percentage that is never rounded to 0 % or 100 % by accident."""
    for digits in range(4):
        text = f"{100 * share:.{digits}f}"
        if float(text) not in (0.0, 100.0) or share in (0.0, 1.0):
            break
    return f"{text} %"
