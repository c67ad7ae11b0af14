"""From a project folder to everything a run is given: spec, snapshot, problem, seal, engine."""

from __future__ import annotations

import platform
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import msgspec

from assay.data.catalogue import entry
from assay.data.catalogue import get as get_dataset
from assay.data.content import read_table
from assay.data.ingest import ingest
from assay.errors import Mistakes, SpecError
from assay.kernel.family import Family
from assay.kernel.plugins import load_family
from assay.kernel.stage import Context, Note
from assay.kernel.wrap import attempt
from assay.metrics import get
from assay.records.base import Record, digest
from assay.records.engine import Engine
from assay.records.seal import Seal
from assay.records.snapshot import DataSnapshot, Problem
from assay.records.spec import (
    GateSpec,
    ProjectSpec,
    ReleaseSection,
    RetrainSection,
    ServeSection,
    SplitSection,
    WatchSection,
)
from assay.spec.load import load as load_spec
from assay.spec.toml import render

LIBRARIES = ("numpy", "optuna", "polars")
PROPOSED = "project.proposed"
ONE_VALIDATION_PART = 200_000
"""Rows from which one validation part takes the place of five folds."""


@dataclass(frozen=True)
class Prepared:
    """What a run starts from. Its id is a digest of all of it: the same inputs, the same run."""

    folder: Path
    spec: ProjectSpec
    snapshot: DataSnapshot
    problem: Problem
    seal: Seal
    engine: Engine

    @property
    def run(self) -> str:
        """Return the run's id: the project's name and eight characters of its key."""
        name = re.sub(r"[^a-z0-9]+", "-", self.spec.project.name.lower()).strip("-") or "project"
        return f"{name}-{digest(self.given())[:8]}"

    def given(self) -> dict[str, Record]:
        """Return the records that the stages start from, by the names they ask for."""
        return {
            "spec": _of_the_run(self.spec),
            "spec.split": self.seal.split,
            "spec.audit": self.spec.audit,
            "spec.budget": self.spec.budget,
            "spec.data": self.spec.data,
            "spec.features": self.spec.features,
            "spec.answers": self.spec.answers,
            "spec.fairness": self.spec.fairness,
            "spec.project": self.spec.project,
            "snapshot": self.snapshot,
            "problem": self.problem,
            "seal": self.seal,
            "engine": self.engine,
        }


def prepare(project: Path, overrides: Sequence[str], context: Context) -> Prepared:
    """Read the project file and its data; trains nothing, and writes only the table.

    Raises SpecError, DataError or Mistakes for what a person has to mend.
    """
    return prepare_spec(read_spec(project, overrides, context), project.parent, context)


def prepare_spec(spec: ProjectSpec, folder: Path, context: Context) -> Prepared:
    """Read the data of a project file that was read before; `folder` is where its paths start.

    Raises as `prepare` does.
    """
    start = time.perf_counter()
    _check_gates(spec)
    context.notify(Note("data", f"reading {spec.data.source or 'the query'}"))
    snapshot = attempt(
        lambda: ingest(
            spec.data,
            spec.features,
            folder,
            context.store,
            allow_code=context.allow_code,
            resolve=lambda name: get_dataset(name, context.notify),
        ),
        "data",
        context,
    )
    snapshot = _with_licence(snapshot, spec)
    _check_columns(spec, snapshot)
    family = load_family(spec.project.family)
    target = read_table(snapshot, context.store)[spec.data.target]
    problem = family.problem(spec, snapshot, target)
    size = f"{snapshot.rows:,} rows × {len(snapshot.columns)} columns"
    context.notify(Note("data", f"Data: {size}", 1, 1, time.perf_counter() - start))
    gates = spec.gates or (GateSpec(metric=problem.primary, beats="baseline"),)
    seal = Seal(
        question=spec.project.question,
        decision=spec.project.decision,
        data=snapshot.content,
        task=problem.task,
        target=problem.target,
        positive=problem.positive,
        primary=problem.primary,
        also=problem.also,
        split=_folds(family.split_policy(spec.split, problem), spec, snapshot.rows),
        slices=spec.slices,
        gates=gates,
        answers=spec.answers,
        fairness=spec.fairness,
    )
    return Prepared(folder, spec, snapshot, problem, seal, engine(family))


def _with_licence(snapshot: DataSnapshot, spec: ProjectSpec) -> DataSnapshot:
    """Return the snapshot with what the catalogue says of its source."""
    kind, _, name = (spec.data.source or "").partition(":")
    if kind != "catalogue":
        return snapshot
    known = entry(name)
    return msgspec.structs.replace(snapshot, licence=known.licence, citation=known.citation)


