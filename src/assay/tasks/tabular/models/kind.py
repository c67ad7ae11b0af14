"""What a kind of model is: it fits a job, and rebuilds what it fitted from plain arrays."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from assay.kernel.loader import load
from assay.tasks.tabular.encode.encoder import Encoder
from assay.tasks.tabular.engine.graph import Graph

Matrix = NDArray[np.float64]
Weight = NDArray[np.float64] | None
"""(n,) weights of the rows, None for all alike."""

KINDS: Mapping[str, str] = {
    "constant": "assay.tasks.tabular.models.linear:CONSTANT",
    "column": "assay.tasks.tabular.models.baseline:COLUMN",
    "linear": "assay.tasks.tabular.models.linear:LINEAR",
    "forest": "assay.tasks.tabular.models.forest:FOREST",
    "boosting": "assay.tasks.tabular.models.boosting:BOOSTING",
    "spline": "assay.tasks.tabular.models.spline:SPLINE",
    "network": "assay.tasks.tabular.models.network:NETWORK",
    "kernel": "assay.tasks.tabular.models.kernel:KERNEL",
    "neighbours": "assay.tasks.tabular.models.neighbours:NEIGHBOURS",
    "bayes": "assay.tasks.tabular.models.bayes:BAYES",
    "histogram": "assay.tasks.tabular.models.histogram:HISTOGRAM",
    "crossed": "assay.tasks.tabular.models.crossed:CROSSED",
    "bent": "assay.tasks.tabular.models.bent:BENT",
}
"""Every kind of model and where it is, loaded on first use: a fit imports its own library."""

WIDE = 400
"""From this many columns on, a matrix is fitted in sparse form."""

PATIENCE, DRIVE = (20, 100), 2.5
"""Rounds that boosting waits for a better loss, fewest and most; and times the learning rate."""


class Core(Protocol):
    """A fitted model behind the encoder.

    It is stored under the name of its class in lower case, which a kind must have too.
    """

    @property
    def view(self) -> Any:
        """Return which view of the rows it reads: a method of the encoder."""
        ...

    def predict(self, x: Matrix) -> Matrix:
        """Return (n, outputs)."""
        ...

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the core as plain arrays."""
        ...

    def graph(self, graph: Graph, x: str) -> str:
        """Write the core as ONNX nodes; returns an (n, outputs) tensor."""
        ...


@dataclass(frozen=True)
class Limits:
    """What the answer must keep to, in columns of the view.

    `monotone` has 1 for a column that the score of the second class, or the number, may only rise
    with, -1 for one it may only fall with, else 0. Columns that share no group of `groups` may not
    interact; no groups are no limit.
    """

    monotone: tuple[int, ...] = ()
    groups: tuple[tuple[int, ...], ...] = ()


@dataclass(frozen=True)
class Job:
    """What a kind is asked to fit: the encoded rows, their target, and how.

    `x` is the kind's own view, (n, columns), sparse only where the kind says it takes that. `y`
    is (n,) class codes, or numbers when `classes` is 0; a student's is (n, classes) probabilities.
    `valid` has rows, target and weights that only stop early; without it `rounds` says how many
    iterations to run (None: the kind's own). `sources` says which feature each column came from;
    `codes` marks columns of category codes.
    """

    x: Any
    y: NDArray[Any]
    classes: int
    params: Mapping[str, Any]
    seed: int = 0
    threads: int = 1
    weight: Weight = None
    valid: tuple[Any, NDArray[Any], Weight] | None = None
    rounds: int | None = None
    sources: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    codes: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, np.bool_))
    limits: Limits = Limits()


def _tree(params: Mapping[str, Any]) -> str:  # noqa: ARG001
    return "tree"


@dataclass(frozen=True)
class Kind:
    """A kind of model.

    `fit` returns the core and the iterations that were kept (None without any). `view` names the
    encoder's method that a candidate with these parameters reads; `sparse` says that a wide view
    may come as a sparse matrix. Rows that would make more than `cells` of the view are sampled; a
    wide view counts as one of `WIDE` columns.
    """

    fit: Callable[[Job], tuple[Core, int | None]]
    restore: Callable[[dict[str, NDArray[Any]]], Core]
    view: Callable[[Mapping[str, Any]], str] = _tree
    sparse: bool = False
    cells: int | None = None


def patience(rate: float) -> int:
    """Return how many rounds without a better loss a booster of this learning rate waits."""
    return round(min(max(DRIVE / rate, PATIENCE[0]), PATIENCE[1]))


def kind_of(name: str) -> Kind:
    """Return the kind called `name`; raises ValueError when there is none."""
    if name not in KINDS:
        raise ValueError(f"no kind of model called {name}")
    kind: Kind = load(KINDS[name])
    return kind


def sources_of(encoder: Encoder, view: str) -> NDArray[np.int64]:
    """Return, for each column of a view, the index of the feature it came from."""
    widths = [getattr(plan, f"{view}_width") for plan in encoder.plans]
    return np.repeat(np.arange(len(encoder.plans)), widths)
