"""The fitted members by their own libraries: asked, explained and exported by the workers.

So this process need not import what trained them, which takes seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from assay.kernel.family import Model, Predictions, Rows
from assay.kernel.plugins import load_family
from assay.kernel.stage import Context
from assay.metrics.operate import operate
from assay.metrics.pool import Floats, pool
from assay.package.load import open_predictor
from assay.records.fitted import Candidate, Field, Fitted, Member, Operating, Pool, Signature
from assay.records.report import Examination
from assay.records.snapshot import Problem

Stored = tuple[Candidate, bytes]
"""A fitted model as it is kept: its candidate, and its state."""


@dataclass(frozen=True)
class Trained:
    """Weighted members, and how their scores become answers."""

    problem: Problem
    members: tuple[Member, ...]
    pool: Pool
    operating: Operating

    @classmethod
    def champion(cls, problem: Problem, fitted: Fitted) -> Trained:
        """Return what the exported model must answer like."""
        return cls(problem, fitted.members, fitted.pool, fitted.signature.operating)

    @classmethod
    def baseline(cls, problem: Problem, fitted: Fitted) -> Trained:
        """Return the best baseline, which is not exported."""
        return cls(problem, (fitted.baseline,), Pool(), fitted.baseline_operating)

    def stored(self, context: Context) -> list[Stored]:
        """Return the members as they are kept."""
        return [(member.candidate, context.store.get(member.state)) for member in self.members]

    def ask(
        self, context: Context, frames: Sequence[pl.DataFrame]
    ) -> Callable[[], list[Predictions]]:
        """Start asking about each frame; what is returned waits for the answers to them."""
        stored, ways = self.stored(context), context.executor.workers
        shares = [stored[way::ways] for way in range(min(ways, len(stored)))]
        under_way = [context.executor.submit(say, self.problem, s, frames) for s in shares]

        def answers() -> list[Predictions]:
            said: list[list[Floats]] = [[] for _ in stored]
            for way, share in enumerate(under_way):
                said[way::ways] = share.result()
            return [
                self._pooled([each[place] for each in said], frame)
                for place, frame in enumerate(frames)
            ]

        return answers

    def _pooled(self, said: Sequence[Floats], frame: pl.DataFrame) -> Predictions:
        parts = [(values, member.weight) for values, member in zip(said, self.members, strict=True)]
        scores = Predictions(pool(self.pool, parts), self.problem.classes)
        return operate(self.operating, scores, frame, self.problem.positive_code)


def say(
    problem: Problem, stored: Sequence[Stored], frames: Sequence[pl.DataFrame]
) -> list[list[Floats]]:
    """Return each model's answers to each frame; runs in any process."""
    models = (restored(problem, one) for one in stored)
    return [[model.predict(frame).values for frame in frames] for model in models]


def export(
    context: Context,
    problem: Problem,
    members: Sequence[Member],
    how: Pool,
    operating: Operating,
    inputs: Sequence[Field],
) -> tuple[dict[str, bytes], Signature]:
    """Return the files of a package for pooled members, and its signature."""
    stored = [
        ((member.candidate, context.store.get(member.state)), member.weight) for member in members
    ]
    return context.executor.submit(exported, problem, stored, how, operating, inputs).result()


def exported(
    problem: Problem,
    members: Sequence[tuple[Stored, float]],
    how: Pool,
    operating: Operating,
    inputs: Sequence[Field],
) -> tuple[dict[str, bytes], Signature]:
    """Return what the family exports; runs in any process."""
    models = [(restored(problem, one), weight) for one, weight in members]
    return load_family(problem.family).export(models, how, operating, problem, inputs)


def explain(
    problem: Problem,
    files: Mapping[str, bytes],
    signature: Signature,
    members: Sequence[tuple[Stored, float]],
    rows: Rows,
    train: Rows,
    seed: int,
) -> tuple[Examination, ...]:
    """Return the family's explanations of an exported model; runs in any process."""
    predictor = open_predictor(problem.family, files, signature)
    models = [(restored(problem, one), weight) for one, weight in members]
    return load_family(problem.family).explain(problem, predictor, models, rows, train, seed)


def restored(problem: Problem, one: Stored) -> Model:
    """Return a fitted model."""
    return load_family(problem.family).restore(one[0], problem, one[1])
