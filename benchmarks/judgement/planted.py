"""The planted leaks: each kind, in each table that it applies to, in three strengths.

from planted import cases, findings, hits
for case in cases(kinds=["sum of two"], rows=2000):
    print(case.name, [f.code for f in hits(case, findings(case))])
"""

from __future__ import annotations

import tempfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import planted_columns  # noqa: F401  (enters its kinds)
import planted_rows  # noqa: F401  (enters its kinds)
import polars as pl
from numpy.typing import NDArray
from planting import KINDS, STRENGTHS, Case
from tables import PLANTED, Base, available, base

from assay.data.audit import audit
from assay.data.catalogue import get
from assay.data.content import read_table
from assay.data.ingest import ingest
from assay.data.split import split
from assay.errors import DataError
from assay.records.audit import Finding
from assay.records.snapshot import Problem
from assay.spec.load import load
from assay.spec.toml import render
from assay.stores.memory import MemoryStore
from assay.tasks.tabular.problem import state

ROWS = 2_000
"""Rows of a table that a leak is planted into, at most."""


def cases(
    kinds: Sequence[str] = (),
    tables: Sequence[str] = (),
    strengths: Sequence[str] = STRENGTHS,
    rows: int = ROWS,
) -> Iterator[Case]:
    """Plant the leaks, all by default; the same names always give the same case."""
    for name in tables or available(PLANTED):
        found = base(name, rows, distinct=True)
        for wanted in (KINDS[k] for k in kinds or KINDS):
            if found.task not in wanted.tasks:
                continue
            for level, strength in enumerate(STRENGTHS):
                if strength in strengths:
                    seed = zlib.crc32(f"{wanted.name} {strength} {name}".encode())
                    made = wanted.plant(found, level, np.random.default_rng(seed))
                    yield Case(wanted.name, strength, found, wanted.codes, made)


@dataclass(frozen=True)
class Checked:
    """What `assay check` makes of a table: the problem, the typed table, its parts, the findings.

    `problem` is None when the table is refused; the refusal is then the only finding.
    """

    findings: tuple[Finding, ...]
    problem: Problem | None = None
    table: pl.DataFrame = field(default_factory=pl.DataFrame)
    parts: NDArray[np.int8] = field(default_factory=lambda: np.zeros(0, np.int8))


def findings(case: Case) -> tuple[Finding, ...]:
    """Return what the audit finds in a case."""
    planted = case.planted
    return checked(case.base, planted.table, planted.split, planted.transform).findings


def checked(
    asked: Base, table: pl.DataFrame, policy: dict[str, Any], transform: str = ""
) -> Checked:
    """Write a project around a table and take the steps of `assay check`, without its ledger."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        table.write_parquet(folder / "table.parquet")
        if transform:
            (folder / "own.py").write_text(transform)
        file = folder / "assay.toml"
        file.write_text(project(asked, policy, with_transform=bool(transform)))
        spec, store = load(file), MemoryStore()
        try:
            snapshot = ingest(spec.data, spec.features, folder, store, resolve=get)
            typed = read_table(snapshot, store)
            problem = state(spec, snapshot, typed[asked.target])
            _, parts, _ = split(spec.split, problem, typed)
        except DataError as error:
            return Checked((_refusal(error),))
        found = audit(problem, snapshot, typed, parts, spec.split, (), ()).findings
        return Checked(found, problem, typed, parts)


def _refusal(error: DataError) -> Finding:
    return Finding(
        code=error.code, severity="error", where="", message=str(error), evidence={}, hint=""
    )


def project(asked: Base, policy: dict[str, Any], *, with_transform: bool = False) -> str:
    """Return the text of a project file."""
    lines = [
        "[project]", 'name = "planted"', f"task = {render(asked.task)}",
        "[data]", 'source = "table.parquet"', f"target = {render(asked.target)}",
    ]  # fmt: skip
    if asked.positive:
        lines.append(f"positive = {render(asked.positive)}")
    if with_transform:
        lines += ["[features]", 'transform = "own:prepare"']
    lines += ["[split]", *(f"{key} = {render(value)}" for key, value in policy.items())]
    return "\n".join(lines) + "\n"


@cache
def usual(name: str, rows: int) -> frozenset[tuple[str, str, str]]:
    """Return (code, severity, where) of what is found in a table before anything is planted."""
    plain = base(name, rows, distinct=True)
    found = checked(plain, plain.table, plain.split).findings
    return frozenset((finding.code, finding.severity, finding.where) for finding in found)


def hits(case: Case, found: Sequence[Finding]) -> list[Finding]:
    """Return the findings, warnings or errors, that name the leak of a case.

    What is found in the table without the leak just as well is no hit.
    """
    columns = case.planted.columns
    known = usual(case.base.name, case.base.table.height)
    return [
        finding
        for finding in found
        if finding.severity != "note"
        and finding.code in case.codes
        and (finding.code, finding.severity, finding.where) not in known
        and (not columns or any(column in finding.where for column in columns))
    ]
