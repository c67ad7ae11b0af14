"""A verdict as JSON data: the envelope of `assay watch --json`, and what the ledger has of it."""

from __future__ import annotations

from typing import Any

from assay.lifecycle.result import plain
from assay.records.watch import Measured, WatchVerdict


def told(verdict: WatchVerdict) -> dict[str, Any]:
    """Return a verdict as plain data; `performance` has the metrics of all rows by name.

    Those of slices stand in `slices`, in the order in which they were asked.
    """
    made: dict[str, Any] = plain(verdict)
    whole = [m for m in verdict.performance if not m.slice]
    made["performance"] = {m.metric: _measured(m) for m in whole}
    made["slices"] = [
        {"slice": m.slice, "metric": m.metric, **_measured(m)}
        for m in verdict.performance
        if m.slice
    ]
    return made


def event_of(verdict: WatchVerdict, record: str) -> dict[str, Any]:
    """Return the data of a ledger event `watch.judged`; the rest is in the stored `record`."""
    flagged = dict.fromkeys(m.column for m in verdict.drift if m.flagged)
    return {
        "window": verdict.window,
        "verdict": verdict.verdict,
        "reason": verdict.reason,
        "rows": verdict.rows,
        "labelled": verdict.labelled,
        "since": verdict.since,
        "until": verdict.until,
        "version": verdict.version,
        "flagged": list(flagged),
        "record": record,
        "seconds": verdict.seconds,
    }


def _measured(measured: Measured) -> dict[str, Any]:
    names = ("value", "low", "high", "estimated", "n", "threshold", "standing", "reason")
    return {name: getattr(measured, name) for name in names}