def _folds(policy: SplitSection, spec: ProjectSpec, rows: int) -> SplitSection:
    """Return the policy with one validation part for a large table, unless a person chose folds."""
    chosen = any(c.path == "split.folds" and c.agency != "default" for c in spec.choices)
    if chosen or rows < ONE_VALIDATION_PART:
        return policy
    return msgspec.structs.replace(policy, folds=1)


def _check_gates(spec: ProjectSpec) -> None:
    """Refuse a gate that can never be judged, before anything is read or fitted."""
    for place, gate in enumerate(spec.gates):
        metric = get(gate.metric)
        if gate.beats is not None and metric.operational:
            raise SpecError(
                "GATE-BASELINE",
                f"{gate.metric} is found on the champion alone; there is nothing to compare with",
                where=f"gates.{place}.beats",
                got=gate.beats,
                hint="set at_most or at_least in place of beats",
            )
        if gate.on is not None and (metric.operational or gate.beats is not None):
            raise SpecError(
                "GATE-ON",
                "a gate on a slice asks a metric of predictions to keep to a threshold",
                where=f"gates.{place}.on",
                got=gate.on,
                hint="set at_least or at_most for a metric such as recall, or take `on` out",
            )
        if gate.on == "every slice" and not spec.slices:
            raise SpecError(
                "GATE-ON",
                "no slice is declared that the gate could be asked of",
                where=f"gates.{place}.on",
                got=gate.on,
                hint='add [[slices]] with a column, or write on = "worst slice"',
            )
        if metric.name.endswith("_difference") and not spec.fairness.columns:
            raise SpecError(
                "GATE-GROUPS",
                f"{metric.name} compares groups, and none are declared",
                where=f"gates.{place}.metric",
                got=metric.name,
                hint='set fairness.columns, such as ["sex"]',
            )


def _check_columns(spec: ProjectSpec, snapshot: DataSnapshot) -> None:
    """Report every slice, gate and group on a column that the table does not have."""
    columns = [column.name for column in snapshot.columns]
    named = [(f"slices.{place}.column", each.column) for place, each in enumerate(spec.slices)]
    named += [
        (f"fairness.columns.{place}", name) for place, name in enumerate(spec.fairness.columns)
    ]
    for place, gate in enumerate(spec.gates):
        column, given, _ = (gate.on or "").partition("=")
        if given:
            named.append((f"gates.{place}.on", column))
    errors = [
        SpecError(
            "SLICE-COLUMN",
            f"the table has no column called {name}",
            where=where,
            got=name,
            allowed=get_close_matches(name, columns, n=3) or columns[:20],
            hint="name a column of the table; `assay check` lists them",
        )
        for where, name in named
        if name not in columns
    ]
    if errors:
        raise Mistakes(errors)


def as_overrides(settings: Mapping[str, Any]) -> tuple[str, ...]:
    """Return Python settings as `KEY=VALUE` overrides.

    `seed` and `budget` stand for `split.seed` and `budget.time`; any other key of the project
    file is written with two underscores for the dot: `metric__primary="recall"`.
    """
    short = {"seed": "split.seed", "budget": "budget.time"}
    return tuple(
        f"{short.get(name, name.replace('__', '.'))}={render(value)}"
        for name, value in settings.items()
        if value is not None
    )


def read_spec(project: Path, overrides: Sequence[str], context: Context) -> ProjectSpec:
    """Load the project file, each choice marked with who made it."""
    here = str(project.resolve())
    proposals: dict[str, Any] = {}
    for event in context.ledger.read():
        if event.kind == PROPOSED and event.data["file"] == here:
            proposals = event.data["values"]
    return load_spec(project, overrides, proposals)


def engine(family: Family) -> Engine:
    """Return the versions of the software in this process."""
    return Engine(
        assay=installed("assay-ml"),
        family=family.id,
        python=platform.python_version(),
        libraries={name: installed(name) for name in (*LIBRARIES, *family.capabilities.libraries)},
    )


def installed(name: str) -> str:
    """Return the installed version of a distribution, "" when it is not installed."""
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def _of_the_run(spec: ProjectSpec) -> ProjectSpec:
    """Return what decides a run: how its model is served, released and watched later does not."""
    return msgspec.structs.replace(
        spec,
        choices=(),
        serve=ServeSection(),
        release=ReleaseSection(),
        watch=WatchSection(),
        retrain=RetrainSection(),
        alerts=(),
    )
