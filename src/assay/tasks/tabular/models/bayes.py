"""Naive Bayes: columns that are independent given the class.

Numbers are normal in each class, with a variance of their own; columns of ones and zeros count how
often they are one (Murphy 2012, "Machine learning", section 3.5). The score is linear in the
columns and their squares. It claims too much where columns repeat each other, so a logistic
regression of the classes on the logarithms of its shares mends them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from assay.tasks.tabular.engine.graph import Graph
from assay.tasks.tabular.models.kind import Job, Kind, Matrix
from assay.tasks.tabular.models.linear import Constant, fit_constant, fit_linear
from assay.tasks.tabular.models.smooth import one_thread, softmax

CELLS = 40_000_000
"""Cells from which the rows are sampled."""
LEAST = 1e-6
"""Shares below this are no evidence of being less likely still."""
SPREAD = 0.02
"""Variance added to every column, on the scale of standardised numbers."""


@dataclass(frozen=True)
class Bayes:
    """``softmax(log(share) @ mend + base)`` with ``share = softmax([x, x²] @ weights + bias)``."""

    weights: Matrix
    """(2 x columns, present classes)"""
    bias: Matrix
    """(present classes,)"""
    mend: Matrix
    """(present classes, classes)"""
    base: Matrix
    """(classes,)"""
    view: ClassVar[str] = "linear"

    def predict(self, x: Matrix) -> Matrix:
        """Return (n, classes)."""
        return softmax(_logarithms(x, self.weights, self.bias) @ self.mend + self.base)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return what `restore_bayes` needs."""
        names = ("weights", "bias", "mend", "base")
        return {name: getattr(self, name) for name in names}

    def graph(self, graph: Graph, x: str) -> str:
        """Write the model; returns an (n, classes) tensor."""
        columns = len(self.weights) // 2
        first = graph.add("MatMul", x, graph.constant(self.weights[:columns]))
        squares = graph.add("Mul", x, x)
        second = graph.add("MatMul", squares, graph.constant(self.weights[columns:]))
        score = graph.add("Add", graph.add("Add", first, second), graph.constant(self.bias))
        share = graph.add("Softmax", score, axis=1)
        known = graph.add("Log", graph.add("Max", share, graph.constant(np.array(LEAST))))
        mended = graph.add("MatMul", known, graph.constant(self.mend))
        return graph.add("Softmax", graph.add("Add", mended, graph.constant(self.base)), axis=1)


def _logarithms(x: Matrix, weights: Matrix, bias: Matrix) -> Matrix:
    """Return the (n, present) logarithms of the shares, from `LEAST` on."""
    columns = x.shape[1]
    score = x @ weights[:columns] + (x * x) @ weights[columns:] + bias
    found: Matrix = np.log(np.maximum(softmax(score), LEAST))
    return found


def fit_bayes(job: Job) -> tuple[Bayes | Constant, None]:
    """Fit to classes; `params` has `smoothing`, the rows' worth of every level in every class."""
    present = np.unique(job.y)
    if len(present) == 1:
        return fit_constant(job.y, job.classes, job.weight), None
    with one_thread():
        member = (job.y[:, None] == present).astype(np.float64)
        if job.weight is not None:
            member *= job.weight[:, None]
        weights, bias = _scores(job.x, member, job.params["smoothing"])
        known = _logarithms(job.x, weights, bias)
        mended = fit_linear(known, job.y, job.classes, 1.0, job.weight)
    if isinstance(mended, Constant):
        return mended, None
    return Bayes(weights, bias, mended.weights, mended.bias), None


def _scores(x: Matrix, member: Matrix, smoothing: float) -> tuple[Matrix, Matrix]:
    """Return the (2 x columns, present) weights and the bias; `member` is (n, present)."""
    rows = np.maximum(member.sum(axis=0), 1e-9)
    share = np.log(rows / rows.sum())
    total = x.T @ member
    hot = ((x == 0.0) | (x == 1.0)).all(axis=0)[:, None]
    often = np.log((np.maximum(total, 0.0) + smoothing) / (rows + 2 * smoothing))
    mean = total / rows
    spread = np.maximum((x * x).T @ member / rows - mean**2, 0.0) + SPREAD
    usual = -0.5 * (np.log(spread) + mean**2 / spread)
    weights = np.vstack([np.where(hot, often, mean / spread), np.where(hot, 0.0, -0.5 / spread)])
    bias: Matrix = share + np.where(hot, 0.0, usual).sum(axis=0)
    return weights, bias


def restore_bayes(arrays: dict[str, NDArray[Any]]) -> Bayes:
    """Rebuild naive Bayes from its arrays."""
    weights, bias, mend, base = (arrays[n] for n in ("weights", "bias", "mend", "base"))
    return Bayes(weights, bias, mend, base)


BAYES = Kind(fit=fit_bayes, restore=restore_bayes, view=lambda _: "linear", cells=CELLS)
