"""Why a model of this family answers as it does: four looks, in one visible list."""

from __future__ import annotations

from collections.abc import Sequence

from assay.kernel.family import Answering, Model, Rows
from assay.records.report import Examination
from assay.records.snapshot import Problem
from assay.tasks.tabular.explain.contributions import contributions
from assay.tasks.tabular.explain.dependence import dependence
from assay.tasks.tabular.explain.importance import importance
from assay.tasks.tabular.explain.single import single_answers

__all__ = ["explain"]


def explain(
    problem: Problem,
    predictor: Answering,
    models: Sequence[tuple[Model, float]],
    rows: Rows,
    train: Rows,
    seed: int,
) -> tuple[Examination, ...]:
    """Return importance, contributions, dependence, and a few single answers explained.

    `rows` are rows that the model was not fitted on, `train` its training rows. Rows without a
    target cannot tell importance, and the rest looks at all columns alike.
    """
    if not rows.frame.height or not train.frame.height or not problem.features:
        return ()
    first = importance(problem, predictor, models, rows, train, seed)
    ranked = tuple(first.curves[0].data["columns"]) if first else problem.features
    found = (
        first,
        contributions(problem, predictor, models, rows, train, seed),
        dependence(problem, predictor, rows, train, ranked),
        single_answers(problem, predictor, rows, train, seed),
    )
    return tuple(examination for examination in found if examination)
