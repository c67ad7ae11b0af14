"""The chosen members exported: what a package serves."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec

from assay.data.ingest import readings_of
from assay.data.profile import describe
from assay.kernel.stage import Context, Inputs, take
from assay.lifecycle.material import Material
from assay.lifecycle.trained import export
from assay.records.fitted import Field, Fitted, Member, Members, Operating, Operation
from assay.records.snapshot import Column, DataSnapshot, Problem
from assay.records.spec import DataSection


def fit(inputs: Inputs, context: Context) -> Fitted:
    """Run the stage: the members of the chosen form as the files of a package."""
    start = time.perf_counter()
    material = Material.open(inputs, context.store)
    chosen = take(inputs, "members", Members)
    operation = take(inputs, "operate", Operation)
    snapshot = take(inputs, "snapshot", DataSnapshot)
    files, signature = export(
        context,
        material.problem,
        chosen.members,
        chosen.pool,
        operation.champion,
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
        name=name_of(chosen.members),
        members=chosen.members,
        baseline=chosen.baseline,
        signature=signature,
        files={name: context.store.put(data) for name, data in sorted(files.items())},
        seconds=round(time.perf_counter() - start, 3),
        baseline_operating=operation.baseline,
        pool=chosen.pool,
    )


def name_of(members: Sequence[Member]) -> str:
    """Return the members by name with their shares, the largest first; bags are counted."""
    weights, bags = dict[str, float](), Counter[str]()
    for member in members:
        name = member.candidate.name
        weights[name] = weights.get(name, 0.0) + member.weight
        bags[name] += 1
    called = {name: f"{name} ({n} bags)" if n > 1 else name for name, n in bags.items()}
    if len(weights) == 1:
        return next(iter(called.values()))
    total = sum(weights.values())
    ranked = sorted(weights, key=lambda name: -weights[name])
    return " + ".join(f"{weights[name] / total:.0%} {called[name]}" for name in ranked)


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


CATEGORIES = 1_000
"""Categories of a column that a signature lists, so that one that is new is known to be so."""


def input_fields(snapshot: DataSnapshot, material: Material) -> tuple[Field, ...]:
    """Return what the model takes: the problem's features, with what training saw of them."""
    readings = readings_of(snapshot)
    seen = material.rows(material.train_index).frame
    return tuple(
        field_of(describe(seen[name], snapshot.column(name).type, CATEGORIES), readings)
        for name in material.problem.features
    )


def field_of(column: Column, readings: Mapping[str, str]) -> Field:
    """Describe a column as an input; `readings` settles ambiguous cells by column."""
    counted = column.type == "category"
    return Field(
        name=column.name,
        type=column.type,
        missing=column.missing > 0,
        low=column.low,
        high=column.high,
        categories=tuple(value for value, _ in column.top) if counted else (),
        more=counted and column.unique > len(column.top),
        reading=readings.get(column.name, ""),
    )
