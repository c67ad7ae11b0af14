"""The learning curve: the leading candidate on growing shares of the training rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.errors import DataError
from assay.evaluate.curves import learning_curve
from assay.evaluate.diagnosis import labelled_parts, squared_parts
from assay.kernel.family import Predictions, Rows
from assay.kernel.plugins import load_family
from assay.kernel.stage import Context, Inputs, Note, take
from assay.lifecycle.material import Material
from assay.lifecycle.workshop import rounds_for_all
from assay.metrics import get
from assay.records.fitted import Candidate, Leaderboard, Trial
from assay.records.report import Curve
from assay.records.snapshot import Problem
from assay.records.spec import BudgetSection
from assay.records.split import Split

SHARES = (0.1, 0.25, 0.5, 1.0)
LARGE, SHARES_OF_LARGE = 50_000, (0.01, 0.03, 0.1, 0.3)
REFITS, FEWEST_ROWS = 4, 40
MOST_HELD_OUT = 20_000
"""Rows held out on which the fits are scored, at most."""
BUDGET_SHARE, LEFT_SHARE = 0.03, 0.1
"""Of the budget, and of what is left of it, so much goes into these fits: the larger of the two."""


Answers = tuple[Predictions, Predictions]
"""What a fit says of the rows it was fitted on, and of those held out."""


@dataclass(frozen=True)
class Bench:
    """What every fit shares: the candidate, the rows to draw from and those held out."""

    material: Material
    context: Context
    trial: Trial
    train: NDArray[np.int64]
    held_out: Rows
    seed: int

    @classmethod
    def of(cls, inputs: Inputs, context: Context) -> Bench:
        """Return the leading candidate's bench, on the last fold."""
        material = Material.open(inputs, context.store)
        board = take(inputs, "search", Leaderboard)
        leader = max(board.weights, key=lambda name: board.weights[name])
        trial = next(t for t in (*board.trials, *board.baselines) if t.candidate.name == leader)
        train, valid = material.fold(material.folds[-1])
        held_out = material.rows(valid[:: max(1, -(-valid.size // MOST_HELD_OUT))])
        seed = take(inputs, "split", Split).seed
        return cls(material, context, trial, train, held_out, seed)

    @property
    def whole(self) -> float:
        """Return the seconds that a fit on all of `train` takes, by those of the search."""
        share = (self.trial.rows or self.train.size) / self.train.size
        return self.trial.seconds / max(1, self.trial.folds) / share

    def growing(self, sizes: Sequence[int]) -> list[Rows]:
        """Return parts of these sizes, each within the next, as far as all classes occur."""
        # a time-ordered fold grows from its latest rows, any other from a random part
        order = np.random.default_rng(self.seed).permutation(self.train)
        order = self.train[::-1] if self.material.ordered else order
        parts = [self.material.rows(np.sort(order[:size])) for size in sizes]
        return [part for part in parts if self._complete(part)]

    def drawn(self) -> list[Rows]:
        """Return half as many rows as there are, drawn with replacement, some times over.

        So they vary as new samples of that size would. None where a class falls out.
        """
        draw, half = np.random.default_rng(self.seed + 1), self.train.size // 2
        parts = [self.material.rows(draw.choice(self.train, half)) for _ in range(REFITS)]
        return parts if all(map(self._complete, parts)) else []

    def _complete(self, part: Rows) -> bool:
        classes = len(self.material.problem.classes)
        return not classes or np.unique(part.truth).size == classes

    def fitted(self, parts: Sequence[Rows]) -> list[Answers | None]:
        """Return what a fit on each part says, None where the library could not be fitted."""
        problem, candidate = self.material.problem, self.trial.candidate
        rounds, threads = rounds_for_all(self.trial), self.context.executor.threads
        shared = (self.held_out, rounds, self.seed, threads)
        found: list[Answers | None] = []
        for answers in self.context.executor.run(
            (fit_part, (candidate, problem, part, *shared)) for part in parts
        ):
            text = f"{candidate.name} on {parts[len(found)].frame.height:,} rows"
            found.append(answers)
            self.context.notify(Note("learning", text, len(found), len(parts)))
        return found


def learning(inputs: Inputs, context: Context) -> Curve:
    """Run the stage: fit on shares of one fold's training rows, score on both of its parts.

    What would take longer than its share of the time, by the seconds that the candidate took in
    the search, is left out: the refits first, then the largest shares.
    """
    bench = Bench.of(inputs, context)
    rows, whole = bench.train.size, bench.whole
    seconds = _affordable(take(inputs, "spec.budget", BudgetSection), context)
    sizes = _sizes(rows, seconds / whole if whole > 0 else float("inf"))
    left = seconds - whole * sum(sizes) / rows
    refit = FEWEST_ROWS <= rows < LARGE and REFITS * whole / 2 <= left
    again = bench.drawn() if refit else []
    parts = bench.growing(sizes)
    found = bench.fitted([*parts, *again])
    scored = [
        (part.frame.height, *pair)
        for part, answers in zip(parts, found, strict=False)
        if answers is not None and (pair := _scores(bench, part, answers)) is not None
    ]
    refits = [answers[1] for answers in found[len(parts) :] if answers is not None]
    return learning_curve(
        [size for size, _, _ in scored],
        [seen for _, seen, _ in scored],
        [unseen for _, _, unseen in scored],
        get(bench.material.problem.primary),
        _refits(bench, refits) if len(refits) == REFITS else None,
    )


def fit_part(
    candidate: Candidate,
    problem: Problem,
    part: Rows,
    held_out: Rows,
    rounds: int | None,
    seed: int,
    threads: int,
) -> Answers | None:
    """Fit on some rows and answer for them and for those held out, in any process.

    None when the library cannot: a part may be too small for a candidate that all rows suit.
    """
    family = load_family(problem.family)
    try:
        model = family.fit(candidate, problem, part, None, rounds, seed, threads)
        return model.predict(part.frame), model.predict(held_out.frame)
    except Exception:  # noqa: BLE001 (whatever a library raises)
        return None


def _affordable(budget: BudgetSection, context: Context) -> float:
    """Return the seconds of workers for these fits, inf without a limit."""
    if budget.seconds is None:
        return float("inf")
    seconds = max(BUDGET_SHARE * budget.seconds, LEFT_SHARE * context.left())
    return seconds * context.executor.workers


def _sizes(rows: int, wholes: float) -> list[int]:
    """Return the rows of each fit, which together are no more than `wholes` times all of them."""
    sizes: list[int] = []
    for share in SHARES if rows < LARGE else SHARES_OF_LARGE:
        size = max(20, round(share * rows))
        if size <= rows and (not sizes or size > sizes[-1]) and sum(sizes) + size <= wholes * rows:
            sizes.append(size)
    return sizes


def _scores(bench: Bench, part: Rows, answers: Answers) -> tuple[float, float] | None:
    """Return the scores on rows fitted and on rows held out; None when a class is absent."""
    problem = bench.material.problem
    metric = get(problem.primary)
    seen, unseen = answers
    try:
        return (
            metric.compute(part.truth, seen, problem.positive_code),
            metric.compute(bench.held_out.truth, unseen, problem.positive_code),
        )
    except DataError:  # a class is absent from one of the parts
        return None


def _refits(bench: Bench, answers: Sequence[Predictions]) -> dict[str, Any] | None:
    """Return the scores of refits on rows drawn anew, and how much of the error the draw makes."""
    problem, truth = bench.material.problem, bench.held_out.truth
    metric = get(problem.primary)
    try:
        scores = [metric.compute(truth, a, problem.positive_code) for a in answers]
    except DataError:  # a class is absent from the rows held out
        return None
    values = np.stack([answer.values for answer in answers])
    found: dict[str, Any] = {
        "rows": bench.train.size // 2,
        "models": len(answers),
        "scores": scores,
    }
    found["squared"] = squared_parts(truth, values).data()
    if problem.classes:
        code = problem.positive_code if problem.positive is not None else None
        labels = np.stack([answer.codes(code) for answer in answers])
        found["labels"] = labelled_parts(truth, labels).data()
    return found
