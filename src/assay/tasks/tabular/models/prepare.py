"""What a job needs to know beside the encoded rows: means of the target, codes, and limits."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import polars as pl
from numpy.typing import NDArray

from assay.kernel.family import Rows
from assay.records.snapshot import Problem
from assay.tasks.tabular.encode.columns import CategoryPlan
from assay.tasks.tabular.encode.encoder import Encoder
from assay.tasks.tabular.encode.target import FEWEST_LEVELS, MOST_CLASSES, fit_target
from assay.tasks.tabular.models.kind import Limits, Matrix


def targeted(
    encoder: Encoder, frame: pl.DataFrame, y: NDArray[Any], classes: int, seed: int
) -> tuple[Encoder, Matrix]:
    """Let categories read means of the target: the encoder for other rows, and the training view.

    Few levels, and any when there are many classes, stay codes.
    """
    means = _wanted(y, classes)
    plans, views = list(encoder.plans), []
    for place, plan in enumerate(encoder.plans):
        column = frame[plan.name]
        if isinstance(plan, CategoryPlan) and _worth(plan, classes):
            plans[place], view = fit_target(plan, column, means, seed)
        else:
            view = np.empty((frame.height, plan.tree_width))
            plan.tree(column, view)
        views.append(view)
    return msgspec.structs.replace(encoder, plans=tuple(plans)), np.hstack(views)


def sampled(rows: Rows, most: int, seed: int) -> Rows:
    """Return at most `most` rows, a random sample in the order of the rows."""
    if rows.frame.height <= most:
        return rows
    draw = np.random.default_rng(seed)
    kept = np.sort(draw.choice(rows.frame.height, max(1, most), replace=False))
    weight = None if rows.weight is None else rows.weight[kept]
    return Rows(rows.frame[kept], rows.truth[kept], weight)


def codes_of(encoder: Encoder, sources: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return, for each column of the tree view, whether it holds the codes of a category."""
    category = np.array([isinstance(plan, CategoryPlan) for plan in encoder.plans])
    first = np.diff(sources, prepend=-1) != 0
    found: NDArray[np.bool_] = category[sources] & first
    return found


def limits_of(problem: Problem, sources: NDArray[np.int64]) -> Limits:
    """Return the problem's constraints in columns of the view; unnamed columns form a group."""
    features = problem.features
    ways = np.array([problem.monotone.get(name, 0) for name in features])
    if problem.classes and problem.positive_code == 0:
        ways = -ways  # a core's score is the second class's
    groups = [[features.index(name) for name in names] for names in problem.interactions]
    if groups:
        rest = set(range(len(features))) - {place for group in groups for place in group}
        groups += [sorted(rest)] if rest else []
    return Limits(
        monotone=tuple(ways[sources].tolist()) if problem.monotone else (),
        groups=tuple(tuple(np.flatnonzero(np.isin(sources, group)).tolist()) for group in groups),
    )


def _worth(plan: CategoryPlan, classes: int) -> bool:
    return classes <= MOST_CLASSES and len(plan.levels) >= FEWEST_LEVELS


def _wanted(y: NDArray[Any], classes: int) -> Matrix:
    """Return (n, outputs): the number, or each class's 0 or 1; of two classes the second's."""
    if not classes:
        return np.asarray(y, dtype=np.float64)[:, None]
    shares = np.eye(classes)[y] if y.ndim == 1 else y
    return shares[:, 1:] if classes == 2 else shares
