"""Models fitted on all training rows: by the executor's workers, and none of them twice."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from assay.kernel.family import Rows
from assay.kernel.loader import load
from assay.kernel.plugins import load_family
from assay.kernel.stage import Context, Note
from assay.lifecycle.material import Material
from assay.lifecycle.search import desk
from assay.lifecycle.search.plan import Slot
from assay.records.base import digest
from assay.records.fitted import Candidate, Member, Trial
from assay.records.snapshot import Problem

MORE_ROWS = 1.2
"""More iterations for a fit on all rows than early stopping chose on a part of them."""
BAG_STEP = 1_000
"""The seeds of the bags of one member lie so far apart."""


@dataclass(frozen=True)
class Part:
    """A model to fit on all training rows: a candidate, its iterations, and which bag it is.

    `state` is that of a model which the search kept, to be taken as it is.
    """

    candidate: Candidate
    rounds: int | None = None
    bag: int = 0
    state: str = ""

    @classmethod
    def of(cls, trial: Trial, bag: int = 0) -> Part:
        """Return the part that a trial asks for."""
        if trial.state and bag == 0:
            rounds = trial.rounds[0] if trial.rounds else None
            return cls(trial.candidate, rounds, bag, trial.state)
        return cls(trial.candidate, rounds_for_all(trial), bag)


@dataclass(frozen=True)
class Job:
    """A fit on the rows of a desk's slot, whose other rows `stops` it early where that is wanted.

    `asked` is the slot whose other rows it is asked about, "" for none.
    """

    candidate: Candidate
    problem: Problem
    desk: str
    label: str
    seed: int
    threads: int
    rounds: int | None = None
    stops: bool = False
    asked: str = ""


@dataclass(frozen=True)
class Done:
    """A fitted model's state, its iterations, its answers where it was asked, and its seconds."""

    state: bytes
    rounds: int | None
    values: NDArray[np.float64] | None
    seconds: float


@dataclass(frozen=True)
class Workshop:
    """Fits on training rows; `scope` is the digest of what decides a fit besides its part."""

    material: Material
    context: Context
    scope: str
    seed: int

    def fitted(
        self,
        parts: Sequence[Part],
        rows: Rows | None = None,
        places: NDArray[np.int64] | None = None,
    ) -> list[Member]:
        """Return each part's model, of weight 1; what an earlier run fitted is not fitted again.

        Instead of all training rows it may see those at `places` of `rows`, which `scope` has to
        tell apart.
        """
        keys = [self._key(part) for part in parts]
        every = dict(zip(keys, parts, strict=True))
        found = {key: self._known(part, key) for key, part in every.items()}
        missing = [key for key, member in found.items() if member is None]
        if missing:
            given = self.material.rows(self.material.train_index) if rows is None else rows
            seen = np.arange(given.frame.height) if places is None else places
            slot = Slot(-1, seen, seen[:0])
            with self.desk(given, [slot]) as name:
                jobs = [self.job(every[key], name, slot.label) for key in missing]
                for key, done in zip(missing, self.run(jobs), strict=True):
                    found[key] = self._keep(every[key], key, done)
        return [member for key in keys if (member := found[key]) is not None]

    def job(self, part: Part, name: str, label: str) -> Job:
        """Return the fit of a part on the slot `label` of the desk called `name`."""
        return Job(
            part.candidate,
            self.material.problem,
            name,
            label,
            self.seed + BAG_STEP * part.bag,
            self.context.executor.threads,
            part.rounds,
        )

    def run(self, jobs: Sequence[Job]) -> Iterator[Done]:
        """Yield what the workers fitted, in the order of the jobs."""
        calls = ((fit_job, (job,)) for job in jobs)
        for number, done in enumerate(self.context.executor.run(calls)):
            text = f"{jobs[number].candidate.name} fitted"
            self.context.notify(Note("members", text, number + 1, len(jobs)))
            yield done

    @contextmanager
    def desk(self, rows: Rows, slots: Sequence[Slot]) -> Iterator[str]:
        """Lay rows out for the workers, and clear up in the end; gives the desk's name."""
        # a worker keeps a desk under its name: other rows need another
        mark = digest([self.scope, *(slot.label for slot in slots)])[:16]
        folder = self.context.folder / "scratch" / f"{self.context.run or 'run'}-{mark}"
        shared = self.context.executor.workers > 1
        name = desk.lay_out(folder, rows, list(slots), shared=shared)
        try:
            yield name
        finally:
            desk.clear(name)

    def _key(self, part: Part) -> str:
        return digest(
            {
                "member": self.scope,
                "candidate": part.candidate,
                "rounds": part.rounds,
                "seed": self.seed + BAG_STEP * part.bag,
                "kept": part.state,
            }
        )

    def _known(self, part: Part, key: str) -> Member | None:
        if part.state and self.context.store.has(part.state):
            return _member(part, part.state)
        return self.context.recall(key, Member)

    def _keep(self, part: Part, key: str, done: Done) -> Member:
        member = _member(part, self.context.store.put(done.state))
        subject = f"fit:{part.candidate.name}:all" + (f":{part.bag}" if part.bag else "")
        return self.context.remember(key, subject, member, (), seconds=round(done.seconds, 3))


def _member(part: Part, state: str) -> Member:
    return Member(candidate=part.candidate, weight=1.0, rounds=part.rounds, state=state)


def fit_job(job: Job) -> Done:
    """Fit one model, in any process."""
    family = load_family(job.problem.family)
    if family.capabilities.trainer:
        load(family.capabilities.trainer)  # outside of the time that counts
    start = time.perf_counter()
    train, stop = desk.take(job.desk, job.label)
    valid = stop if job.stops else None
    model = family.fit(job.candidate, job.problem, train, valid, job.rounds, job.seed, job.threads)
    values = None
    if job.asked:
        values = model.predict(desk.take(job.desk, job.asked)[1].frame).values
    return Done(model.state(), model.rounds, values, time.perf_counter() - start)


def rounds_for_all(trial: Trial) -> int | None:
    """Return the iterations for a fit on all training rows, None where that does not apply."""
    return max(1, round(float(np.mean(trial.rounds)) * MORE_ROWS)) if trial.rounds else None
