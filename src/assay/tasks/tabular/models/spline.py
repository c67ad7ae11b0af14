"""A linear model of the spline view, with products of the pairs of columns that promise most."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from assay.tasks.tabular.engine.graph import Graph
from assay.tasks.tabular.models.kind import Job, Kind, Limits, Matrix
from assay.tasks.tabular.models.linear import Constant, Linear, fit_linear
from assay.tasks.tabular.models.smooth import softmax

CELLS = 15_000_000
"""Cells from which the rows are sampled: a step of Newton's method costs rows x columns²."""
DENSE = 30_000_000
"""Cells up to which a sparse matrix is made dense."""
SCREENING_STEPS = 20
"""Steps of the model that is only there to show what is left to explain."""
STEPS = 100
"""Steps of the model itself, at most."""
SCREENED = 800
"""Columns up to which pairs are looked for."""


@dataclass(frozen=True)
class Spline:
    """``[x, x[left] * x[right]] @ weights + bias``, through a softmax for classes."""

    weights: Matrix
    """(columns + pairs, outputs)"""
    bias: Matrix
    """(outputs,)"""
    left: NDArray[np.int64]
    right: NDArray[np.int64]
    classes: bool
    view: ClassVar[str] = "spline"

    def predict(self, x: Matrix) -> Matrix:
        """Return (n, outputs)."""
        columns = x.shape[1]
        score: Matrix = x @ self.weights[:columns] + self.bias
        if len(self.left):
            score += _products(x, self.left, self.right) @ self.weights[columns:]
        return softmax(score) if self.classes else score

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return what `restore_spline` needs."""
        return {
            "weights": self.weights,
            "bias": self.bias,
            "left": self.left,
            "right": self.right,
            "classes": np.array(self.classes),
        }

    def graph(self, graph: Graph, x: str) -> str:
        """Write the model; returns an (n, outputs) tensor."""
        columns = len(self.weights) - len(self.left)
        score = graph.add("MatMul", x, graph.constant(self.weights[:columns]))
        score = graph.add("Add", score, graph.constant(self.bias))
        if len(self.left):
            left = graph.add("Gather", x, graph.constant(self.left), axis=1)
            right = graph.add("Gather", x, graph.constant(self.right), axis=1)
            weights = graph.constant(self.weights[columns:])
            products = graph.add("MatMul", graph.add("Mul", left, right), weights)
            score = graph.add("Add", score, products)
        return graph.add("Softmax", score, axis=1) if self.classes else score


def _products(x: Any, left: NDArray[np.int64], right: NDArray[np.int64]) -> Matrix:
    """Return the (n, pairs) products of columns of a dense or sparse matrix."""
    pair = (x[:, left], x[:, right])
    first, second = (part.toarray() if scipy.sparse.issparse(part) else part for part in pair)
    found: Matrix = first * second
    return found


def fit_spline(job: Job) -> tuple[Spline | Constant, None]:
    """Fit without products, and once more with the `pairs` that explain most of what is left.

    `params` has `strength`, as for a linear model, and `pairs`, which may be 0.
    """
    x, strength = job.x, job.params["strength"]
    if scipy.sparse.issparse(x) and x.shape[0] * x.shape[1] <= DENSE:
        x = x.toarray()
    wanted = 0 if scipy.sparse.issparse(x) or x.shape[1] > SCREENED else job.params["pairs"]
    steps = SCREENING_STEPS if wanted else STEPS
    model = fit_linear(x, job.y, job.classes, strength, job.weight, steps)
    left = right = np.zeros(0, np.int64)
    if isinstance(model, Constant):
        return model, None
    if wanted:
        left, right = promising_pairs(x, _left_over(model, x, job), wanted, job.sources, job.limits)
        wide = np.hstack([x, _products(x, left, right)])
        found = fit_linear(wide, job.y, job.classes, strength, job.weight, STEPS)
        model = found if isinstance(found, Linear) else model
    return Spline(model.weights, model.bias, left, right, bool(job.classes)), None


def _left_over(model: Linear, x: Matrix, job: Job) -> Matrix:
    """Return what the model leaves to explain, (n, outputs), one output less for classes."""
    answers = model.predict(x)
    left = np.eye(job.classes)[job.y] - answers if job.classes else job.y[:, None] - answers
    if job.weight is not None:
        left = left * job.weight[:, None]
    return left[:, : max(1, job.classes - 1)]


def promising_pairs(
    x: Matrix, left_over: Matrix, most: int, sources: NDArray[np.int64], limits: Limits
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the pairs of columns of different features whose products explain most.

    The squared score statistic of each product: two products of matrices give it for all pairs.
    Pairs that `limits` keeps apart are left out.
    """
    squares, strength = x * x, np.zeros((x.shape[1], x.shape[1]))
    for output in left_over.T:
        each = output[:, None]
        with np.errstate(over="ignore"):
            total, spread = x.T @ (x * each), squares.T @ (squares * each**2)
        strength += total**2 / np.maximum(spread, 1e-300)
    allowed = sources[:, None] < sources[None, :]
    if limits.groups:
        together = np.zeros_like(allowed)
        for group in limits.groups:
            together[np.ix_(group, group)] = True
        allowed &= together
    strength = np.where(allowed, np.nan_to_num(strength), 0.0)
    order = np.argsort(-strength, axis=None, kind="stable")[:most]
    left, right = np.unravel_index(order[strength.ravel()[order] > 0.0], strength.shape)
    return left.astype(np.int64), right.astype(np.int64)


def restore_spline(arrays: dict[str, NDArray[Any]]) -> Spline:
    """Rebuild a model of the spline view from its arrays."""
    weights, bias, left, right = (arrays[n] for n in ("weights", "bias", "left", "right"))
    return Spline(weights, bias, left, right, bool(arrays["classes"]))


SPLINE = Kind(
    fit=fit_spline, restore=restore_spline, view=lambda _: "spline", sparse=True, cells=CELLS
)
