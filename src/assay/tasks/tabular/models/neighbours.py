"""The mean of the nearest rows, the nearer the heavier."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto

from assay.tasks.tabular.engine.graph import Graph
from assay.tasks.tabular.models.kind import Job, Kind, Matrix
from assay.tasks.tabular.models.smooth import squared_distances, write_distances

CELLS = 150_000
"""Cells of the rows that are kept: 300 KB."""
BEYOND = 1.25
"""How far the neighbourhood reaches, in squared distances of the last row that is asked for."""
TOUCHING = 1e-3
"""Squared distance added to the reach, so that rows alike share the weight."""
PRIOR = 0.5
"""Rows' worth of the mean answer that is mixed in, so that no class is ever impossible."""


@dataclass(frozen=True)
class Neighbours:
    """Rows weigh ``1 - d² / reach``, and nothing beyond (Epanechnikov's kernel).

    The reach depends on the distance of the `count`-th row alone and the weight falls to nothing
    there, so rows tied for the last place count alike, and the last bit of a distance for little.
    """

    rows: NDArray[np.float16]
    """(rows, columns)"""
    answers: NDArray[Any]
    """(rows, outputs), ones and zeros for classes"""
    mean: Matrix
    """(outputs,)"""
    count: int
    view: ClassVar[str] = "linear"

    def predict(self, x: Matrix) -> Matrix:
        """Return (n, outputs)."""
        apart = squared_distances(x, self.rows.astype(np.float64))
        last = np.partition(apart, self.count - 1, axis=1)[:, self.count - 1 : self.count]
        weight = np.maximum(1.0 - apart / (last * BEYOND + TOUCHING), 0.0)
        total = weight @ self.answers.astype(np.float64) + PRIOR * self.mean
        found: Matrix = total / (weight.sum(axis=1, keepdims=True) + PRIOR)
        return found

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return what `restore_neighbours` needs."""
        return {
            "rows": self.rows,
            "answers": self.answers,
            "mean": self.mean,
            "count": np.array(self.count),
        }

    def graph(self, graph: Graph, x: str) -> str:
        """Write the model; returns an (n, outputs) tensor."""
        apart = write_distances(graph, x, self.rows)
        last_one = graph.constant(np.array([self.count - 1]))
        last = graph.add("Gather", graph.smallest(apart, self.count), last_one, axis=1)
        reach = graph.add("Mul", last, graph.constant(np.array(BEYOND)))
        reach = graph.add("Add", reach, graph.constant(np.array(TOUCHING)))
        share = graph.add("Div", apart, reach)
        weight = graph.add("Relu", graph.add("Sub", graph.constant(np.array(1.0)), share))
        answers = graph.cast(graph.constant(self.answers), TensorProto.DOUBLE)
        total = graph.add("MatMul", weight, answers)
        total = graph.add("Add", total, graph.constant(PRIOR * self.mean))
        axis = graph.constant(np.array([1], dtype=np.int64))
        rows = graph.add("ReduceSum", weight, axis, keepdims=1)
        return graph.add("Div", total, graph.add("Add", rows, graph.constant(np.array(PRIOR))))


def fit_neighbours(job: Job) -> tuple[Neighbours, None]:
    """Keep rows, at most `rows` of them; `params` has `rows` and `count`.

    A row that is kept answers with itself. With weights, heavy rows are kept before light ones.
    """
    x, classes = job.x, job.classes
    most = max(1, min(job.params["rows"], len(x), CELLS // max(1, x.shape[1])))
    luck = np.random.default_rng(job.seed).random(len(x))
    if job.weight is not None:  # a weighted sample (Efraimidis and Spirakis 2006)
        luck = -np.log(luck) / np.maximum(job.weight, 1e-300)
    kept = np.sort(np.argsort(luck, kind="stable")[:most])
    full = np.eye(classes)[job.y] if classes else job.y[:, None]
    mean = np.average(full, axis=0, weights=job.weight)
    answers = full[kept].astype(np.uint8 if classes else np.float64)
    rows = x[kept].astype(np.float16)
    return Neighbours(rows, answers, mean, min(job.params["count"], most)), None


def restore_neighbours(arrays: dict[str, NDArray[Any]]) -> Neighbours:
    """Rebuild neighbours from their arrays."""
    rows, answers, mean = (arrays[name] for name in ("rows", "answers", "mean"))
    return Neighbours(rows, answers, mean, int(arrays["count"]))


NEIGHBOURS = Kind(fit=fit_neighbours, restore=restore_neighbours, view=lambda _: "linear")
