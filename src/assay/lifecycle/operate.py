"""How scores become answers, chosen on predictions out of fold: no test row has a say."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
import numpy as np
import polars as pl
from numpy.typing import NDArray

from assay.errors import SpecError
from assay.evaluate.answers.conformal import margin_of
from assay.evaluate.answers.repair import choose_repair
from assay.evaluate.answers.rules import rule_of
from assay.evaluate.answers.thresholds import choose_threshold
from assay.evaluate.fairness.mitigation import group_thresholds
from assay.kernel.family import Predictions
from assay.kernel.stage import Context, Inputs, Note, take
from assay.kernel.store import Store
from assay.lifecycle.material import Material, read_array
from assay.metrics.operate import calibrated, group_words
from assay.metrics.pool import pool
from assay.records.fitted import Leaderboard, Members, Operating, Operation
from assay.records.snapshot import Problem
from assay.records.spec import AnswersSection, FairnessSection

MOST_GROUPS = 20
"""A column with more values than this has no thresholds of its own for each."""


def operate(inputs: Inputs, context: Context) -> Operation:
    """Run the stage: the champion and the best baseline, each by the same rules on its own scores.

    Raises SpecError as `require_classes` and `group_column` do.
    """
    material = Material.open(inputs, context.store)
    board = take(inputs, "search", Leaderboard)
    answers = take(inputs, "spec.answers", AnswersSection)
    fairness = take(inputs, "spec.fairness", FairnessSection)
    require_classes(answers, fairness, material.problem)
    group = group_column(fairness, material.problem, material.table)
    found: list[Operating] = []
    for name, values in (
        ("champion", out_of_fold(board, take(inputs, "members", Members), context.store)),
        ("baseline", read_array(context.store.get(board.baseline.predictions))),
    ):
        context.notify(Note("operate", name, len(found), 2))
        found.append(operating_of(material, values, answers, fairness, group))
    return Operation(champion=found[0], baseline=found[1])


def out_of_fold(board: Leaderboard, chosen: Members, store: Store) -> NDArray[np.float64]:
    """Return the served members' pooled predictions of all training rows, (n, k) or (n,).

    NaN where no fold made one.
    """
    taught = (chosen.student,) if chosen.student is not None else ()
    every = (*board.baselines, *board.trials, *taught)
    trials = {trial.candidate.name: trial for trial in every}
    parts = [
        (read_array(store.get(trials[name].predictions)), weight)
        for name, weight in chosen.weights.items()
    ]
    return pool(chosen.pool, parts)


def operating_of(
    material: Material,
    values: NDArray[np.float64],
    answers: AnswersSection,
    fairness: FairnessSection,
    group: str = "",
) -> Operating:
    """Return calibration, threshold and margin from (n, k) or (n,) predictions out of fold."""
    problem = material.problem
    known = np.isfinite(values.reshape(len(values), -1)).all(axis=1)
    index = material.train_index[known]
    truth, code = material.rows(index).truth, problem.positive_code
    chosen, served = Operating(), values[known]
    if problem.classes:
        codes, folds = truth.astype(np.int64), material.parts[index].astype(np.int64)
        chosen = choose_repair(answers.calibrate, served, codes, folds, code)
        served = calibrated(chosen, served, code)
    if problem.positive is not None:
        score, positive = served[:, code], truth == code
        threshold, why = choose_threshold(answers, score, positive)
        own: dict[str, float] = {}
        if group:
            words = group_words(material.table[group][index])
            rule = rule_of(answers)
            own = group_thresholds(rule, fairness.definition, score, positive, words, threshold)
            why += f"; {_by_group(group, own)}"
        chosen = msgspec.structs.replace(
            chosen,
            threshold=threshold,
            group=group,
            thresholds=own,
            why=f"{chosen.why}; {why}",
        )
    margin = margin_of(truth, Predictions(served, problem.classes), answers.coverage)
    return msgspec.structs.replace(chosen, coverage=answers.coverage, margin=margin)


def _by_group(group: str, own: Mapping[str, float]) -> str:
    if not own:
        return f"{group} has no two groups with rows enough for thresholds of their own"
    named = ", ".join(f"{value} {threshold:g}" for value, threshold in own.items())
    return f"for each {group} a threshold of its own, so that groups are treated alike: {named}"


def require_classes(answers: AnswersSection, fairness: FairnessSection, problem: Problem) -> None:
    """Refuse rules about a yes or no for a target that has none.

    Raises:
        SpecError: ANSWERS-TASK, for the first such key of `answers` or `fairness`.
    """
    asked = {
        "answers.threshold": answers.threshold is not None,
        "answers.costs": bool(answers.costs),
        "answers.capacity": answers.capacity is not None,
        "answers.precision": answers.precision is not None,
        "answers.recall": answers.recall is not None,
        "fairness.columns": bool(fairness.columns),
    }
    wrong = next((key for key, written in asked.items() if written), "")
    if wrong and problem.positive is None:
        raise SpecError(
            "ANSWERS-TASK",
            f"{wrong} is about a yes or no, and {problem.target} is not of two classes",
            where=wrong,
            got=problem.task,
            allowed=("binary",),
            hint=f"remove {wrong}, or predict a target of two classes",
        )


def group_column(fairness: FairnessSection, problem: Problem, table: pl.DataFrame) -> str:
    """Return the column whose groups get thresholds of their own, "" when none is wanted.

    Raises:
        SpecError: FAIRNESS-COLUMN when it is not one column of few values that the model sees.
    """
    if fairness.mitigate != "thresholds":
        return ""
    name = fairness.columns[0] if len(fairness.columns) == 1 else ""
    if name not in problem.features:
        raise SpecError(
            "FAIRNESS-COLUMN",
            "thresholds for each group need one column that is there when the model is asked",
            where="fairness.columns",
            got=list(fairness.columns),
            allowed=problem.features[:20],
            hint="name one feature; for an intersection make a column of both with "
            "features.transform, or choose another fairness.mitigate",
        )
    values = len(np.unique(group_words(table[name]).astype(str)))
    if values > MOST_GROUPS:
        raise SpecError(
            "FAIRNESS-COLUMN",
            f"{name} has {values:,} values: too many for a threshold each",
            where="fairness.columns",
            got=name,
            allowed=(f"a column of at most {MOST_GROUPS} values",),
            hint="make a column of ranges or of fewer groups with features.transform, or choose "
            "another fairness.mitigate",
        )
    return name
