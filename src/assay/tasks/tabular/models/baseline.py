"""The best single column: what a model of them all has to beat."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.tasks.tabular.models.forest import Forest, fit_small_tree, restore_forest
from assay.tasks.tabular.models.kind import Job, Kind, Matrix

LEAVES = 8
MOST_COLUMNS = 100
"""More columns than this are screened by correlation first."""


def fit_column(
    x: Matrix,
    sources: NDArray[np.int64],
    y: NDArray[Any],
    classes: int,
    seed: int,
    weight: NDArray[np.float64] | None = None,
) -> Forest:
    """Fit a tree of at most eight leaves on the one feature that predicts held-out rows best.

    `sources` says which feature each column of the tree view `x` belongs to. A third of the
    rows chooses the feature; the tree is then fitted on all of them.
    """
    leaf = max(1, min(20, len(y) // 20))
    order = np.random.default_rng(seed).permutation(len(y))
    chosen, rest = order[: len(y) // 3], order[len(y) // 3 :]
    seen, unseen = (None, None) if weight is None else (weight[rest], weight[chosen])
    losses = {}
    for source in _promising(x, sources, y):
        alone = _only(x, sources == source)
        tree = fit_small_tree(alone[rest], y[rest], classes, LEAVES, leaf, seen)
        losses[source] = _loss(tree.predict(alone[chosen]), y[chosen], classes, unseen)
    best = min(losses, key=lambda source: losses[source])
    return fit_small_tree(_only(x, sources == best), y, classes, LEAVES, leaf, weight)


def _only(x: Matrix, wanted: NDArray[np.bool_]) -> Matrix:
    """Blank all other columns, so that column numbers stay those of the whole view."""
    return np.where(wanted, x, 0.0)


def _promising(x: Matrix, sources: NDArray[np.int64], y: NDArray[Any]) -> list[int]:
    """Return the features to try: all, or those most correlated with the target."""
    every = np.unique(sources)
    if len(every) <= MOST_COLUMNS:
        return [int(source) for source in every]
    ranks = np.nan_to_num(np.clip(x, -1e30, 1e30))
    ranks = (ranks - ranks.mean(axis=0)) / (ranks.std(axis=0) + 1e-300)
    wanted = (y - y.mean()) / (y.std() or 1.0)
    strength = np.abs(wanted @ ranks)
    order = np.argsort(-strength, kind="stable")
    return list(dict.fromkeys(int(source) for source in sources[order]))[:MOST_COLUMNS]


def _loss(
    found: Matrix, y: NDArray[Any], classes: int, weight: NDArray[np.float64] | None
) -> float:
    """Return the log loss, or the mean squared error."""
    if classes:
        lost = -np.log(np.maximum(found[np.arange(len(y)), y], 1e-6))
    else:
        lost = (found[:, 0] - y) ** 2
    return float(np.average(lost, weights=weight))


def _column(job: Job) -> tuple[Forest, None]:
    return fit_column(job.x, job.sources, job.y, job.classes, job.seed, job.weight), None


COLUMN = Kind(fit=_column, restore=restore_forest)
