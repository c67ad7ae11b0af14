"""The learning curve: the leading candidate on growing shares of the training rows."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.errors import DataError
from assay.evaluate.curves import learning_curve
from assay.evaluate.diagnosis import labelled_parts, squared_parts
from assay.kernel.family import Model, Predictions, Rows
from assay.kernel.stage import Context, Inputs, Note, take
from assay.lifecycle.fit import rounds_for_all
from assay.lifecycle.material import Material
from assay.metrics import get
from assay.records.fitted import Leaderboard, Trial
from assay.records.report import Curve
from assay.records.spec import BudgetSection
from assay.records.split import Split

SHARES = (0.1, 0.25, 0.5, 1.0)
REFITS, FEWEST_ROWS = 4, 40
FEWEST_SECONDS, BUDGET_SHARE = 2.0, 0.2
"""A fit that would take longer than this, or this share of the budget, is left out; so are all
refits when they would together."""


def learning(inputs: Inputs, context: Context) -> Curve:
    """Run the stage: fit on shares of one fold's training rows, score on both of its parts."""
    material = Material.open(inputs, context.store)
    board = take(inputs, "search", Leaderboard)
    seed = take(inputs, "split", Split).seed
    leader = max(board.weights, key=lambda name: board.weights[name])
    trial = next(t for t in (*board.trials, *board.baselines) if t.candidate.name == leader)
    train, valid = material.fold(material.folds[-1])
    held_out = material.rows(valid)
    # a time-ordered fold grows from its latest rows, any other from a random part
    order = train[::-1] if material.ordered else np.random.default_rng(seed).permutation(train)
    whole = trial.seconds / max(1, len(material.folds))
    limit = max(FEWEST_SECONDS, take(inputs, "spec.budget", BudgetSection).time * BUDGET_SHARE)
    sizes: list[int] = []
    seen: list[float] = []
    unseen: list[float] = []
    for place, share in enumerate(SHARES):
        size = max(20, round(share * train.size))
        if size > train.size or (sizes and size <= sizes[-1]) or share * whole > limit:
            continue
        context.notify(Note("learning", f"{leader} on {size:,} rows", place + 1, len(SHARES)))
        part = material.rows(np.sort(order[:size]))
        scores = _scores(material, context, trial, part, held_out, seed)
        if scores is not None:
            sizes.append(size)
            seen.append(scores[0])
            unseen.append(scores[1])
    again = None
    if train.size >= FEWEST_ROWS and REFITS * whole / 2 <= limit:
        again = _refits(material, context, trial, train, held_out, seed)
    return learning_curve(sizes, seen, unseen, get(board.metric), again)


def _refits(
    material: Material,
    context: Context,
    trial: Trial,
    train: NDArray[np.int64],
    held_out: Rows,
    seed: int,
) -> dict[str, Any] | None:
    """Return the scores of refits on rows drawn anew, and how much of the error the draw makes.

    Each is fitted on half as many rows as there are, drawn with replacement: so the draws vary as
    new samples of that size would.
    """
    problem, metric = material.problem, get(material.problem.primary)
    draw = np.random.default_rng(seed + 1)
    half = train.size // 2
    answers: list[Predictions] = []
    for number in range(REFITS):
        context.notify(Note("learning", f"refit on {half:,} drawn rows", number + 1, REFITS))
        part = material.rows(draw.choice(train, half))
        if problem.classes and np.unique(part.truth).size < len(problem.classes):
            return None
        model = _fitted(material, context, trial, part, seed)
        answers.append(model.predict(held_out.frame))
    try:
        scores = [metric.compute(held_out.truth, a, problem.positive_code) for a in answers]
    except DataError:  # a class is absent from the rows held out
        return None
    values = np.stack([answer.values for answer in answers])
    found: dict[str, Any] = {"rows": half, "models": REFITS, "scores": scores}
    found["squared"] = squared_parts(held_out.truth, values).data()
    if problem.classes:
        code = problem.positive_code if problem.positive is not None else None
        labels = np.stack([answer.codes(code) for answer in answers])
        found["labels"] = labelled_parts(held_out.truth, labels).data()
    return found


def _scores(
    material: Material,
    context: Context,
    trial: Trial,
    part: Rows,
    held_out: Rows,
    seed: int,
) -> tuple[float, float] | None:
    """Return the scores on rows fitted and on rows held out; None when a class is absent."""
    problem = material.problem
    if problem.classes and np.unique(part.truth).size < len(problem.classes):
        return None
    model = _fitted(material, context, trial, part, seed)
    metric = get(problem.primary)

    def score(rows: Rows) -> float:
        answer: Predictions = model.predict(rows.frame)
        return metric.compute(rows.truth, answer, problem.positive_code)

    try:
        return score(part), score(held_out)
    except DataError:  # a class is absent from one of the parts
        return None


def _fitted(material: Material, context: Context, trial: Trial, part: Rows, seed: int) -> Model:
    rounds, threads = rounds_for_all(trial), context.executor.threads
    return material.family.fit(trial.candidate, material.problem, part, None, rounds, seed, threads)
