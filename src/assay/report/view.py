"""Everything a report shows, gathered from the records of one run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from assay.records.audit import Audit
from assay.records.decision import Decision
from assay.records.fitted import Fitted, Leaderboard, Members
from assay.records.package import ModelVersion, Package
from assay.records.report import Report
from assay.records.seal import Seal
from assay.records.snapshot import DataSnapshot, Problem
from assay.records.spec import ProjectSpec
from assay.records.split import Split


@dataclass(frozen=True)
class StageTime:
    """One stage of a run: how long it took in seconds, and whether its record was there already."""

    name: str
    seconds: float
    cached: bool = False


@dataclass(frozen=True)
class Reading:
    """One reading of these test rows: when (UTC, ISO 8601), by which run, under which seal."""

    at: str
    run: str
    seal: str


@dataclass(frozen=True)
class CheckLine:
    """One line of a checklist that records fill, not people.

    `state` is `satisfied`, `hit`, or `open` where the records cannot decide; `decided_by` names
    the records that did.
    """

    id: str
    title: str
    state: Literal["satisfied", "hit", "open"]
    sentence: str
    decided_by: str


@dataclass(frozen=True)
class RunView:
    """One run as a reader sees it; what the run did not reach is None.

    `sealed_at` and `started_at` are UTC in ISO 8601. `halted` names the stage that stopped the
    run and `reason` says why. `versions` pairs a library with its version. `readings` are those of
    the same test rows by any run, oldest first. `pitfalls` are the common ways for a project to go
    wrong, `checklist` is about leakage and learning by heart.
    """

    run: str
    project: ProjectSpec
    snapshot: DataSnapshot
    problem: Problem
    split: Split
    audit: Audit
    seal: Seal
    seal_digest: str
    sealed_at: str
    started_at: str
    seconds: float
    stages: tuple[StageTime, ...]
    test_reads: int
    actor: str
    leaderboard: Leaderboard | None = None
    members: Members | None = None
    fitted: Fitted | None = None
    report: Report | None = None
    decision: Decision | None = None
    package: Package | None = None
    version: ModelVersion | None = None
    halted: str | None = None
    reason: str = ""
    versions: tuple[tuple[str, str], ...] = ()
    readings: tuple[Reading, ...] = ()
    pitfalls: tuple[CheckLine, ...] = ()
    checklist: tuple[CheckLine, ...] = ()
