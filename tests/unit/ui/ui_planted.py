"""Events and verdicts as the watcher writes them, planted through the real ledger."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from assay.kernel.store import put_record
from assay.records.watch import Broken, Measured, Moved, Objective, WatchVerdict
from assay.stores.workspace import Workspace

START = datetime(2026, 9, 1, tzinfo=UTC)
GATE = 0.80

HOSTILE = """<img src=x onerror="alert('1')">&"\u202e/../../etc/\N{SNOWMAN}"""
"""A name as a user may give it to a project, a model or a column."""

COLUMNS = ("fee", HOSTILE, "region")


def plant_run(workspace: Workspace, run: str, project: str, verdict: str = "accepted") -> None:
    """Append the events of a run that left no records."""
    context = workspace.context(run=run)
    given = {"snapshot": "5" * 64, "spec": "6" * 64}
    context.append(
        "run.started", run, project=project, folder=f"/nowhere/{project}", given=given,
        spec="6" * 64,
    )  # fmt: skip
    context.append(
        "run.finished", run, status="finished", verdict=verdict, seconds=1.5, records={},
        stages=[], reason="", halted=None, peak_rss_mb=1.0,
    )  # fmt: skip


def plant_version(workspace: Workspace, name: str, run: str, package: str, number: int) -> None:
    """Append the events that register a package and make it the champion."""
    context = workspace.context(run=run)
    context.append("model.registered", name, package=package, run=run, verdict="accepted")
    context.append(
        "alias.moved", name, alias="champion", version=number, verdict="accepted",
        reason=f"run {run} was accepted by its gates",
    )  # fmt: skip


def make_verdict(
    model: str, number: int, columns: tuple[str, ...],
    counts: dict[str, tuple[int, ...]] | None = None, *, package: str = "", version: int = 1,
) -> WatchVerdict:  # fmt: skip
    """Return the verdict on a window: the first column drifts from 20 on, the gate breaks at 26."""
    strength = max(0.0, (number - 16) / 30)
    value = 0.86 - max(0, min(number, 32) - 18) * 0.008 + 0.006 * ((number * 7) % 5 - 2)
    outcome = "degraded" if number >= 26 else "drift" if number >= 20 else "steady"
    labelled = 0 if number >= 28 else 900
    moved = [
        Moved(
            column=name,
            effect=round(
                strength if place == 0 else 0.01 + 0.003 * ((number * (place + 3)) % 4), 4
            ),
            p=1e-9 if place == 0 and number >= 20 else 0.6,
            flagged=place == 0 and number >= 20,
            scale=4 if place == 0 and number < 22 else 1,
            matters=0.62 if place == 0 else None,
            reading="rows moved to higher values" if place == 0 and number >= 20 else "",
            counts=(counts or {}).get(name, ()),
        )
        for place, name in enumerate(columns)
    ]
    performance = (
        Measured(metric="roc_auc", value=value, low=value - 0.025, high=value + 0.022,
                 n=labelled or 1000, estimated=not labelled, threshold=GATE,
                 standing="broken" if value + 0.022 < GATE else "unclear" if value - 0.025 < GATE
                 else "kept"),
        Measured(metric="roc_auc", value=value - 0.03, low=value - 0.09, high=value + 0.03, n=120,
                 estimated=not labelled, slice="region=<west & south>"),
        Measured(metric="brier", value=None, low=None, high=None, n=0, estimated=True,
                 standing="unsaid", reason="rows lie outside of what training knew"),
    )  # fmt: skip
    quality = (
        (Broken(code="WATCH-NEW-CATEGORY", column="region", severity="warning",
                message="3 values of region were never seen in training", rows=31),)
        if number % 9 == 0 else ()
    )  # fmt: skip
    since = START + timedelta(days=number)
    return WatchVerdict(
        model=model, version=version, package=package, window=number, rows=1000, labelled=labelled,
        since=since.isoformat(), until=(since + timedelta(days=1)).isoformat(),
        verdict=outcome,  # type: ignore[arg-type]
        reason={"steady": "nothing moved beyond chance", "drift": f"{columns[0]} moved",
                "degraded": "roc_auc is below its gate"}[outcome],
        drift=tuple(moved), performance=performance, quality=quality,
        objectives=(Objective(name="latency", target=0.99, good=9950, total=10_000, days=30.0,
                              left=0.5, burn=(0.5, 0.4)),),
        versions={str(version): 1000}, alpha=0.01, seconds=0.02,
    )  # fmt: skip


def plant_window(workspace: Workspace, verdict: WatchVerdict) -> None:
    """Store a verdict and append its event."""
    record = put_record(workspace.store, verdict)
    workspace.context().append(
        "watch.judged", verdict.model, parents=(record,), window=verdict.window,
        verdict=verdict.verdict, reason=verdict.reason, rows=verdict.rows,
        labelled=verdict.labelled, since=verdict.since, until=verdict.until,
        version=verdict.version, flagged=[m.column for m in verdict.drift if m.flagged],
        record=record, seconds=verdict.seconds,
    )  # fmt: skip


def plant_incident(workspace: Workspace, model: str, id_: str, verdict: WatchVerdict) -> None:
    """Append an incident that was opened and noted."""
    context = workspace.context()
    causes: list[dict[str, Any]] = [
        {"kind": "column", "score": 0.7, "text": f"{verdict.drift[0].column} moved by "
         f"{verdict.drift[0].effect}", "events": [3], "records": []},
    ]  # fmt: skip
    context.append(
        "incident.opened", model, incident=id_, cause="degraded:roc_auc",
        symptoms=["degraded:roc_auc", f"drift:{verdict.drift[0].column}"], version=verdict.version,
        reason=verdict.reason, window=verdict.window, since=verdict.since, until=verdict.until,
        rows=verdict.rows, causes=causes, record="", action="", text="",
    )  # fmt: skip
    context.append(
        "incident.noted", model, incident=id_, action="retrain", text="a retraining was asked for",
        record="",
    )  # fmt: skip
