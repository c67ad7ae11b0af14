"""What columns say about the target together: an additive model that is quick and cross-fitted.

Each column is replaced by what the other folds' rows with like values say about the target, and
the target is fitted to these answers by least squares: stacking (Wolpert 1992) of one-column
models. It stands for "all other columns" where one column is weighed against the rest.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl
from numpy.typing import NDArray

from assay.data.audit.score import (
    Floats,
    Ints,
    Outcome,
    average_ranks,
    cells_of,
    dense_cells,
    encoded,
)
from assay.data.audit.subject import SEED, Subject, once, plain

ROWS = 5_000
"""Rows that a probe rests on, drawn from the sampled training rows with a fixed seed."""
BINS = 32
RIDGE = 1e-6
TINY = 1e-12
CHANCE = 0.03
"""Share of a column's mistakes that others may explain, beside the noise of so few rows."""
STEPS = 50
"""Levels that a numeric target is cut into, for rows of about the same target."""


@dataclass(frozen=True)
class Probe:
    """A small sample of training rows: `rows` (n,) of the table, their columns and target."""

    subject: Subject
    rows: Ints
    outcome: Outcome

    @cached_property
    def table(self) -> pl.DataFrame:
        """Return the sampled rows of the features, dates as numbers."""
        table = self.subject.table[self.rows]
        return pl.DataFrame({name: plain(table[name]) for name in self.subject.features})

    @cached_property
    def answer(self) -> Floats:
        """Return the target, (n, classes) or (n, 1), centred, every class of equal weight."""
        return answer_of(self.outcome)

    @cached_property
    def answers(self) -> dict[str, Floats]:
        """Return for each feature (n, k) centred numbers: what it says about each row."""
        return {name: self.told_by(self.table[name]) for name in self.table.columns}

    def share(self, values: pl.Series) -> float:
        """Return the share of the target that any values (n,) of these rows explain."""
        return explained(self.told_by(values), self.answer)

    def share_by_flag(self, flag: NDArray[np.bool_]) -> float:
        """Return the squared correlation of a flag (n,) with the best told class, or number."""
        told = flag - flag.mean()
        spread = float((told**2).sum()) * (self.answer**2).sum(axis=0)
        return float(((told @ self.answer) ** 2 / np.maximum(spread, TINY)).max())

    def told_by(self, values: pl.Series) -> Floats:
        """Return (n, k) centred numbers: what values (n,) say about each row's target."""
        told: Floats = encoded(cells_of(values, BINS), self.outcome)
        if values.dtype.is_numeric() and values.null_count() < len(values):
            ranks = average_ranks(values.fill_null(values.median()))
            told = np.column_stack([told, ranks / len(ranks)])
        return np.asarray(told - told.mean(axis=0))

    @cached_property
    def alone(self) -> dict[str, float]:
        """Return for each feature the share of the target that it explains alone."""
        return {name: explained(told, self.answer) for name, told in self.answers.items()}

    def together(self, names: Sequence[str]) -> float:
        """Return the share of the target that some features explain together, at least 0."""
        if not names:
            return 0.0
        return explained(np.column_stack([self.answers[name] for name in names]), self.answer)

    def mistakes(self, told: Floats, others: Sequence[str]) -> float:
        """Return how much of told's (n, k) mistakes other features explain, beyond chance.

        Mistakes are what is left of it among rows of about the same target. Zero or less says
        that nothing in the table explains them; without others the answer is infinite.
        """
        own = self._within(told)
        own = own[:, own.std(axis=0) > TINY]
        if not others or not own.size:
            return math.inf
        known = np.column_stack([self._within(self.answers[other]) for other in others])
        noise = 2 * math.sqrt(2 * known.shape[1]) / len(self.rows)
        return explained(known, own / own.std(axis=0)) - CHANCE - noise

    def _within(self, columns: Floats) -> Floats:
        """Return columns (n, k) less their means over rows of about the same target."""
        if self.outcome.codes is not None:
            level = dense_cells(self.outcome.codes)
        else:
            ranks = self.answer[:, 0].argsort(kind="stable").argsort(kind="stable")
            level = ranks * min(STEPS, len(ranks) // 20) // len(ranks)
        rows = np.bincount(level)
        means = np.column_stack([np.bincount(level, weights=c) / rows for c in columns.T])
        return np.asarray(columns - means[level])


@once
def probe_of(subject: Subject) -> Probe | None:
    """Return the probe of a subject; None where too few rows or classes are left to compare."""
    rows = subject.sample
    if len(rows) > ROWS:
        rows = np.sort(np.random.default_rng(SEED).choice(rows, ROWS, replace=False))
    outcome = subject.outcome_of(rows)
    if outcome.codes is not None:
        kept = outcome.codes >= 0
        rows, outcome = rows[kept], outcome.take(kept)
        if outcome.codes is None or outcome.codes.max(initial=0) < 1:
            return None
    elif outcome.ranks is None or not outcome.ranks.any():
        return None
    return Probe(subject, rows, outcome) if len(rows) >= 2 * BINS else None


def answer_of(outcome: Outcome) -> Floats:
    """Return a target, (n, classes) or (n, 1), centred, every class of equal weight."""
    if outcome.codes is None:
        ranks = np.zeros(0) if outcome.ranks is None else outcome.ranks
        return np.asarray((ranks - ranks.mean())[:, None])
    share = np.bincount(outcome.codes) / len(outcome.codes)
    return np.asarray((np.eye(len(share))[outcome.codes] - share) / np.sqrt(share))


def explained(columns: Floats, answer: Floats) -> float:
    """Return the share of `answer` (n, k), centred, that `columns` (n, d), centred, explain.

    Least squares with a ridge, adjusted for the number of columns (Ezekiel 1930). With classes of
    equal weight this is Pillai's trace over the number of classes less one. As many columns as rows
    explain anything: 1.
    """
    rows, width = columns.shape
    if width >= rows - 1:
        return 1.0
    scale = columns.std(axis=0)
    unit = columns[:, scale > 0] / scale[scale > 0]
    inner = unit.T @ unit + RIDGE * rows * np.eye(unit.shape[1])
    fitted = unit @ np.linalg.solve(inner, unit.T @ answer)
    share = 1 - float(((answer - fitted) ** 2).sum()) / float((answer**2).sum())
    return float(max(1 - (1 - share) * (rows - 1) / (rows - width - 1), 0.0))
