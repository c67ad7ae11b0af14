"""Boosted trees that also see differences, products and ratios of the numbers that matter most.

A tree of single columns needs many splits for what one ratio says. AutoGluon's portfolio of
December 2025 (`portfolio/trees.py`) puts boosters on such columns among its first.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.tasks.tabular.engine.graph import Graph
from assay.tasks.tabular.models.boosting import Boosting, fit_boosting, restore_boosting
from assay.tasks.tabular.models.kind import Job, Kind, Limits, Matrix

ROWS = 20_000
"""Rows that the choice of columns is made on, at most."""
FEWEST_VALUES = 10
"""A column of fewer values is no number to reckon with."""
_QUICK = {"num_leaves": 16, "learning_rate": 0.1, "rounds": 60, "feature_fraction": 0.7}


@dataclass(frozen=True)
class Crossed:
    """Boosted trees on a view and, after it, on pairs of its columns."""

    core: Boosting
    left: NDArray[np.int64]
    right: NDArray[np.int64]

    @property
    def view(self) -> Any:
        """Return the view of the core."""
        return self.core.view

    def predict(self, x: Matrix) -> Matrix:
        """Return (n, outputs)."""
        return self.core.predict(_crossed(x, self.left, self.right))

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return what `_restore` needs."""
        return self.core.arrays() | {"left": self.left, "right": self.right}

    def graph(self, graph: Graph, x: str) -> str:
        """Write the model; returns an (n, outputs) tensor."""
        a, b = (
            graph.add("Gather", x, graph.constant(side), axis=1) for side in (self.left, self.right)
        )
        made = [graph.add(operator, a, b) for operator in ("Sub", "Mul", "Div")]
        return self.core.graph(graph, graph.join([x, *made]))


def _crossed(x: Matrix, left: NDArray[np.int64], right: NDArray[np.int64]) -> Matrix:
    """Return the view with differences, products and ratios; 0 / 0 is missing, as NaN is."""
    a, b = x[:, left], x[:, right]
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.hstack([x, a - b, a * b, a / b])


def fit_crossed(job: Job) -> tuple[Crossed | Boosting, int]:
    """Boost on the view and on pairs of the `pairs` most useful columns of numbers."""
    params = dict(job.params)
    numbers = _useful(job, params.pop("pairs"))
    job = dataclasses.replace(job, params=params, limits=Limits())
    left, right = np.triu_indices(len(numbers), 1)
    if not len(left):
        return fit_boosting(job)
    left, right = numbers[left], numbers[right]
    codes = np.zeros(job.x.shape[1] + 3 * len(left), np.bool_)
    codes[: len(job.codes)] = job.codes
    valid = job.valid and (_crossed(job.valid[0], left, right), *job.valid[1:])
    wide = dataclasses.replace(job, x=_crossed(job.x, left, right), codes=codes, valid=valid)
    core, kept = fit_boosting(wide)
    return Crossed(core, left, right), kept


def _useful(job: Job, most: int) -> NDArray[np.int64]:
    """Return the columns of numbers that a quick booster gains most from, in their order."""
    step = -(-len(job.x) // ROWS)
    x, y = job.x[::step], job.y[::step]
    weight = None if job.weight is None else job.weight[::step]
    quick = Job(x, y, job.classes, _QUICK, seed=job.seed, threads=job.threads, weight=weight)
    gain = np.array(fit_boosting(quick)[0].gain)
    for column in range(x.shape[1]):
        coded = len(job.codes) > 0 and job.codes[column]
        if coded or len(np.unique(x[:, column])) < FEWEST_VALUES:
            gain[column] = 0.0
    order = np.argsort(-gain, kind="stable")[:most]
    return np.sort(order[gain[order] > 0.0])


def _restore(arrays: dict[str, NDArray[Any]]) -> Crossed:
    return Crossed(restore_boosting(arrays), arrays["left"], arrays["right"])


CROSSED = Kind(fit=fit_crossed, restore=_restore)
