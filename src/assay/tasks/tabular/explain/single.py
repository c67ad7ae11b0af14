"""A few single answers explained in two ways, with how stable the explanations are."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.kernel.family import Answering, Rows
from assay.kernel.loader import load
from assay.records.report import Estimate, Examination, tabled
from assay.records.snapshot import Problem
from assay.tasks.tabular.explain.hybrids import Game, game, told
from assay.tasks.tabular.explain.words import of_what, plain

Floats = NDArray[np.float64]

NAMES = {"lowest": 0.0, "middle": 0.5, "highest": 1.0}
"""Which rows are explained: by the place of their answer among all sampled ones."""
CANDIDATES = 300
CHAINS = 200
SEEDS = 5
NEARBY = 600
"""Rows made near the row that LIME explains, for each seed."""
WIDTH = 0.75
RIDGE = 1.0
STRONGEST = 3
SHOWN = 5
STABLE = 0.7
_SAMPLED = "assay.tasks.tabular.explain.shapley:sampled"


@dataclass(frozen=True)
class Local:
    """LIME's weights of the columns of one row for each seed, (seeds, players)."""

    weights: Floats

    @property
    def strongest(self) -> list[set[int]]:
        """Return for each seed the columns with the largest weights."""
        order = np.argsort(-np.abs(self.weights), axis=1, kind="stable")
        return [set(row[:STRONGEST].tolist()) for row in order]

    @property
    def agreement(self) -> Floats:
        """Return for each pair of seeds the share of the strongest columns they have in common."""
        pairs = combinations(self.strongest, 2)
        return np.array([len(one & two) / max(len(one), 1) for one, two in pairs])


def single_answers(
    problem: Problem, predictor: Answering, rows: Rows, train: Rows, seed: int
) -> Examination:
    """Return the lowest, a middle and the highest answer, explained by Shapley values and LIME.

    `lime_stability` is the mean share of the three strongest columns that two runs of LIME with
    different seeds have in common: 1 when chance plays no part (Visani et al. 2022, Journal of the
    Operational Research Society 73, measure stability so).
    """
    asked = game(problem, predictor, rows, train, CANDIDATES, seed)
    answers = told(predictor.predict(asked.frame), asked.codes)
    order = np.argsort(answers, kind="stable")
    chosen = [int(order[round(share * (len(order) - 1))]) for share in NAMES.values()]
    three = replace(asked, frame=asked.frame[chosen], codes=asked.codes[chosen])
    drawn = load(_SAMPLED)(three, CHAINS, seed)
    near = [lime(three, row, seed) for row in range(len(chosen))]
    mean = predictor.predict(asked.background).values.mean(axis=0)
    usual = mean[three.codes] if problem.classes else np.full(len(chosen), mean)
    return _told(problem, three, usual, answers[chosen], drawn, near)


def lime(asked: Game, row: int, seed: int) -> Local:
    """Return the weights of a linear model fitted near one row of the game, once for each seed.

    Ribeiro, Singh and Guestrin 2016, "Why should I trust you?", section 3.3 and its form for
    tables: rows nearby keep some columns and take the others from a training row; the answers are
    fitted by a ridge on which were kept, weighted by an exponential kernel of 0.75 times the root
    of the number of columns on the distance.
    """
    players = len(asked.players)
    own = [np.random.default_rng([seed, k]).random((NEARBY, players)) < 0.5 for k in range(SEEDS)]
    other = np.random.default_rng(seed).integers(0, asked.background.height, SEEDS * NEARBY)
    answers = asked.values(np.full(len(other), row), other, np.concatenate(own))
    each = zip(own, answers.reshape(SEEDS, NEARBY), strict=True)
    return Local(np.stack([_fitted(kept, answer) for kept, answer in each]))


def _fitted(kept: NDArray[np.bool_], answer: Floats) -> Floats:
    """Return the (players,) weights of a kernel-weighted ridge with an intercept."""
    near = np.exp(-(~kept).sum(axis=1) / (WIDTH**2 * kept.shape[1]))
    near = near / near.sum()
    x = kept - near @ kept
    y = answer - near @ answer
    weighted = x * (near * len(near))[:, None]
    penalty = RIDGE * np.eye(kept.shape[1])
    found: Floats = np.linalg.solve(x.T @ weighted + penalty, weighted.T @ y)
    return found


def _told(
    problem: Problem, three: Game, usual: Floats, answers: Floats, drawn: Any, near: list[Local]
) -> Examination:
    scale = 100.0 if problem.classes else 1.0
    agreed = np.concatenate([one.agreement for one in near])
    stability = float(agreed.mean())
    steady = stability >= STABLE
    reading = (
        f"Three answers are taken apart: what moves the {of_what(problem)} away from its mean. "
        f"LIME, a second way, was run {SEEDS} times with other draws: {stability:.0%} of its three "
        "strongest columns stay the same from run to run."
    )
    if not steady:
        reading += " That is little: read its single weights with care."
    tables = {}
    for row, name in enumerate(NAMES):
        title = f"The {name} answer: {_amount(problem, answers[row])}"
        title += f", where the mean is {_amount(problem, usual[row])}"
        values, errors = scale * drawn.values[row], scale * drawn.each_error[row]
        tables[title] = _lines(three, row, values, errors, near[row], scale)
    return Examination(
        name="single_answers",
        title="Single answers explained",
        reading=reading,
        concern="none",
        advice="Tell a person who asks about an answer the columns on which both ways agree.",
        numbers={
            "lime_stability": Estimate(
                value=stability,
                low=float(agreed.min()),
                high=float(agreed.max()),
                n=len(agreed),
                method="range over pairs of seeds",
            )
        },
        tables=tabled(tables),
    )


def _lines(
    three: Game, row: int, values: Floats, errors: Floats, near: Local, scale: float
) -> tuple[dict[str, Any], ...]:
    """Return the columns that move one answer most, in the words of both ways."""
    order = np.argsort(-np.abs(values), kind="stable")[:SHOWN]
    weights = scale * near.weights.mean(axis=0)
    found = [sum(i in strongest for strongest in near.strongest) for i in range(len(weights))]
    return tuple(
        {
            "Column": three.players[i],
            "Its value": _cell(three, row, three.players[i]),
            "Moves the answer by": _signed(values[i]),
            "Moves, give or take": plain(2 * errors[i], 2),
            "Moves, says LIME": _signed(weights[i]),
            "Strongest three, says LIME": f"in {found[i]} of {SEEDS} runs",
        }
        for i in order
    )


def _cell(three: Game, row: int, player: str) -> str:
    if player not in three.frame.columns:
        return ""
    value = three.frame[player][row]
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    return "(missing)" if value is None else text[:40]


def _signed(value: float) -> str:
    return ("+" if value > 0 else "") + plain(value)


def _amount(problem: Problem, value: float) -> str:
    return f"{value:.0%}" if problem.classes else plain(value)
