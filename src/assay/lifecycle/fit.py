"""The members of the champion and the best baseline, fitted on all training rows and exported."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Literal

import msgspec
import numpy as np

from assay.data.ingest import readings_of
from assay.data.profile import describe
from assay.kernel.family import Model, Predictions, Rows
from assay.kernel.stage import Context, Inputs, Note, take
from assay.kernel.store import Store
from assay.lifecycle.material import Material
from assay.lifecycle.search import fit_scope
from assay.metrics.operate import operate
from assay.records.base import digest
from assay.records.fitted import (
    Candidate,
    Field,
    Fitted,
    Leaderboard,
    Member,
    Operating,
    Operation,
    Trial,
)
from assay.records.snapshot import Column, DataSnapshot, Problem
from assay.records.spec import DataSection
from assay.records.split import Split

MORE_ROWS = 1.2
"""More iterations for a fit on all rows than early stopping chose on a part of them."""


def fit(inputs: Inputs, context: Context) -> Fitted:
    """Run the stage: each member is remembered on its own, so none is fitted twice."""
    start = time.perf_counter()
    material = Material.open(inputs, context.store)
    board = take(inputs, "search", Leaderboard)
    train = material.rows(material.train_index)
    everyone = {trial.candidate.name: trial for trial in (*board.baselines, *board.trials)}
    seed = take(inputs, "split", Split).seed
    scope = fit_scope(inputs)
    operation = take(inputs, "operate", Operation)

    def member(trial: Trial, weight: float) -> Member:
        return _member(material, context, train, trial, weight, scope, seed)

    members = tuple(member(everyone[name], share) for name, share in board.weights.items())
    baseline = member(board.baseline, 1.0)
    models = [(restore(material, context.store, m), m.weight) for m in members]
    snapshot = take(inputs, "snapshot", DataSnapshot)
    files, signature = material.family.export(
        models,
        board.pool,
        operation.champion,
        material.problem,
        input_fields(snapshot, material),
    )
    kind = snapshot.column(material.problem.target).type
    signature = msgspec.structs.replace(
        signature,
        missing=take(inputs, "spec.data", DataSection).missing,
        labels=_labels(kind, material.problem.classes),
        interval=_interval(material.problem, operation.champion),
        operating=operation.champion,
    )
    return Fitted(
        name=" + ".join(f"{m.weight:.0%} {m.candidate.name}" for m in members)
        if len(members) > 1
        else members[0].candidate.name,
        members=members,
        baseline=baseline,
        signature=signature,
        files={name: context.store.put(data) for name, data in sorted(files.items())},
        seconds=round(time.perf_counter() - start, 3),
        baseline_operating=operation.baseline,
    )


def _labels(kind: str, classes: tuple[str, ...]) -> Literal["text", "integer", "boolean"]:
    """Return how classes are answered: as what they were in the table."""
    if kind == "boolean":
        return "boolean"
    whole = all(name.lstrip("-").isdecimal() for name in classes)
    return "integer" if kind == "number" and whole else "text"


def _interval(problem: Problem, operating: Operating) -> tuple[float, float] | None:
    """Return what to add to a number for the ends of its interval, None for classes.

    It is the one whose coverage `evaluate/conformal.py` measures.
    """
    if problem.classes or operating.margin is None:
        return None
    return -operating.margin, operating.margin


def restore(material: Material, store: Store, member: Member) -> Model:
    """Return a fitted member, rebuilt from its stored state."""
    return material.family.restore(member.candidate, material.problem, store.get(member.state))


def blend(models: list[tuple[Model, float]], rows: Rows) -> Predictions:
    """Return the weighted mean of the members' predictions, each by its own library."""
    parts = [(model.predict(rows.frame), weight) for model, weight in models]
    values = np.sum([p.values * weight for p, weight in parts], axis=0)
    return Predictions(values, parts[0][0].classes)


def operated(
    models: list[tuple[Model, float]], rows: Rows, operating: Operating, problem: Problem
) -> Predictions:
    """Return the blend's scores as answers: calibrated, and cut at their threshold."""
    return operate(operating, blend(models, rows), rows.frame, problem.positive_code)


def input_fields(snapshot: DataSnapshot, material: Material) -> tuple[Field, ...]:
    """Return what the model takes: the problem's features, with what training saw of them."""
    readings = readings_of(snapshot)
    seen = material.rows(material.train_index).frame
    return tuple(
        field_of(describe(seen[name], snapshot.column(name).type), readings)
        for name in material.problem.features
    )


def field_of(column: Column, readings: Mapping[str, str]) -> Field:
    """Describe a column as an input; `readings` settles ambiguous cells by column."""
    return Field(
        name=column.name,
        type=column.type,
        missing=column.missing > 0,
        low=column.low,
        high=column.high,
        categories=tuple(value for value, _ in column.top) if column.type == "category" else (),
        reading=readings.get(column.name, ""),
    )


def rounds_for_all(trial: Trial) -> int | None:
    """Return the iterations for a fit on all training rows, None where that does not apply."""
    return max(1, round(float(np.mean(trial.rounds)) * MORE_ROWS)) if trial.rounds else None


def _member(
    material: Material,
    context: Context,
    train: Rows,
    trial: Trial,
    weight: float,
    scope: str,
    seed: int,
) -> Member:
    rounds = rounds_for_all(trial)
    key = digest({"member": scope, "candidate": trial.candidate, "rounds": rounds, "seed": seed})
    known = context.recall(key, Member)
    if known is None or not context.store.has(known.state):
        context.notify(Note("fit", f"{trial.candidate.name} on all training rows"))
        state = _fit(material, trial.candidate, train, rounds, seed, context.executor.threads)
        known = Member(
            candidate=trial.candidate, weight=1.0, rounds=rounds, state=context.store.put(state)
        )
        context.remember(key, f"fit:{trial.candidate.name}:all", known)
    return Member(candidate=known.candidate, weight=weight, rounds=known.rounds, state=known.state)


def _fit(
    material: Material,
    candidate: Candidate,
    train: Rows,
    rounds: int | None,
    seed: int,
    threads: int,
) -> bytes:
    problem: Problem = material.problem
    return material.family.fit(candidate, problem, train, None, rounds, seed, threads).state()
