"""Numbers with a long tail, fitted on a logarithmic scale and answered on their own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.tasks.tabular.engine.graph import Graph
from assay.tasks.tabular.models.kind import Core, Job, Kind, Matrix, kind_of

SPAN = 1e4
"""From the smallest number above 0 to the largest: within it, a logarithm needs no shift."""
ROOM = 0.1
"""How far an answer may go beyond the training targets, as a part of their range (of logs)."""
ROWS = 50_000
"""Rows that the factor of `log_mean` is learned from, at most."""
MOST = 2.0
"""The factor, and one over it, at most."""


@dataclass(frozen=True)
class Bend:
    """The scale of the target that a core is fitted on: ``log(y + shift)``, or as it is.

    With `mean`, the answers are scaled so that their mean over the training rows is the target's:
    the exponential of a mean logarithm lies below the mean (Duan 1983, JASA 78, smearing).
    """

    shift: float | None = None
    least: float = 0.0
    mean: bool = False

    def __call__(self, y: NDArray[Any]) -> NDArray[Any]:
        """Return the target on the core's scale."""
        return y if self.shift is None else np.log(np.maximum(y + self.shift, self.least))

    def unbent(self, core: Core, job: Job) -> Core:
        """Return a core that answers on the target's own scale; `job.y` is on the core's."""
        if self.shift is None:
            return core
        low, high = float(job.y.min()), float(job.y.max())
        room = ROOM * (high - low)
        bent = Bent(core, self.shift, 1.0, low - room, high + room)
        if not self.mean:
            return bent
        step = -(-len(job.y) // ROWS)
        weight = None if job.weight is None else job.weight[::step]
        reached = np.average(bent.predict(job.x[::step])[:, 0] + self.shift, weights=weight)
        factor = np.average(np.exp(job.y[::step]), weights=weight) / reached
        return Bent(core, self.shift, float(np.clip(factor, 1 / MOST, MOST)), bent.low, bent.high)


def fit_bend(way: str, y: NDArray[Any]) -> Bend:
    """Choose the shift: none for positive numbers of a moderate span.

    `way` is "log", "log_mean", or "" for the target as it is.
    """
    if not way:
        return Bend()
    least, middle = float(y.min()), float(np.median(y))
    if least > 0 and float(y.max()) < SPAN * least:
        return Bend(0.0, least, way == "log_mean")
    spread = (middle - least) or float(y.std()) or 1.0
    return Bend(spread / 10 - least, spread / 10, way == "log_mean")


@dataclass(frozen=True)
class Bent:
    """``factor * exp(clip(core, low, high)) - shift``."""

    core: Core
    shift: float
    factor: float
    low: float
    high: float

    @property
    def view(self) -> Any:
        """Return the view of the core."""
        return self.core.view

    def predict(self, x: Any) -> Matrix:
        """Return (n, 1)."""
        found: Matrix = np.exp(np.clip(self.core.predict(x), self.low, self.high))
        return found * self.factor - self.shift

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return what `_restore` needs."""
        own = np.array([self.shift, self.factor, self.low, self.high])
        kind = np.array(type(self.core).__name__.lower())
        inner = {f"core.{name}": value for name, value in self.core.arrays().items()}
        return {"own": own, "kind": kind, **inner}

    def graph(self, graph: Graph, x: str) -> str:
        """Write the model; returns an (n, 1) tensor."""
        low, high = (graph.constant(np.array(end)) for end in (self.low, self.high))
        bent = graph.add("Clip", self.core.graph(graph, x), low, high)
        factor, shift = (graph.constant(np.array([[v]])) for v in (self.factor, self.shift))
        return graph.add("Sub", graph.add("Mul", graph.add("Exp", bent), factor), shift)


def _restore(arrays: dict[str, NDArray[Any]]) -> Bent:
    inner = {n.removeprefix("core."): v for n, v in arrays.items() if n.startswith("core.")}
    shift, factor, low, high = arrays["own"].tolist()
    return Bent(kind_of(str(arrays["kind"])).restore(inner), shift, factor, low, high)


def _never(job: Job) -> tuple[Core, None]:  # noqa: ARG001
    raise ValueError("a bent core is made of another kind's")


BENT = Kind(fit=_never, restore=_restore)
