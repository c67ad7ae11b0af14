"""How long the search may go on: what is left, less what comes after it."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from assay.kernel.stage import Context
from assay.lifecycle.search.plan import Plan
from assay.records.fitted import FoldFit

BAGS = ((5_000, 3), (20_000, 2))
"""Training rows below which a member that varies is the mean of so many models."""
MEMBERS = 3
"""So many members are expected when the time for fitting them is set aside."""
MARGIN = 1.3
AFTER, AFTER_ROW, AFTER_COLUMN, AFTER_CELL = 2.5, 1e-5, 0.03, 4e-7
"""Seconds for what follows the members: at least, for each row, and for each cell."""
MOST_AFTER = 0.2
"""The share of the budget up to which what came before the search says how slow the machine is."""
GRACE = 4.5
"""Seconds over the budget that the first candidate may take, so that there is one."""


def bags_for(rows: int) -> int:
    """Return of how many models a member that varies is the mean."""
    return next((bags for below, bags in BAGS if rows < below), 1)


@dataclass
class Clock:
    """Seconds of one search. `before` is what an earlier attempt had used when it was ended.

    What follows the search takes about as long as what came before it, reading and audit, on the
    same rows and machine: with a `budget` in seconds this is measured.
    """

    context: Context
    plan: Plan
    columns: int
    budget: float | None = None
    began: float = field(default_factory=time.monotonic)
    before: float = 0.0
    leaders: float = 0.0
    """Seconds to fit the members on all training rows, as far as is known."""

    def __post_init__(self) -> None:
        """Take the time that has passed before the search."""
        budget = self.budget or 0.0
        self.passed = min(budget - self.context.left(), MOST_AFTER * budget)

    def at(self) -> float:
        """Return the seconds of the search so far."""
        return round(self.before + time.monotonic() - self.began, 3)

    def resume(self, at: float) -> None:
        """Count what an earlier attempt used up to a fit that it left behind."""
        self.before = max(self.before, at)

    def spare(self) -> float:
        """Return the seconds that are left for the search, inf without a limit."""
        return self.context.left() - self.after() - self.leaders

    def after(self) -> float:
        """Return the seconds expected from the members' fits to the end of the run."""
        rows, columns = self.plan.rows, self.columns
        expected = AFTER + rows * (AFTER_ROW + AFTER_CELL * columns) + AFTER_COLUMN * columns
        return max(expected, self.passed)

    def expect(self, leaders: Sequence[Sequence[FoldFit]], bags: int) -> None:
        """Set aside the time for fitting these candidates, known by their folds."""
        self.leaders = self.members(leaders, [bags] * len(leaders))

    def members(self, fits: Iterable[Sequence[FoldFit]], bags: Iterable[int]) -> float:
        """Return the seconds for fitting candidates on all rows, each with its bags."""
        total = 0.0
        for folds, models in zip(fits, bags, strict=True):
            if folds[0].state:  # it need not be fitted again
                continue
            share = self.plan.rows / max(1, folds[0].rows or self.plan.rows)
            total += models * share * float(np.mean([fit.seconds for fit in folds]))
        return MARGIN * total / self.context.executor.workers
