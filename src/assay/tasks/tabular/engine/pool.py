"""The pool of weighted members as ONNX nodes: `metrics.pool.pool`, in a few large ones."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from assay.metrics.pool import FLOOR
from assay.records.fitted import Pool
from assay.tasks.tabular.engine.graph import Graph

Parts = Sequence[tuple[str, float]]


def pooled(graph: Graph, how: Pool, parts: Parts, width: int) -> str:
    """Add the pool of the members' (n, width) answers, each with its weight; returns (n, width)."""
    linear = how.scale == "linear"
    if linear and not how.bias and len(parts) == 1 and parts[0][1] == 1.0:
        return parts[0][0]
    score = _few(graph, parts, width, linear) if width <= 2 else _many(graph, parts, width, linear)
    if how.bias:
        score = graph.add("Add", score, graph.constant(np.array([how.bias])))
    return score if linear else graph.add("Softmax", score, axis=1)


def _few(graph: Graph, parts: Parts, width: int, linear: bool) -> str:
    """Numbers and two classes: one product with the weights, (members * width, width)."""
    alone = [(graph.positives[name], weight) for name, weight in parts if name in graph.positives]
    others = [(name, weight) for name, weight in parts if name not in graph.positives]
    columns, weights = [name for name, _ in others], [np.eye(width) * w for _, w in others]
    if alone:  # all complements at once
        chance = graph.join([name for name, _ in alone])
        columns += [graph.add("Sub", graph.constant(np.ones((1, 1))), chance), chance]
        weights += [np.eye(1, 2, code) * w for code in (0, 1) for _, w in alone]
    every = graph.join(columns)
    return graph.add(
        "MatMul", every if linear else _log(graph, every), graph.constant(np.vstack(weights))
    )


def _many(graph: Graph, parts: Parts, width: int, linear: bool) -> str:
    """Many classes: the sum over members of (n, members, width)."""
    shape = graph.constant(np.array([-1, len(parts), width], dtype=np.int64))
    every = graph.add("Reshape", graph.join([name for name, _ in parts]), shape)
    weights = graph.constant(np.array([weight for _, weight in parts])[None, :, None])
    product = graph.add("Mul", every if linear else _log(graph, every), weights)
    axis = graph.constant(np.array([1], dtype=np.int64))
    return graph.add("ReduceSum", product, axis, keepdims=0)


def _log(graph: Graph, x: str) -> str:
    return graph.add("Log", graph.add("Max", x, graph.constant(np.array([[FLOOR]]))))
