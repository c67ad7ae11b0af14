"""What the smooth models share: scores to shares, rows enough, and classes that are not there."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto
from threadpoolctl import ThreadpoolController, threadpool_limits

from assay.tasks.tabular.engine.graph import Graph
from assay.tasks.tabular.models.kind import Matrix

ABSENT = -1e9
"""The score of a class that training did not see."""


def softmax(score: NDArray[Any]) -> NDArray[Any]:
    """Turn (n, classes) scores into shares that sum to 1, in the precision of the scores."""
    odds = np.exp(score - score.max(axis=1, keepdims=True))
    share: NDArray[Any] = odds / odds.sum(axis=1, keepdims=True)
    return share


def for_all_classes(
    weights: NDArray[Any], bias: NDArray[Any], present: NDArray[np.int64], classes: int
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Widen (columns, present) weights and their bias to all classes, the absent ones hopeless."""
    every = np.zeros((len(weights), classes), weights.dtype)
    every[:, present] = weights
    bases = np.full(classes, ABSENT, bias.dtype)
    bases[present] = bias
    return every, bases


def squared_distances(x: Matrix, points: Matrix) -> Matrix:
    """Return the (n, points) squared Euclidean distances, by one product of matrices."""
    cross = x @ (-2.0 * points.T) + (points * points).sum(axis=1)
    found: Matrix = np.maximum(cross + (x * x).sum(axis=1, keepdims=True), 0.0)
    return found


def write_distances(graph: Graph, x: str, points: NDArray[np.float16]) -> str:
    """Write `squared_distances` to points that are kept in 16 bits."""
    doubles = points.astype(np.float64)
    stored = graph.cast(graph.constant(np.float16(-2.0) * points.T), TensorProto.DOUBLE)
    cross = graph.add("MatMul", x, stored)
    cross = graph.add("Add", cross, graph.constant((doubles * doubles).sum(axis=1)))
    axis = graph.constant(np.array([1], dtype=np.int64))
    length = graph.add("ReduceSum", graph.add("Mul", x, x), axis, keepdims=1)
    return graph.add("Relu", graph.add("Add", cross, length))


def one_thread() -> Any:
    """Keep sums of products in one order: the same model whatever the machine has to spare."""
    return threadpool_limits(1)


def steady_sums() -> Any:
    """Do as `one_thread` for numpy alone, in microseconds: its library is looked for once."""
    return _libraries().limit(limits=1, user_api="blas")


@cache
def _libraries() -> ThreadpoolController:
    return ThreadpoolController()
