"""One fit of one candidate, in any process."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from assay.errors import AssayError
from assay.kernel.family import Rows
from assay.kernel.loader import load
from assay.kernel.plugins import load_family
from assay.lifecycle.search import desk
from assay.records.fitted import Candidate
from assay.records.snapshot import Problem

STOP_ON, MOST_STOPPING = 8, 20_000
"""One of so many rows, at most so many, is held back from a fit that stops early."""


@dataclass(frozen=True)
class Job:
    """What to fit: a candidate on a slot of a desk. `keep` asks for the fitted model's state."""

    candidate: Candidate
    desk: str
    label: str
    problem: Problem
    ordered: bool
    seed: int
    threads: int
    keep: bool = False


@dataclass(frozen=True)
class Answer:
    """The (n, k) or (n,) predictions of a slot's validation rows, or why there are none."""

    values: NDArray[np.float64] | None = None
    rounds: int | None = None
    seconds: float = 0.0
    rows: int = 0
    state: bytes = b""
    failed: str = ""


def fit_fold(job: Job) -> Answer:
    """Fit a candidate on a slot of a desk and predict the slot's validation rows."""
    train, valid = desk.take(job.desk, job.label)
    return fit_rows(
        job.candidate,
        job.problem,
        train,
        valid,
        ordered=job.ordered,
        seed=job.seed,
        threads=job.threads,
        keep=job.keep,
    )


def fit_rows(
    candidate: Candidate,
    problem: Problem,
    train: Rows,
    valid: Rows,
    *,
    ordered: bool,
    seed: int,
    threads: int,
    keep: bool = False,
) -> Answer:
    """Fit a candidate on `train` and predict `valid`.

    A library that fails on these rows gives a failed fit, not a failed search.
    """
    family = load_family(problem.family)
    if family.capabilities.trainer:
        load(family.capabilities.trainer)  # outside of the time that counts
    start = time.perf_counter()
    try:
        part, stop = held_back(train, ordered, seed) if candidate.stops_early else (train, None)
        model = family.fit(candidate, problem, part, stop, None, seed, threads)
        values = model.predict(valid.frame).values
        state = model.state() if keep else b""
    except AssayError:
        raise
    except Exception as error:  # noqa: BLE001 (whatever a library raises)
        failed = f"{type(error).__name__}: {error}"[:300]
        return Answer(seconds=time.perf_counter() - start, failed=failed)
    seconds = time.perf_counter() - start
    if not np.isfinite(values).all():
        return Answer(seconds=seconds, failed="a prediction is not a finite number")
    return Answer(values, model.rounds, seconds, train.frame.height, state)


def held_back(rows: Rows, ordered: bool, seed: int) -> tuple[Rows, Rows]:
    """Return rows to fit on and rows to stop on, so that no row stops a fit that it scores.

    The stopping rows are the last in an ordered table, else a random share of each class.
    """
    size = rows.truth.size
    step = max(STOP_ON, -(-size // MOST_STOPPING))
    order = np.arange(size)
    if ordered:
        back = order[-max(1, size // step) :]
    else:
        order = np.random.default_rng(seed).permutation(size)
        if rows.truth.dtype == np.int64:
            order = order[np.argsort(rows.truth[order], kind="stable")]
        back = order[step // 2 :: step]
    kept = np.ones(size, dtype=bool)
    kept[back] = False
    return desk.part(rows, np.flatnonzero(kept)), desk.part(rows, np.sort(back))
