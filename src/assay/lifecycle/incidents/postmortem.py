"""The draft of an incident's postmortem: what belongs to it is gathered, and written down."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from assay.errors import UsageError
from assay.kernel.stage import user_name
from assay.lifecycle.incidents.incidents import Incident, Incidents
from assay.lifecycle.result import plain
from assay.lifecycle.retraining.retrains import Retrains
from assay.report.incident import Told, markdown_incident, render_incident
from assay.serve.log.reader import read_log
from assay.serve.log.shelf import LOG
from assay.stores.faults import explained
from assay.stores.workspace import Workspace, find_workspace

_WRITERS = {".html": render_incident, ".md": markdown_incident}


def tell(reference: str, *, store: str | Path | None = None) -> Told:
    """Return an incident with all that the store knows of it; raises UsageError."""
    workspace = find_workspace(store)
    events = list(workspace.ledger.read())
    incident = Incidents(events).find(reference)
    retrain = Retrains(events).of_incident(incident.id)
    return Told(
        incident=incident.to_dict(),
        requests=_asked(workspace, incident),
        retrain=None if retrain is None else {**vars(retrain), "section": plain(retrain.section)},
        ledger={
            "at": datetime.now(UTC).isoformat(timespec="microseconds"),
            "actor": user_name(),
            "events": len(events),
        },
    )


def write(
    reference: str, out: Path | None = None, *, store: str | Path | None = None
) -> tuple[Path, ...]:
    """Write the draft as HTML or Markdown by the ending of `out`, as both without it.

    Raises UsageError for another ending, StoreError where there is no room or no right to write.
    """
    told = tell(reference, store=store)
    if out is None:
        stem = find_workspace(store).folder("reports") / f"incident-{told.incident['id']}"
        paths = tuple(stem.with_suffix(suffix) for suffix in _WRITERS)
    else:
        paths = (out,)
    for path in paths:
        render = _WRITERS.get(path.suffix.lower())
        if render is None:
            raise UsageError(
                "INCIDENT-FORMAT",
                "the ending of the output file names no format that a postmortem is written in",
                got=path.name,
                allowed=list(_WRITERS),
            )
        draft = path.with_name(f".{path.name}.{os.getpid()}")
        with explained(path):
            try:
                draft.write_text(render(told), encoding="utf-8")
                draft.replace(path)
            finally:
                draft.unlink(missing_ok=True)
    return paths


def _asked(workspace: Workspace, incident: Incident) -> dict[str, Any]:
    """Return how many requests and rows the log holds from its first to its last bad row."""
    if not incident.since or not incident.until:
        return {"requests": 0, "rows": 0}
    since, until = (datetime.fromisoformat(t) for t in (incident.since, incident.until))
    rows = read_log(
        workspace.root / LOG, incident.model, since, until + timedelta(microseconds=1)
    ).filter(~pl.col("shadow"))
    found = rows.select(pl.col("request").n_unique().alias("requests"), pl.len().alias("rows"))
    return found.collect().to_dicts()[0]
