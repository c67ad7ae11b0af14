"""One small model that is taught an ensemble's answers, so that it serves as fast as one.

Source: Buciluă, Caruana and Niculescu-Mizil 2006, KDD, "Model compression".

It learns the ensemble's answers out of fold. These cannot score it: the models that made them have
seen the rows that it would be asked about. So for scoring, teachers are fitted again without a
fold's rows, each on some of the rest, and answer the others for the student to learn from.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from assay.kernel.family import Predictions, Rows
from assay.lifecycle.material import Material, write_array
from assay.lifecycle.search.fold import held_back
from assay.lifecycle.search.plan import Slot
from assay.lifecycle.workshop import Done, Job, Part, Workshop
from assay.metrics import get
from assay.metrics.pool import pool
from assay.metrics.weighted import Floats
from assay.records.base import digest, digest_of
from assay.records.fitted import Candidate, Member, Pool, Trial

EXAMS = 2
"""Folds in which a student is scored."""
TEACHERS = 3
"""Parts of a fold's training rows, each answered by teachers who learnt from the others."""
FEWEST_ROWS = 50
"""With fewer rows to learn from, or to be scored on, a student says nothing."""

Places = NDArray[np.int64]


@dataclass(frozen=True)
class Ensemble:
    """What teaches: the trials of the members, their weights and pool, its answers out of fold.

    `answers` (n, k) or (n,) are to all training rows, NaN where there are none.
    """

    trials: Mapping[str, Trial]
    weights: Mapping[str, float]
    pool: Pool
    answers: Floats

    def known(self) -> NDArray[np.bool_]:
        """Return which rows have an answer."""
        return known(self.answers)


@dataclass(frozen=True)
class Taught:
    """A student's trial, and its model of all rows.

    `trial.score` and `trial.predictions` are of the folds in which it was scored.
    """

    trial: Trial
    member: Member


def known(values: Floats) -> NDArray[np.bool_]:
    """Return which rows of (n, k) or (n,) values have one."""
    return np.asarray(np.isfinite(values.reshape(len(values), -1)).all(axis=1))


def teach(workshop: Workshop, candidate: Candidate, ensemble: Ensemble) -> Taught | None:
    """Return the candidate taught by the ensemble; None where rows are too few or a fit fails."""
    parts = [candidate, dict(ensemble.weights), digest_of(ensemble.answers.tobytes())]
    school = replace(workshop, scope=digest([workshop.scope, "taught", *parts]))
    rows = school.material.rows(school.material.train_index)
    places = np.flatnonzero(ensemble.known())
    try:
        trial = _trial(school, candidate, ensemble, rows)
        if trial is None:
            return None
        soft = Rows(rows.frame, ensemble.answers, rows.weight)
        (member,) = school.fitted([Part.of(trial)], soft, places)
    except Exception:  # noqa: BLE001 (whatever a library raises: the ensemble serves without it)
        return None
    return Taught(trial, member)


def _trial(school: Workshop, candidate: Candidate, ensemble: Ensemble, rows: Rows) -> Trial | None:
    key = digest({"student": school.scope, "seed": school.seed})
    done = school.context.recall(key, Trial)
    if done is not None and school.context.store.has(done.predictions):
        return done
    exams = exams_of(school.material, ensemble.known())
    if not exams:
        return None
    answers = np.full(ensemble.answers.shape, np.nan)
    found = [_sit(school, candidate, ensemble, rows, *exam) for exam in exams]
    for (_, valid), one in zip(exams, found, strict=True):
        answers[valid] = one.values
    trial = _scored(school, candidate, answers, found)
    return school.context.remember(key, f"fit:{candidate.name}:folds", trial)


def exams_of(material: Material, rows: NDArray[np.bool_]) -> list[tuple[Places, Places]]:
    """Return the last folds by place among the training rows: those to learn from, and to score.

    Of the latter only `rows` (n,) count. None where one has too few.
    """
    found = []
    for fold in material.folds[-EXAMS:]:
        train, valid = (np.searchsorted(material.train_index, part) for part in material.fold(fold))
        found.append((train, valid[rows[valid]]))
    return found if min(min(map(len, pair)) for pair in found) >= FEWEST_ROWS else []


def _sit(
    school: Workshop,
    candidate: Candidate,
    ensemble: Ensemble,
    rows: Rows,
    train: Places,
    valid: Places,
) -> Done:
    """Return the student of one fold, asked about the rows that neither it nor a teacher saw."""
    soft = Rows(rows.frame, _lesson(school, ensemble, rows, train), rows.weight)
    # by the truth, which keeps the classes' shares where answers could not
    both = held_back(
        Rows(pl.DataFrame({"place": train}), rows.truth[train]),
        school.material.ordered,
        school.seed,
    )
    learn = Slot(0, *(part.frame["place"].to_numpy() for part in both))
    ask = Slot(1, train[:0], valid)
    with school.desk(soft, [learn, ask]) as name:
        job = school.job(Part(candidate), name, learn.label)
        (done,) = school.run([replace(job, stops=candidate.stops_early, asked=ask.label)])
    return done


def _lesson(school: Workshop, ensemble: Ensemble, rows: Rows, train: Places) -> Floats:
    """Return the teachers' answers to the rows at `train`, NaN for all others."""
    turn = np.random.default_rng(school.seed).permutation(train.size) % TEACHERS
    slots = [Slot(t, train[turn != t], train[turn == t]) for t in range(TEACHERS)]
    answers = np.full(ensemble.answers.shape, np.nan)
    with school.desk(rows, slots) as name:
        jobs = list(_teachers(school, ensemble, name, slots))
        done = list(school.run(jobs))
    for place, slot in enumerate(slots):
        said = [one.values for one in done[place :: len(slots)] if one.values is not None]
        weights = list(ensemble.weights.values())
        answers[slot.valid] = pool(ensemble.pool, list(zip(said, weights, strict=True)))
    return answers


def _teachers(
    school: Workshop, ensemble: Ensemble, name: str, slots: Sequence[Slot]
) -> Iterator[Job]:
    for member in ensemble.weights:
        trial = ensemble.trials[member]
        rounds = round(float(np.mean(trial.rounds))) if trial.rounds else None
        for slot in slots:
            job = school.job(Part(trial.candidate, rounds), name, slot.label)
            yield replace(job, asked=slot.label)


def _scored(school: Workshop, candidate: Candidate, answers: Floats, done: Sequence[Done]) -> Trial:
    """Return the trial; raises DataError where the metric has no value on these rows."""
    material, problem = school.material, school.material.problem
    rows = known(answers)
    truth = material.rows(material.train_index[rows]).truth
    predictions = Predictions(answers[rows], problem.classes)
    return Trial(
        candidate=candidate,
        status="done",
        score=get(problem.primary).compute(truth, predictions, problem.positive_code),
        rounds=tuple(one.rounds for one in done if one.rounds is not None),
        predictions=school.context.store.put(write_array(answers)),
        folds=len(done),
        seconds=round(sum(one.seconds for one in done), 3),
    )
