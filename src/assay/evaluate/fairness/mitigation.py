"""What can be done about groups that are treated unlike: weights, thresholds, constrained training.

n rows. What each brings, and what it costs, is measured in `benchmarks/judgement/fairness.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.evaluate.answers.rules import Ladder, Rule, ladder

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]
Mask = NDArray[np.bool_]

FEWEST_ROWS, FEWEST_OF_A_CLASS = 30, 10
"""A group smaller than this is not scored: its rates would be chance."""
TOLERANCE = 0.0075
"""The difference between groups, on rows out of fold, that is small enough to look for the best."""
STEPS, PASSES = 500, 4
"""Thresholds tried for each group, and how often each group answers the others."""


def enough(rows: int, positives: int) -> bool:
    """Return True for a group with rows enough for its rates to mean something."""
    few = min(positives, rows - positives)
    return rows >= FEWEST_ROWS and few >= FEWEST_OF_A_CLASS


def reweighing(groups: NDArray[Any], truth: Codes) -> Floats:
    """Return (n,) weights under which group and class do not depend on each other; mean 1.

    Each row weighs the number of rows that its group and class would share by chance over those
    that they do. Source: Kamiran and Calders 2012, Knowledge and Information Systems 33, section 4.
    """
    group, code = (np.unique(part, return_inverse=True)[1] for part in (groups, truth))
    both = group * (int(code.max(initial=0)) + 1) + code
    n = len(truth)
    chance = np.bincount(group)[group] * (np.bincount(code)[code] / n)
    weight: Floats = chance / np.bincount(both)[both]
    return weight


@dataclass(frozen=True)
class Group:
    """A group's thresholds: its value, its ladder, and the steps of it that are tried."""

    value: str
    ladder: Ladder
    steps: Codes

    @property
    def hits(self) -> Floats:
        """Return the positives called at each step."""
        return self.ladder.hits[self.steps]

    @property
    def alarms(self) -> Floats:
        """Return the negatives called at each step."""
        return self.ladder.alarms[self.steps]

    @property
    def rates(self) -> Floats:
        """Return (3, steps): share of positives, of negatives, and of all rows called."""
        yes, no = self.ladder.hits[-1], self.ladder.alarms[-1]
        return np.stack([self.hits / yes, self.alarms / no, (self.hits + self.alarms) / (yes + no)])


def gap(definition: str, ranges: Floats) -> Floats:
    """Return the difference between groups by a definition, from (3, …) ranges of their rates.

    The rates are those of positives, of negatives and of all rows that are called positive.
    """
    hits, alarms, called = ranges
    found: dict[str, Floats] = {
        "demographic_parity": called,
        "equal_opportunity": hits,
        "equalized_odds": np.maximum(hits, alarms),
        "average_odds": (hits + alarms) / 2,
    }
    return found[definition]


def group_thresholds(
    rule: Rule,
    definition: str,
    score: Floats,
    positive: Mask,
    words: NDArray[Any],
    common: float,
) -> dict[str, float]:
    """Return a threshold for each group's value, chosen on (n,) rows out of fold.

    Among thresholds that leave hardly a difference by `definition`, those that are worth most by
    `rule`; where none do, those with the least difference. Groups too small to be scored keep the
    `common` threshold and are left out. Source: Hardt, Price and Srebro 2016 (NeurIPS), section
    4.2, with thresholds that are not drawn at random, so that equal rows get equal answers.
    """
    groups, spare = [], np.ones(len(score), dtype=bool)
    for value in np.unique(words.astype(str)):
        rows = words == value
        if enough(int(rows.sum()), int(positive[rows].sum())):
            steps = ladder(score[rows], positive[rows])
            groups.append(Group(str(value), steps, steps.some(STEPS)))
            spare &= ~rows
    if len(groups) < 2:
        return {}
    called = spare & (score.round(9) >= common)
    fixed = (float((called & positive).sum()), float((called & ~positive).sum()))
    total = (float(positive.sum()), float((~positive).sum()))
    chosen = _search(groups, rule, definition, fixed, total)
    return {
        group.value: group.ladder.threshold(int(group.steps[step]))
        for group, step in zip(groups, chosen, strict=True)
    }


def _search(
    groups: list[Group],
    rule: Rule,
    definition: str,
    fixed: tuple[float, float],
    total: tuple[float, float],
) -> Codes:
    """Return a step for each group: from every step of the largest, the others answer in turn.

    With two groups this looks at every pair.
    """
    largest = max(range(len(groups)), key=lambda g: groups[g].ladder.hits[-1])
    rates = [group.rates for group in groups]
    start = rates[largest]
    at = np.stack(
        [np.abs(start[:, :, None] - r[:, None, :]).sum(axis=0).argmin(axis=1) for r in rates],
        axis=1,
    )
    at[:, largest] = np.arange(start.shape[1])
    order = [g for g in range(len(groups)) if g != largest]
    for turn in range(PASSES if len(groups) > 2 else 1):
        for g in order if turn == 0 else range(len(groups)):
            worth, apart = _answers(groups, rates, at, g, rule, definition, fixed, total)
            at[:, g] = _best(worth, apart)
    worth, apart = _answers(groups, rates, at, largest, rule, definition, fixed, total)
    here = np.arange(len(at))
    final = (worth[here, at[:, largest]][None, :], apart[here, at[:, largest]][None, :])
    found: Codes = at[int(_best(*final)[0])]
    return found


def _answers(
    groups: list[Group],
    rates: list[Floats],
    at: Codes,
    g: int,
    rule: Rule,
    definition: str,
    fixed: tuple[float, float],
    total: tuple[float, float],
) -> tuple[Floats, Floats]:
    """Return (starts, steps) worth and difference of every step of group `g`, the others given."""
    others = [k for k in range(len(groups)) if k != g]
    standing = np.stack([rates[k][:, at[:, k]] for k in others])
    low, high = standing.min(axis=0)[:, :, None], standing.max(axis=0)[:, :, None]
    mine = rates[g][:, None, :]
    apart = gap(definition, np.maximum(high, mine) - np.minimum(low, mine))
    hits = fixed[0] + np.sum([groups[k].hits[at[:, k]] for k in others], axis=0)
    alarms = fixed[1] + np.sum([groups[k].alarms[at[:, k]] for k in others], axis=0)
    worth = rule.worth(
        hits[:, None] + groups[g].hits[None, :], alarms[:, None] + groups[g].alarms[None, :], *total
    )
    return worth, apart


def _best(worth: Floats, apart: Floats) -> Codes:
    """Return the step of each row that is worth most among the fair, else the fairest allowed."""
    fair = np.where(apart <= TOLERANCE, worth, -np.inf)
    fairest = (apart + 10.0 * np.isinf(worth)).argmin(axis=1)
    chosen: Codes = np.where(np.isfinite(fair.max(axis=1)), fair.argmax(axis=1), fairest)
    return chosen
