"""Constant and linear models on the linear view."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import scipy.sparse
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, Ridge

from assay.tasks.tabular.engine.graph import Graph
from assay.tasks.tabular.models.kind import Job, Kind, Matrix, Weight
from assay.tasks.tabular.models.smooth import for_all_classes, one_thread, softmax

NEWTON = 500
"""Weights up to which Newton's method is faster: few steps, but a matrix of all weights."""
STEPS = 200
"""Steps of a logistic regression, at most."""
CELLS = 40_000_000
"""Cells of a dense view from which the rows are sampled."""


@dataclass(frozen=True)
class Constant:
    """The same answer for every row: class shares, or the median."""

    values: Matrix
    """(outputs,)"""
    view: ClassVar[str] = "tree"

    def predict(self, x: Matrix) -> Matrix:
        """Return (n, outputs)."""
        return np.tile(self.values, (len(x), 1))

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return what `restore_constant` needs."""
        return {"values": self.values}

    def graph(self, graph: Graph, x: str) -> str:
        """Write the model; returns an (n, outputs) tensor."""
        rows = graph.add("Shape", x, start=0, end=1)
        one = graph.constant(np.ones(1, dtype=np.int64))
        shape = graph.add("Concat", rows, one, axis=0)
        return graph.add("Expand", graph.constant(self.values[None, :]), shape)


@dataclass(frozen=True)
class Linear:
    """``x @ weights + bias``, through a softmax for classes."""

    weights: Matrix
    """(columns, outputs)"""
    bias: Matrix
    """(outputs,)"""
    classes: bool
    view: ClassVar[str] = "linear"

    def predict(self, x: Matrix) -> Matrix:
        """Return (n, outputs)."""
        score: Matrix = x @ self.weights + self.bias
        return softmax(score) if self.classes else score

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return what `restore_linear` needs."""
        return {"weights": self.weights, "bias": self.bias, "classes": np.array(self.classes)}

    def graph(self, graph: Graph, x: str) -> str:
        """Write the model; returns an (n, outputs) tensor."""
        product = graph.add("MatMul", x, graph.constant(self.weights))
        score = graph.add("Add", product, graph.constant(self.bias))
        return graph.add("Softmax", score, axis=1) if self.classes else score


def fit_constant(y: NDArray[Any], classes: int, weight: Weight = None) -> Constant:
    """Return the class shares, or the median when `classes` is 0."""
    if classes:
        total = len(y) if weight is None else weight.sum()
        return Constant(np.bincount(y, weight, minlength=classes) / total)
    if weight is None:
        return Constant(np.array([np.median(y)]))
    order = np.argsort(y, kind="stable")
    reached = np.cumsum(weight[order])
    middle = [np.searchsorted(reached, reached[-1] / 2, side=side) for side in ("left", "right")]
    return Constant(np.array([y[order][np.minimum(middle, len(y) - 1)].mean()]))


def fit_linear(
    x: Matrix | scipy.sparse.csr_matrix,
    y: NDArray[Any],
    classes: int,
    strength: float,
    weight: Weight = None,
    steps: int = STEPS,
) -> Linear | Constant:
    """Fit a logistic regression with C = `strength`, or a ridge with alpha = 1 / `strength`.

    A regression of classes takes `steps` at most.
    """
    with one_thread():
        if classes:
            return _fit_classes(x, y, classes, strength, weight, steps)
        return _fit_number(x, y, strength, weight)


def _fit_number(
    x: Matrix | scipy.sparse.csr_matrix, y: NDArray[Any], strength: float, weight: Weight
) -> Linear:
    ridge = Ridge(alpha=1.0 / strength, solver="lsqr" if scipy.sparse.issparse(x) else "auto")
    ridge.fit(x, y, sample_weight=weight)
    return Linear(ridge.coef_.reshape(-1, 1), np.array([float(ridge.intercept_)]), classes=False)


def _fit_classes(
    x: Matrix | scipy.sparse.csr_matrix,
    y: NDArray[Any],
    classes: int,
    strength: float,
    weight: Weight,
    steps: int,
) -> Linear | Constant:
    present = np.unique(y)
    if len(present) == 1:
        return fit_constant(y, classes, weight)
    scores = len(present) if len(present) > 2 else 1
    few = not scipy.sparse.issparse(x) and x.shape[1] * scores <= NEWTON
    solver = "newton-cholesky" if few else "lbfgs"
    model = LogisticRegression(C=strength, solver=solver, max_iter=steps)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # a few steps short is good enough
        model.fit(x, y, sample_weight=weight)
    coefficients, intercepts = model.coef_, model.intercept_
    if len(present) == 2:  # one score against zero
        coefficients = np.vstack([np.zeros_like(coefficients), coefficients])
        intercepts = np.concatenate([[0.0], intercepts])
    weights, bias = for_all_classes(coefficients.T, intercepts, present, classes)
    return Linear(weights, bias, classes=True)


def restore_constant(arrays: dict[str, NDArray[Any]]) -> Constant:
    """Rebuild a constant from its arrays."""
    return Constant(arrays["values"])


def restore_linear(arrays: dict[str, NDArray[Any]]) -> Linear:
    """Rebuild a linear model from its arrays."""
    return Linear(arrays["weights"], arrays["bias"], bool(arrays["classes"]))


def _constant(job: Job) -> tuple[Constant, None]:
    return fit_constant(job.y, job.classes, job.weight), None


def _linear(job: Job) -> tuple[Linear | Constant, None]:
    strength = job.params["strength"]
    return fit_linear(job.x, job.y, job.classes, strength, job.weight), None


CONSTANT = Kind(fit=_constant, restore=restore_constant)
LINEAR = Kind(
    fit=_linear, restore=restore_linear, view=lambda _: "linear", sparse=True, cells=CELLS
)
