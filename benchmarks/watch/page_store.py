"""A large store for the page: many runs in the ledger, and many rows in the prediction log.

The events of a run are those of a real one with other names and digests, chained by the ledger's
own code; the rows of the log are really written, with few columns.
"""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import polars as pl

sys.path.insert(0, str(Path(__file__).parents[2] / "tests" / "unit" / "ui"))
sys.path.insert(0, str(Path(__file__).parents[2] / "tests" / "serving"))
from shop import _NAMES, CHURNY, Shop, make_table
from ui_planted import make_verdict, plant_incident

from assay.kernel.store import put_record
from assay.records.base import digest, to_json
from assay.records.event import Draft, Event, make_event
from assay.serve.log.shelf import COVERS, LOG, Unit, log_of, segment_name
from assay.stores.workspace import Workspace

EVENTS, PROJECTS = 30, 25
"""Events of a run, and projects that the runs are shared among."""

WATCHED, WINDOWS, COLUMNS = 3, 90, 30
SEGMENT = 1_000_000
REQUEST = 1_000
"""Rows of a file of the log, and of a request in it."""

_BATCH = 20_000


def make_store(folder: Path, runs: int, rows: int) -> Shop:
    """Make a store with so many runs and logged rows; the first run is a real one."""
    shop = Shop(folder)
    project = folder / "churny"
    project.mkdir(parents=True)
    make_table().drop("price").write_csv(project / "churny.csv")
    (project / "assay.toml").write_text(CHURNY.format(more="", linear=_NAMES["linear"]))
    shop.assay("run", project)
    workspace = shop.workspace()
    _append(workspace, list(_copies(_pattern(workspace), runs)))
    _watch(workspace)
    _log(workspace, rows)
    return shop


def _pattern(workspace: Workspace) -> list[Event]:
    """Return the events of the real run, with as many choices and pieces of work as wanted."""
    events = list(workspace.ledger.read())
    run = next(event.subject for event in events if event.kind == "run.started")
    own = [e for e in events if run in (e.subject, e.data.get("run")) or e.kind == "alias.moved"]
    work = [e for e in own if e.kind == "work.finished"]
    others = [e for e in own if e.kind != "work.finished"]
    choices = [e for e in events if e.kind == "choice.made"]
    missing = EVENTS - len(others)
    *first, last = others
    return [*choices[: missing // 2], *first, *work[: missing - missing // 2], last]


def _copies(pattern: list[Event], runs: int) -> Iterator[Draft]:
    """Yield the events of all runs; each has a package of its own."""
    run = next(event.subject for event in pattern if event.kind == "run.started")
    verdicts = ("accepted", "accepted", "inconclusive", "rejected")
    for number in range(runs):
        project, name = f"project-{number % PROJECTS:02d}", f"project-{number % PROJECTS:02d}"
        mine = f"{project}-{number:08x}"
        for event in pattern:
            if event.kind == "alias.moved" and number % 4 > 1:
                continue
            data = _renamed(event.data, {run: mine, "churny": project})
            if event.kind == "run.finished":
                data["verdict"] = verdicts[number % 4]
            elif event.kind == "model.registered":
                data |= {"package": digest(number), "verdict": verdicts[number % 4]}
            elif event.kind == "alias.moved":
                data["version"] = number // PROJECTS + 1
            subject = {run: mine, "churny": name}.get(event.subject, event.subject)
            yield Draft(kind=event.kind, subject=subject, actor=event.actor, agency=event.agency,
                        data=data, parents=event.parents)  # fmt: skip


def _renamed(data: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    return {
        key: names.get(value, value) if isinstance(value, str) else value
        for key, value in data.items()
    }


def _append(workspace: Workspace, drafts: list[Draft]) -> None:
    """Append many events in one transaction, spread over the last half year."""
    *_, last = workspace.ledger.read()
    step = timedelta(days=180) / max(len(drafts), 1)
    seq, previous, start = last.seq, last.digest, datetime.now(UTC) - timedelta(days=180)
    path = workspace.root / "ledger.sqlite"
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    rows: list[tuple[int, str]] = []
    for place, draft in enumerate(drafts):
        seq += 1
        at = (start + place * step).isoformat(timespec="microseconds")
        event = make_event(draft, seq=seq, at=at, previous=previous)
        previous = event.digest
        rows.append((seq, to_json(event).decode()))
        if len(rows) == _BATCH or place + 1 == len(drafts):
            connection.executemany("INSERT INTO events (rowid, json) VALUES (?, ?)", rows)
            rows = []
    connection.execute(f"PRAGMA user_version={seq + 1}")
    connection.execute("COMMIT")
    connection.close()


def _watch(workspace: Workspace) -> None:
    """Append windows of a few models, and an incident each."""
    columns = tuple(f"column_{i:02d}" for i in range(COLUMNS))
    for model in range(WATCHED):
        name = f"project-{model:02d}"
        verdicts = [make_verdict(name, n, columns, {c: tuple(range(22)) for c in columns})
                    for n in range(WINDOWS)]  # fmt: skip
        drafts = []
        for verdict in verdicts:
            record = put_record(workspace.store, verdict)
            drafts.append(Draft(kind="watch.judged", subject=name, actor="watcher", data={
                "window": verdict.window, "verdict": verdict.verdict, "reason": verdict.reason,
                "rows": verdict.rows, "labelled": verdict.labelled, "since": verdict.since,
                "until": verdict.until, "version": verdict.version, "record": record,
                "flagged": [m.column for m in verdict.drift if m.flagged],
                "seconds": 0.1}, parents=(record,)))  # fmt: skip
        _append(workspace, drafts)
        plant_incident(workspace, name, f"{name}-1", verdicts[26])


def _log(workspace: Workspace, rows: int) -> None:
    """Write the rows as merged files of a real log, the newest ending now."""
    rng = np.random.default_rng(1)
    start = int((datetime.now(UTC) - timedelta(days=30)).timestamp() * 1e6)
    step = int(30 * 86_400e6) // max(rows, 1)
    shelf = log_of(workspace.folder(LOG), "project-00")
    shelf.segments.mkdir(parents=True)
    place = np.arange(SEGMENT)
    table = pl.DataFrame(
        {
            "request": pl.Series((place // REQUEST).astype(str)),
            "row": (place % REQUEST).astype(np.int32),
            "at": place * step,
            "model": pl.repeat("project-00", SEGMENT, eager=True),
            "version": pl.repeat(1, SEGMENT, dtype=pl.Int32, eager=True),
            "shadow": pl.repeat(False, SEGMENT, eager=True),
            "micros": rng.integers(40, 900, SEGMENT),
            "warned": pl.repeat(False, SEGMENT, eager=True),
            "in.fee": rng.integers(0, 100, SEGMENT).astype(float),
            "label": pl.Series(np.where(rng.random(SEGMENT) < 0.3, "yes", "no")),
        }
    )
    for number in range(rows // SEGMENT):
        first = start + number * SEGMENT * step
        at = (pl.col("at") + first).cast(pl.Datetime("us", "UTC"))
        unit = Unit(f"v1-{first:x}-{number:08x}-w0", 0, 1)
        covers = msgspec.json.encode([(unit.name, SEGMENT)]).decode()
        path = shelf.segments / segment_name(1, first, first + (SEGMENT - 1) * step)
        table.with_columns(at).write_parquet(path, compression="zstd", metadata={COVERS: covers})
