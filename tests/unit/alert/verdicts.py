"""Verdicts and the ledger's events about them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from assay.kernel.store import put_record
from assay.records.event import GENESIS, Draft, Event, make_event
from assay.records.watch import Broken, Measured, Moved, Objective, WatchVerdict
from assay.stores.workspace import Workspace


def moved(column: str, *, flagged: bool = True, **more: Any) -> Moved:
    return Moved(column=column, effect=0.4, p=1e-9, flagged=flagged, **more)


def measured(standing: str = "broken", metric: str = "roc_auc", **more: Any) -> Measured:
    facts = {"value": 0.7, "low": 0.65, "high": 0.75, "n": 500, "estimated": False}
    return Measured(metric=metric, standing=standing, threshold=0.8, **{**facts, **more})


def broken(code: str = "MISSING", column: str = "fee", severity: str = "error") -> Broken:
    return Broken(code=code, column=column, severity=severity, message=f"{column} is gone", rows=9)


def objective(standing: str = "broken", name: str = "errors") -> Objective:
    return Objective(
        name=name, target=0.999, good=900, total=1000, days=30.0, left=-1.0, burn=(20.0, 30.0),
        standing=standing,
    )  # fmt: skip


def verdict(outcome: str = "drift", window: int = 0, **parts: Any) -> WatchVerdict:
    return WatchVerdict(
        model="churn", version=2, package="p" * 64, window=window, rows=500,
        verdict=outcome, reason="as planted", **parts,
    )  # fmt: skip


def judged(workspace: Workspace, made: WatchVerdict) -> Event:
    """Write a verdict as the watcher does."""
    record = put_record(workspace.store, made)
    return workspace.context().append(
        "watch.judged", made.model, parents=(record,), window=made.window, verdict=made.verdict,
        reason=made.reason, rows=made.rows, labelled=made.labelled, since="", until="",
        version=made.version, flagged=[m.column for m in made.drift if m.flagged], record=record,
        seconds=0.1,
    )  # fmt: skip


def event(kind: str, seq: int = 1, **data: Any) -> Event:
    draft = Draft(kind=kind, subject="churn", actor="me", data=data)
    return make_event(draft, seq=seq, at=datetime.now(UTC).isoformat(), previous=GENESIS)
