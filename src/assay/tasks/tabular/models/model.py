"""Candidates fitted: an encoder and a core, the same in training, restored, and exported."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import polars as pl
import scipy.sparse
from numpy.typing import NDArray

from assay.kernel.family import Predictions, Rows
from assay.records.base import from_json, to_json
from assay.records.fitted import Candidate
from assay.records.snapshot import Problem
from assay.tasks.tabular.encode.encoder import Encoder, fit_encoder
from assay.tasks.tabular.engine.graph import Graph
from assay.tasks.tabular.models.baseline import fit_column
from assay.tasks.tabular.models.boosting import fit_boosting, restore_boosting
from assay.tasks.tabular.models.forest import fit_forest, restore_forest
from assay.tasks.tabular.models.linear import (
    WIDE,
    fit_constant,
    fit_linear,
    restore_constant,
    restore_linear,
)

Matrix = NDArray[np.float64]

CHUNK = 4096
"""Rows that are encoded and predicted at a time."""
DENSE_CELLS = 30_000_000
"""Cells from which a matrix of mostly zeros is kept sparse: 240 MB."""


class Core(Protocol):
    """A fitted model behind the encoder."""

    @property
    def view(self) -> Any:
        """Return which view of the rows it reads: tree or linear."""
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


_RESTORE: dict[str, Callable[[dict[str, NDArray[Any]]], Core]] = {
    "constant": restore_constant,
    "linear": restore_linear,
    "forest": restore_forest,
    "boosting": restore_boosting,
}


@dataclass(frozen=True)
class TabularModel:
    """A candidate, fitted."""

    candidate: Candidate
    rounds: int | None
    encoder: Encoder
    core: Core
    classes: tuple[str, ...]

    def predict(self, frame: pl.DataFrame) -> Predictions:
        """Answer with the library that trained the core, a chunk of rows at a time."""
        encode = getattr(self.encoder, self.core.view)
        starts = range(0, max(1, frame.height), CHUNK)
        found = [self.core.predict(encode(frame.slice(start, CHUNK))) for start in starts]
        values = np.concatenate(found)
        return Predictions(values if self.classes else values[:, 0], self.classes)

    def state(self) -> bytes:
        """Return encoder and core as one npz without pickled objects."""
        kind = type(self.core).__name__.lower()
        parts = {f"core.{name}": value for name, value in self.core.arrays().items()}
        parts["kind"] = np.array(kind)
        parts["rounds"] = np.array(-1 if self.rounds is None else self.rounds)
        parts["encoder"] = np.frombuffer(to_json(self.encoder), dtype=np.uint8)
        buffer = io.BytesIO()
        np.savez_compressed(buffer, allow_pickle=False, **parts)
        return buffer.getvalue()


def restore(candidate: Candidate, problem: Problem, state: bytes) -> TabularModel:
    """Rebuild a model from `TabularModel.state`."""
    with np.load(io.BytesIO(state), allow_pickle=False) as parts:
        arrays = {n.removeprefix("core."): parts[n] for n in parts.files if n.startswith("core.")}
        kind, rounds = str(parts["kind"]), int(parts["rounds"])
        encoder = from_json(parts["encoder"].tobytes(), Encoder)
    core = _RESTORE[kind](arrays)
    return TabularModel(candidate, None if rounds < 0 else rounds, encoder, core, problem.classes)


def fit(
    candidate: Candidate,
    problem: Problem,
    train: Rows,
    valid: Rows | None,
    rounds: int | None,
    seed: int,
    threads: int,
) -> TabularModel:
    """Fit the encoder and the core on `train`; `valid` only stops boosting early.

    The rows' weights reach the core alone: what an encoder learns is about the rows as they are.
    """
    if train.target is None:
        raise ValueError("training rows need a target")
    params, classes = dict(candidate.params), len(problem.classes)
    encoder = fit_encoder(train.frame, problem.features, params.pop("text", ()))
    y, kept = train.target, None
    core: Core
    match candidate.kind:
        case "constant":
            core = fit_constant(y, classes, train.weight)
        case "column":
            x, sources = encoder.tree(train.frame), encoder.tree_sources
            core = fit_column(x, sources, y, classes, seed, train.weight)
        case "linear":
            wide = linear_matrix(encoder, train.frame)
            core = fit_linear(wide, y, classes, params["strength"], threads, train.weight)
        case "forest":
            x = encoder.tree(train.frame)
            core = fit_forest(x, y, classes, params, seed, threads, train.weight)
        case "boosting":
            limit = rounds or params["rounds"]
            del params["rounds"]
            pairs = [
                (encoder.tree(rows.frame), rows.target)
                for rows in (train, valid)
                if rows is not None and rows.target is not None
            ]
            check = pairs[1] if len(pairs) == 2 else None
            weights = train.weight, None if valid is None else valid.weight
            core, kept = fit_boosting(
                pairs[0], check, classes, params, limit, seed, threads, weights
            )
        case _:
            raise ValueError(f"no kind of model called {candidate.kind}")
    return TabularModel(candidate, kept, encoder, core, problem.classes)


def linear_matrix(encoder: Encoder, frame: pl.DataFrame) -> Matrix | scipy.sparse.csr_matrix:
    """Return the linear view, sparse when it is wide or large and mostly zeros, to save memory."""
    if encoder.linear_width < WIDE:
        head = encoder.linear(frame.head(CHUNK))
        small = encoder.linear_width * frame.height < DENSE_CELLS
        if small or 2 * np.count_nonzero(head) > head.size:
            return encoder.linear(frame)
    starts = range(0, frame.height, CHUNK)
    chunks = [scipy.sparse.csr_matrix(encoder.linear(frame.slice(s, CHUNK))) for s in starts]
    return scipy.sparse.vstack(chunks, format="csr")
