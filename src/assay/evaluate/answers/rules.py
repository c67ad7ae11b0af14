"""What a threshold is chosen by: each rule says how much a choice is worth, from its counts.

A choice calls some rows positive; `hits` of them are, `alarms` are not, of `yes` and `no` rows in
all. Shapes follow the choices that are compared.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from assay.records.spec import AnswersSection

Floats = NDArray[np.float64]

FEWEST = 10
"""A precision seen on fewer rows than this is chance."""


@dataclass(frozen=True)
class Rule:
    """The worth of a choice of rows, more is better; minus infinity for one that breaks the rule.

    `costs` are those of a false alarm and of a miss. `capacity` is the share of rows that may be
    called positive, `precision` and `recall` are floors.
    """

    costs: tuple[float, float] = (1.0, 1.0)
    capacity: float | None = None
    precision: float | None = None
    recall: float | None = None

    def worth(self, hits: Floats, alarms: Floats, yes: float, no: float) -> Floats:
        """Return what each choice is worth."""
        called = hits + alarms
        worth: Floats = -(self.costs[0] * alarms + self.costs[1] * (yes - hits)) / (yes + no)
        if self.capacity is not None:
            best = hits + 1e-6 * called
            worth = np.where(called <= self.capacity * (yes + no) + 1e-9, best, -np.inf)
        if self.precision is not None:
            share = np.divide(hits, called, out=np.zeros_like(called), where=called > 0)
            good = (share >= self.precision - 1e-12) & (called >= min(FEWEST, yes))
            worth = np.where(good, hits, -np.inf)
        if self.recall is not None:
            worth = np.where(hits >= self.recall * yes - 1e-9, -called, -np.inf)
        return worth


def rule_of(answers: AnswersSection) -> Rule:
    """Return the rule of the project file.

    A fixed threshold t stands for costs of t and 1 - t, which make it the best one for right
    probabilities (Elkan 2001, "The foundations of cost-sensitive learning", IJCAI).
    """
    if answers.costs:
        return Rule((answers.costs["false_positive"], answers.costs["false_negative"]))
    if answers.threshold is not None:
        return Rule((answers.threshold, 1 - answers.threshold))
    return Rule(capacity=answers.capacity, precision=answers.precision, recall=answers.recall)


@dataclass(frozen=True)
class Ladder:
    """Every threshold that makes a difference: step 0 calls no row, the last step calls all.

    `scores` (m,) are the distinct scores, falling; `hits` and `alarms` (m + 1,) the counts.
    """

    scores: Floats
    hits: Floats
    alarms: Floats

    def threshold(self, step: int) -> float:
        """Return the shortest decimal that calls the rows of this step, and no others."""
        if step == len(self.scores):
            return 0.0
        low = float(self.scores[step])
        high = float(self.scores[step - 1]) if step else max(1.0, low + 1e-6)
        for digits in range(2, 10):
            short = round((low + high) / 2, digits)
            if low < short <= high:
                return short
        return high

    def step(self, threshold: float) -> int:
        """Return the step that a threshold stands for."""
        return int((self.scores >= threshold).sum())

    def some(self, most: int) -> NDArray[np.int64]:
        """Return at most so many steps, evenly along hits and alarms, both ends included."""
        along = self.hits / max(self.hits[-1], 1.0) + self.alarms / max(self.alarms[-1], 1.0)
        wanted = np.searchsorted(along, np.linspace(0, along[-1], most) - 1e-12)
        return np.unique(np.minimum(wanted, len(along) - 1))


def ladder(score: Floats, positive: NDArray[np.bool_]) -> Ladder:
    """Return the steps of (n,) scores, of which some are `positive` rows."""
    known, place = np.unique(score.round(9), return_inverse=True)  # as `Predictions` reads labels
    hits = np.bincount(place, positive, len(known))[::-1].cumsum()
    called = np.bincount(place, minlength=len(known))[::-1].cumsum()
    return Ladder(known[::-1], np.r_[0.0, hits], np.r_[0.0, called - hits])
