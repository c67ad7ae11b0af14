"""Random forests, extremely randomised trees, and the single small tree of a baseline."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
from sklearn.tree._tree import NODE_DTYPE, Tree

from assay.tasks.tabular.engine.graph import Graph
from assay.tasks.tabular.engine.trees import Trees
from assay.tasks.tabular.models.kind import Job, Kind, Matrix


@dataclass(frozen=True)
class Forest:
    """The mean of trees, computed by scikit-learn's own code on 32-bit features."""

    trees: Trees
    columns: int
    classes: bool
    view: ClassVar[str] = "tree"

    @cached_property
    def _native(self) -> list[Any]:
        stops = [*self.trees.roots[1:], len(self.trees.feature)]
        pairs = zip(self.trees.roots, stops, strict=True)
        return [_to_sklearn(self.trees, start, stop, self.columns) for start, stop in pairs]

    def predict(self, x: Matrix) -> Matrix:
        """Return (n, outputs)."""
        narrow = np.ascontiguousarray(x, dtype=np.float32)
        total = np.zeros((len(x), self.trees.value.shape[1]))
        for tree in self._native:
            total += tree.predict(narrow)
        return total / len(self._native)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return what `restore_forest` needs."""
        parts = {f.name: getattr(self.trees, f.name) for f in fields(Trees)}
        return parts | {"columns": np.array(self.columns), "classes": np.array(self.classes)}

    def graph(self, graph: Graph, x: str) -> str:
        """Write the model; returns an (n, outputs) tensor."""
        trees = self.trees
        narrow = graph.cast(graph.cast(x, TensorProto.FLOAT), TensorProto.DOUBLE)
        leaf = trees.feature < 0
        value = trees.value[leaf]
        count = len(trees.roots)
        if value.shape[1] <= 2:
            weights = value[:, -1] / count
            mean = graph.tree_sum(narrow, trees, weights, np.zeros(len(value)), 1)
            return graph.two_classes(mean) if self.classes else mean
        # A leaf holds one number in ONNX: let it be the leaf's row in a table of probabilities.
        tree_of = np.searchsorted(trees.roots, np.flatnonzero(leaf), side="right") - 1
        found = graph.tree_sum(narrow, trees, np.arange(len(value)), tree_of, count)
        table = graph.constant(value)
        each = graph.add("Gather", table, graph.cast(found, TensorProto.INT64), axis=0)
        axis = graph.constant(np.array([1], dtype=np.int64))
        return graph.add("ReduceMean", each, axis, keepdims=0)


def fit_forest(job: Job) -> Forest:
    """Fit a forest; `job.params` has extra (bool), trees, leaf and features, and may have more.

    `leaves` at most grow on a tree, the best first. A table of more than `rows` rows gives each
    tree a random sample of so many. A leaf's shares of the classes count `smooth` more rows of the
    whole table's shares, so that no class is impossible (Provost and Domingos 2003, Machine
    Learning 52).
    """
    params, y = job.params, job.y
    if params["extra"]:
        kind = ExtraTreesClassifier if job.classes else ExtraTreesRegressor
    else:
        kind = RandomForestClassifier if job.classes else RandomForestRegressor
    most = params.get("rows", len(y))
    sampled = len(y) > most
    model = kind(
        n_estimators=params["trees"],
        min_samples_leaf=params["leaf"],
        max_leaf_nodes=params.get("leaves"),
        max_features=params["features"],
        bootstrap=sampled or not params["extra"],
        max_samples=most if sampled else None,
        random_state=job.seed,
        n_jobs=job.threads,
    )
    model.fit(job.x, y, sample_weight=job.weight)
    trees = [tree.tree_ for tree in model.estimators_]
    forest = _from_sklearn(trees, y, job.classes, job.x.shape[1])
    if job.classes and params.get("smooth"):
        return _smoothed(forest, trees, job, params["smooth"])
    return forest


def _smoothed(forest: Forest, trees: list[Any], job: Job, smooth: float) -> Forest:
    usual = 1.0 if job.weight is None else float(job.weight.mean())
    rows = np.concatenate([tree.weighted_n_node_samples for tree in trees])[:, None] / usual
    shares = np.bincount(job.y, job.weight, minlength=job.classes) / (usual * len(job.y))
    value = (forest.trees.value * rows + smooth * shares) / (rows + smooth)
    leaf = forest.trees.feature < 0
    return replace(forest, trees=replace(forest.trees, value=np.where(leaf[:, None], value, 0.0)))


def fit_small_tree(
    x: Matrix,
    y: NDArray[Any],
    classes: int,
    leaves: int,
    leaf: int,
    weight: NDArray[np.float64] | None = None,
) -> Forest:
    """Fit one tree with few leaves."""
    kind = DecisionTreeClassifier if classes else DecisionTreeRegressor
    model = kind(max_leaf_nodes=leaves, min_samples_leaf=leaf, random_state=0)
    model.fit(x, y, sample_weight=weight)
    return _from_sklearn([model.tree_], y, classes, x.shape[1])


def restore_forest(arrays: dict[str, NDArray[Any]]) -> Forest:
    """Rebuild a forest from its arrays."""
    trees = Trees(**{f.name: arrays[f.name] for f in fields(Trees) if f.name in arrays})
    return Forest(trees, int(arrays["columns"]), bool(arrays["classes"]))


def _from_sklearn(natives: list[Any], y: NDArray[Any], classes: int, columns: int) -> Forest:
    counts = [tree.node_count for tree in natives]
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]]).astype(np.int64)
    shift = np.repeat(starts, counts)

    def joined(name: str) -> NDArray[Any]:
        return np.concatenate([getattr(tree, name) for tree in natives])

    feature = joined("feature")
    leaf = joined("children_left") < 0
    found = joined("value")[:, 0, :]
    value = found
    if classes:  # a fold may lack a class
        value = np.zeros((len(found), classes))
        value[:, np.unique(y)] = found
    trees = Trees(
        roots=starts,
        feature=np.where(leaf, -1, feature).astype(np.int32),
        threshold=np.where(leaf, 0.0, joined("threshold")),
        left=np.where(leaf, -1, joined("children_left") + shift).astype(np.int32),
        right=np.where(leaf, -1, joined("children_right") + shift).astype(np.int32),
        missing_left=np.where(leaf, 0, joined("missing_go_to_left")).astype(np.uint8),
        value=np.where(leaf[:, None], value, 0.0),
    )
    return Forest(trees, columns, bool(classes))


def _to_sklearn(trees: Trees, start: int, stop: int, columns: int) -> Any:
    """Rebuild one tree in scikit-learn's own structure, so that its code predicts."""
    part = slice(start, stop)
    leaf = trees.feature[part] < 0
    nodes = np.zeros(stop - start, dtype=NODE_DTYPE)
    nodes["left_child"] = np.where(leaf, -1, trees.left[part] - start)
    nodes["right_child"] = np.where(leaf, -1, trees.right[part] - start)
    nodes["feature"] = np.where(leaf, -2, trees.feature[part])
    nodes["threshold"] = np.where(leaf, -2.0, trees.threshold[part])
    nodes["missing_go_to_left"] = trees.missing_left[part]
    outputs = trees.value.shape[1]
    tree = Tree(columns, np.array([outputs], dtype=np.intp), 1)
    values = np.ascontiguousarray(trees.value[part][:, None, :])
    tree.__setstate__({"max_depth": 0, "node_count": len(nodes), "nodes": nodes, "values": values})
    return tree


def _forest(job: Job) -> tuple[Forest, None]:
    return fit_forest(job), None


FOREST = Kind(fit=_forest, restore=restore_forest)
