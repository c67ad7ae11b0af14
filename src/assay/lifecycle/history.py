"""Runs, read off the ledger."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from assay.errors import UsageError
from assay.kernel.store import get_record
from assay.lifecycle.pitfalls import judged, readings
from assay.records.audit import Audit
from assay.records.base import AnyRecord
from assay.records.decision import Decision
from assay.records.engine import Engine
from assay.records.event import Event
from assay.records.fitted import Fitted, Leaderboard, Members
from assay.records.package import ModelVersion, Package
from assay.records.report import Report
from assay.records.seal import Seal
from assay.records.snapshot import DataSnapshot, Problem
from assay.records.spec import ProjectSpec
from assay.records.split import Split
from assay.registry.fold import fold as fold_registry
from assay.report.view import Reading, RunView, StageTime
from assay.stores.workspace import Workspace

STARTED, RESUMED, FINISHED, FAILED = "run.started", "run.resumed", "run.finished", "run.failed"
SEALED = "seal.made"


@dataclass
class RunEntry:
    """One run as the ledger tells it; `status` is finished, stopped, failed or interrupted."""

    run: str
    project: str
    folder: str
    started_at: str
    actor: str
    given: dict[str, str]
    spec: str
    status: str = "interrupted"
    verdict: str = ""
    seconds: float = 0.0
    reason: str = ""
    data: dict[str, Any] = field(default_factory=dict)


def runs(events: Iterable[Event]) -> dict[str, RunEntry]:
    """Return every run by id, in the order of their first start."""
    found: dict[str, RunEntry] = {}
    for event in events:
        if event.kind == STARTED:
            found[event.subject] = RunEntry(
                run=event.subject,
                project=event.data["project"],
                folder=event.data["folder"],
                started_at=event.at,
                actor=event.actor,
                given=event.data["given"],
                spec=event.data["spec"],
            )
        elif event.kind == RESUMED:
            found[event.subject].status = "interrupted"
        elif event.kind in (FINISHED, FAILED):
            entry = found[event.subject]
            entry.status = event.data["status"]
            entry.verdict = event.data.get("verdict", "")
            entry.seconds = event.data.get("seconds", 0.0)
            entry.reason = event.data.get("reason", "")
            entry.data = event.data
    return found


def find(entries: dict[str, RunEntry], reference: str) -> RunEntry:
    """Return the run whose id is, or starts or ends with, `reference`; "last" is the newest.

    Raises UsageError when none or several match.
    """
    if not entries:
        raise UsageError("RUN-NONE", "this store holds no run yet", hint="assay run PROJECT")
    if reference == "last":
        return list(entries.values())[-1]
    if reference in entries:
        return entries[reference]
    hits = [name for name in entries if name.startswith(reference) or name.endswith(reference)]
    if len(hits) != 1:
        raise UsageError(
            "RUN-UNKNOWN",
            f"{'several runs match' if hits else 'no run matches'} {reference}",
            got=reference,
            allowed=(hits or list(entries))[-10:],
            hint="`assay runs` lists them; `last` is the newest",
        )
    return entries[hits[0]]


def sealed_at(events: Iterable[Event], seal: str) -> str:
    """Return when the seal was first made, "" when it was not."""
    return next((e.at for e in events if e.kind == SEALED and e.subject == seal), "")


class Told(Protocol):
    """What the ledger tells of a run beside the run's own events."""

    def sealed_at(self, seal: str) -> str:
        """Return when a seal was first made, "" when it was not."""
        ...

    def readings(self, test: str) -> tuple[Reading, ...]:
        """Return every reading of these test rows by any run, oldest first."""
        ...

    def version_of(self, package: str) -> ModelVersion | None:
        """Return the version that a package became, None when it became none."""
        ...


class FromEvents:
    """`Told` by reading all events once."""

    def __init__(self, events: Iterable[Event]) -> None:
        self._events = list(events)

    def sealed_at(self, seal: str) -> str:
        """Look for the event of the seal."""
        return sealed_at(self._events, seal)

    def readings(self, test: str) -> tuple[Reading, ...]:
        """Look for the readings."""
        return readings(self._events, test)

    def version_of(self, package: str) -> ModelVersion | None:
        """Fold the registry."""
        listed = fold_registry(self._events).listing()
        return next((version for version in listed if version.package == package), None)


def view(workspace: Workspace, entry: RunEntry, told: Told | None = None) -> RunView:
    """Gather the records of a run; without `told` the whole ledger is read for it.

    Raises UsageError when it did not get as far as its audit.
    """
    records = {**entry.given, **entry.data.get("records", {})}
    if "audit" not in records:
        raise UsageError(
            "RUN-INCOMPLETE",
            f"{entry.run} is {entry.status}: it has no records to show yet",
            got=entry.status,
            hint=f"assay run {entry.folder}    (it resumes where it stopped)",
        )

    def must(name: str, kind: type[AnyRecord]) -> AnyRecord:
        return get_record(workspace.store, records[name], kind)

    def may(name: str, kind: type[AnyRecord]) -> AnyRecord | None:
        return must(name, kind) if name in records else None

    told = told or FromEvents(workspace.ledger.read())
    package = may("package", Package)
    engine = must("engine", Engine)
    report = may("evaluate", Report)
    read = told.readings(report.test) if report else ()
    found = RunView(
        run=entry.run,
        project=get_record(workspace.store, entry.spec, ProjectSpec),
        snapshot=must("snapshot", DataSnapshot),
        problem=must("problem", Problem),
        split=must("split", Split),
        audit=must("audit", Audit),
        seal=must("seal", Seal),
        seal_digest=records["seal"],
        sealed_at=told.sealed_at(records["seal"]),
        started_at=entry.started_at,
        seconds=entry.seconds,
        stages=tuple(StageTime(*stage) for stage in entry.data.get("stages", [])),
        test_reads=len(read),
        actor=entry.actor,
        leaderboard=may("search", Leaderboard),
        members=may("members", Members),
        fitted=may("fit", Fitted),
        report=report,
        decision=may("judge", Decision),
        package=package,
        version=told.version_of(package.digest) if package else None,
        halted=entry.data.get("halted"),
        reason=entry.reason,
        versions=(
            ("assay", engine.assay),
            ("python", engine.python),
            *sorted(engine.libraries.items()),
        ),
    )
    return judged(found, read)


def used(events: Iterable[Event], run: str) -> float:
    """Return the seconds that earlier attempts at a run took, to the last that the ledger has.

    0 after one that came to its end.
    """
    total, began, last = 0.0, None, None
    for event in events:
        if run not in (event.subject, event.data.get("run")):
            continue
        now = datetime.fromisoformat(event.at)
        if event.kind in (STARTED, RESUMED):
            total += (last - began).total_seconds() if began and last else 0.0
            began = now
        elif event.kind == FINISHED:
            total, began = 0.0, None
        last = now
    return total + ((last - began).total_seconds() if began and last else 0.0)
