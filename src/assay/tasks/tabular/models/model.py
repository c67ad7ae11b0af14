"""Candidates fitted: an encoder and a core, the same in training, restored, and exported."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
import scipy.sparse

from assay.kernel.family import Predictions, Rows
from assay.records.base import from_json, to_json
from assay.records.fitted import Candidate
from assay.records.snapshot import Problem
from assay.tasks.tabular.encode.encoder import Encoder, fit_encoder
from assay.tasks.tabular.models.bent import fit_bend
from assay.tasks.tabular.models.kind import WIDE, Core, Job, Matrix, kind_of, sources_of
from assay.tasks.tabular.models.prepare import codes_of, limits_of, sampled, targeted
from assay.tasks.tabular.models.smooth import steady_sums

CHUNK = 4096
"""Rows that are encoded and predicted at a time."""
DENSE_CELLS = 30_000_000
"""Cells from which a matrix of mostly zeros is kept sparse: 240 MB."""


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
        with steady_sums():
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
    core = kind_of(kind).restore(arrays)
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
    """Fit the encoder and the core on `train`; `valid` only stops early.

    The rows' weights reach the core alone: what an encoder learns is about the rows as they are.
    """
    kind, params = kind_of(candidate.kind), dict(candidate.params)
    classes = len(problem.classes)
    bend = fit_bend(params.pop("target", ""), train.truth)
    categories = params.pop("categories", "codes")
    encoder = fit_encoder(train.frame, problem.features, params.pop("text", ()))
    view = kind.view(params)

    if kind.cells is not None:
        most = kind.cells // min(WIDE, max(1, getattr(encoder, f"{view}_width")))
        train = sampled(train, most, seed)
        valid = None if valid is None else sampled(valid, most // 4, seed)

    def encoded(rows: Rows) -> Any:
        if kind.sparse:
            return sparse_or_dense(encoder, view, rows.frame)
        return getattr(encoder, view)(rows.frame)

    if categories == "target":
        encoder, x = targeted(encoder, train.frame, bend(train.truth), classes, seed)
    else:
        x = encoded(train)
    sources = sources_of(encoder, view)
    job = Job(
        x=x,
        y=bend(train.truth),
        classes=classes,
        params=params,
        seed=seed,
        threads=threads,
        weight=train.weight,
        valid=None if valid is None else (encoded(valid), bend(valid.truth), valid.weight),
        rounds=rounds,
        sources=sources,
        codes=codes_of(encoder, sources) if categories == "native" else np.zeros(0, np.bool_),
        limits=limits_of(problem, sources),
    )
    with steady_sums():
        core, kept = kind.fit(job)
        core = bend.unbent(core, job)
    return TabularModel(candidate, kept, encoder, core, problem.classes)


def sparse_or_dense(
    encoder: Encoder, view: str, frame: pl.DataFrame
) -> Matrix | scipy.sparse.csr_matrix:
    """Return a view, sparse when it is wide or large and mostly zeros, to save memory."""
    encode, width = getattr(encoder, view), getattr(encoder, f"{view}_width")
    if width < WIDE:
        head = encode(frame.head(CHUNK))
        if width * frame.height < DENSE_CELLS or 2 * np.count_nonzero(head) > head.size:
            whole: Matrix = encode(frame)
            return whole
    starts = range(0, frame.height, CHUNK)
    chunks = [scipy.sparse.csr_matrix(encode(frame.slice(s, CHUNK))) for s in starts]
    return scipy.sparse.vstack(chunks, format="csr")
