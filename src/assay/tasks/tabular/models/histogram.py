"""Gradient-boosted trees by scikit-learn: other trees than LightGBM's, so a good neighbour."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.ensemble._hist_gradient_boosting.common import (
    PREDICTOR_RECORD_DTYPE,
    X_BITSET_INNER_DTYPE,
)
from sklearn.ensemble._hist_gradient_boosting.predictor import TreePredictor
from threadpoolctl import threadpool_limits

from assay.tasks.tabular.engine.graph import Graph
from assay.tasks.tabular.engine.trees import Trees
from assay.tasks.tabular.models.kind import Core, Job, Kind, Matrix, patience
from assay.tasks.tabular.models.linear import fit_constant


@dataclass(frozen=True)
class Histogram:
    """Boosted trees as scikit-learn's nodes, end to end; tree `i` adds to score `i % scores`.

    `base`, (scores,), is what every row starts from: one score for numbers and two classes, else
    one for each class that training saw. `present` has the codes of these, empty for numbers, and
    `classes` counts all classes.
    """

    nodes: NDArray[Any]
    roots: NDArray[np.int64]
    base: Matrix
    present: NDArray[np.int64]
    classes: int
    view: ClassVar[str] = "tree"

    @cached_property
    def _native(self) -> list[Any]:
        none = np.zeros((0, 8), dtype=X_BITSET_INNER_DTYPE)
        stops = [*self.roots[1:], len(self.nodes)]
        pairs = zip(self.roots, stops, strict=True)
        return [TreePredictor(self.nodes[start:stop], none, none) for start, stop in pairs]

    def predict(self, x: Matrix) -> Matrix:
        """Return (n, classes) or (n, 1)."""
        x = np.ascontiguousarray(x)
        score = np.tile(self.base, (len(x), 1))
        no_sets, no_map = np.zeros((0, 8), dtype=X_BITSET_INNER_DTYPE), np.zeros(0, np.uint32)
        for place, tree in enumerate(self._native):
            score[:, place % len(self.base)] += tree.predict(x, no_sets, no_map, 1)
        if not self.classes:
            return score
        if len(self.base) == 1:
            second = 1.0 / (1.0 + np.exp(-score))
            share = np.hstack([1.0 - second, second])
        else:
            odds = np.exp(score - score.max(axis=1, keepdims=True))
            share = odds / odds.sum(axis=1, keepdims=True)
        return share @ self._spread if self._absent else share

    @property
    def _absent(self) -> bool:
        return len(self.present) < self.classes

    @property
    def _spread(self) -> Matrix:
        """Return (classes seen, classes): where each share goes."""
        return np.eye(self.classes)[self.present]

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return what `_restore` needs."""
        names = self.nodes.dtype.names or ()
        parts = {f"nodes.{name}": self.nodes[name] for name in names}
        return parts | {
            "roots": self.roots,
            "base": self.base,
            "present": self.present,
            "classes": np.array(self.classes),
        }

    def graph(self, graph: Graph, x: str) -> str:
        """Write the model; returns an (n, outputs) tensor."""
        trees, width = self.trees, len(self.base)
        leaf = np.flatnonzero(trees.feature < 0)
        tree_of = np.searchsorted(self.roots, leaf, side="right") - 1
        weights = trees.value[leaf, 0]
        first = tree_of < width  # every row reaches one leaf of the first tree
        weights[first] += self.base[tree_of[first]]
        score = graph.tree_sum(x, trees, weights, tree_of % width, width)
        if not self.classes:
            return score
        if width == 1:
            share = graph.two_classes(graph.add("Sigmoid", score))
        else:
            share = graph.add("Softmax", score, axis=1)
        if not self._absent:
            return share
        return graph.add("MatMul", share, graph.constant(self._spread))

    @property
    def trees(self) -> Trees:
        """Return the trees as flat arrays."""
        nodes = self.nodes
        stops = [*self.roots[1:], len(nodes)]
        shift = np.repeat(self.roots, np.diff([0, *stops]))
        leaf = nodes["is_leaf"] == 1
        return Trees(
            roots=self.roots,
            feature=np.where(leaf, -1, nodes["feature_idx"]),
            threshold=np.where(leaf, 0.0, nodes["num_threshold"]),
            left=np.where(leaf, -1, nodes["left"].astype(np.int64) + shift),
            right=np.where(leaf, -1, nodes["right"].astype(np.int64) + shift),
            missing_left=np.where(leaf, 0, nodes["missing_go_to_left"]),
            value=np.where(leaf, nodes["value"], 0.0)[:, None],
        )


def fit_histogram(job: Job) -> tuple[Core, int]:
    """Boost at most `job.rounds` rounds; returns the model and how many were kept.

    The parameters are scikit-learn's, and `rounds` at most. With `job.valid`, the rounds after the
    best validation loss are dropped.
    """
    present = np.unique(job.y) if job.classes else np.zeros(0, np.int64)
    if len(present) == 1:
        return fit_constant(job.y, job.classes, job.weight), 1
    params = dict(job.params)
    limit = params.pop("rounds")
    kind = HistGradientBoostingClassifier if job.classes else HistGradientBoostingRegressor
    checks = _checks(job, present)
    model = kind(
        max_iter=job.rounds or limit,
        early_stopping=bool(checks),
        n_iter_no_change=patience(params.get("learning_rate", 0.1)),
        tol=0.0,
        monotonic_cst=list(job.limits.monotone) if any(job.limits.monotone) else None,
        interaction_cst=[list(group) for group in job.limits.groups] or None,
        random_state=job.seed,
        **params,
    )
    with threadpool_limits(job.threads):
        model.fit(job.x, job.y, sample_weight=job.weight, **checks)
    kept = model.n_iter_
    if checks:  # the first score is that before any round
        kept = max(1, int(np.argmax(model.validation_score_)))
    trees = [tree.nodes for each in model._predictors[:kept] for tree in each]
    counts = [len(nodes) for nodes in trees]
    roots = np.concatenate([[0], np.cumsum(counts)[:-1]]).astype(np.int64)
    base = np.asarray(model._baseline_prediction, dtype=np.float64).ravel()
    return Histogram(np.concatenate(trees), roots, base, present, job.classes), kept


def _checks(job: Job, present: NDArray[Any]) -> dict[str, Any]:
    """Return the validation rows, without those of classes that no training row has."""
    if job.valid is None:
        return {}
    x, y, weight = job.valid
    known = np.isin(y, present) if job.classes else np.ones(len(y), np.bool_)
    if not known.any():
        return {}
    kept = None if weight is None else weight[known]
    return {"X_val": x[known], "y_val": y[known], "sample_weight_val": kept}


def _restore(arrays: dict[str, NDArray[Any]]) -> Histogram:
    nodes = np.zeros(len(arrays["nodes.value"]), dtype=PREDICTOR_RECORD_DTYPE)
    for name in PREDICTOR_RECORD_DTYPE.names:
        nodes[name] = arrays[f"nodes.{name}"]
    classes = int(arrays["classes"])
    return Histogram(nodes, arrays["roots"], arrays["base"], arrays["present"], classes)


HISTOGRAM = Kind(fit=fit_histogram, restore=_restore)
