"""The forms that the fitted members can be served in; the costly ones are made when asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from assay.kernel.family import Predictions
from assay.lifecycle.combine import reweighed
from assay.lifecycle.material import read_array
from assay.lifecycle.shapes import Form
from assay.lifecycle.student import EXAMS, TEACHERS, Ensemble, Taught, known, teach
from assay.lifecycle.workshop import Workshop
from assay.metrics import get
from assay.metrics.pool import pool
from assay.metrics.weighted import Floats
from assay.records.fitted import Leaderboard, Member, Pool, Trial
from assay.records.snapshot import Column

TAUGHT_FROM, TAUGHT_LEFT = 4, 20.0
"""A student is taught for so many members also where no gate asks, if so many seconds are left."""
TAUGHT_SHARE = 0.3
"""Teaching may take this share of the time that is left."""


def trials_of(board: Leaderboard) -> dict[str, Trial]:
    """Return every trial by its candidate's name."""
    return {trial.candidate.name: trial for trial in (*board.baselines, *board.trials)}


@dataclass
class Yard:
    """A leaderboard, its members fitted on all training rows by name, and what they can become.

    `taught` is the student, once one was asked for.
    """

    workshop: Workshop
    board: Leaderboard
    models: Mapping[str, tuple[Member, ...]]
    columns: Sequence[Column]
    taught: Taught | None = None

    @cached_property
    def trials(self) -> dict[str, Trial]:
        """Return every trial by its candidate's name."""
        return trials_of(self.board)

    @cached_property
    def full(self) -> Form:
        """Return all members with all their models."""
        weights, how = self.board.weights, self.board.pool
        return Form(weights, how, self._score(self._answers(weights, how)), self.models)

    def others(self) -> list[Form]:
        """Return the forms with fewer models, the student among them."""
        order = [name for name, _ in self.board.steps if name in self.board.weights]
        order += [name for name in self.board.weights if name not in order]
        forms = [self.full, *(self._some(order[:size]) for size in range(len(order) - 1, 1, -1))]
        forms += [self._alone(name) for name in order if len(order) > 1]
        every = {form.name: form for form in (*forms, *(form.thinned() for form in forms))}
        every.pop(self.full.name)
        return [*every.values(), *self.student()]

    def few(self) -> list[Form]:
        """Return what a report shows beside the full form: cheap to make, and far from it."""
        leader = max(self.board.weights, key=lambda name: self.board.weights[name])
        ample = self.workshop.context.left() >= TAUGHT_LEFT
        taught = self.student() if ample and len(self.board.weights) >= TAUGHT_FROM else []
        return [self._alone(leader).thinned(), self.full.thinned(), *taught]

    def student(self) -> list[Form]:
        """Return the form of a student, taught now; nothing where there is none to be had.

        Its score is that of the full form, and what it gains or loses where both were scored.
        """
        material = self.workshop.material
        rows, problem = material.train_index.size, material.problem
        candidate = material.family.student(problem, self.columns, rows)
        if candidate is None or len(self.full.members) == 1 or self._too_long():
            return []
        answers = self._answers(self.full.weights, self.full.pool)
        ensemble = Ensemble(self.trials, self.full.weights, self.full.pool, answers)
        self.taught = teach(self.workshop, candidate, ensemble)
        if self.taught is None:
            return []
        found = read_array(self.workshop.context.store.get(self.taught.trial.predictions))
        both = np.where(known(found).reshape(-1, *[1] * (found.ndim - 1)), answers, np.nan)
        gain = (self.taught.trial.score or 0.0) - self._score(both)
        models = {candidate.name: (self.taught.member,)}
        return [Form({candidate.name: 1.0}, Pool(), self.full.score + gain, models)]

    def _too_long(self) -> bool:
        """Return True when the teachers of a student would take too much of the time left."""
        each = (self.trials[name] for name in self.board.weights)
        seconds = EXAMS * TEACHERS * sum(t.seconds / max(1, t.folds) for t in each)
        workers = self.workshop.context.executor.workers
        return seconds / workers > TAUGHT_SHARE * self.workshop.context.left()

    def _some(self, names: Sequence[str]) -> Form:
        """Return some of the members, weighted anew on the rows that all of them predicted."""
        material, problem = self.workshop.material, self.workshop.material.problem
        values = {name: self._values(name) for name in names}
        rows = np.logical_and.reduce([known(found) for found in values.values()])
        found = reweighed(
            get(problem.primary),
            problem,
            material.rows(material.train_index[rows]).truth,
            {name: found[rows] for name, found in values.items()},
            self.workshop.seed,
        )
        return Form(found.weights, found.pool, found.score, self.models)

    def _alone(self, name: str) -> Form:
        return Form({name: 1.0}, Pool(), self._score(self._values(name)), self.models)

    def _score(self, values: Floats) -> float:
        """Return the metric of answers to the training rows, of those that have one."""
        material, problem = self.workshop.material, self.workshop.material.problem
        rows = known(values)
        truth = material.rows(material.train_index[rows]).truth
        answers = Predictions(values[rows], problem.classes)
        return get(problem.primary).compute(truth, answers, problem.positive_code)

    def _answers(self, weights: Mapping[str, float], how: Pool) -> Floats:
        return pool(how, [(self._values(name), weight) for name, weight in weights.items()])

    def _values(self, name: str) -> Floats:
        return read_array(self.workshop.context.store.get(self.trials[name].predictions))
