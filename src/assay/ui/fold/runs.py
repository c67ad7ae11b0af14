"""Runs as small rows: what a list shows, and where in the ledger the rest stands."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from assay.lifecycle.history import FAILED, FINISHED, RESUMED, STARTED
from assay.records.event import Event


@dataclass(slots=True)
class RunRow:
    """One run; `begun` and `ended` are the numbers of its first and last event, -1 for none.

    `status` is finished, stopped, failed or interrupted; `verdict` is "" without one.
    """

    run: str
    project: str
    started_at: str
    actor: str
    snapshot: str
    begun: int
    ended: int = -1
    status: str = "interrupted"
    verdict: str = ""
    seconds: float = 0.0
    decision: str = ""

    @property
    def shown(self) -> str:
        """Return the verdict, or the status of a run that has none."""
        return self.verdict or self.status


class Runs:
    """Every run by id, in the order of their first start."""

    def __init__(self) -> None:
        self.rows: dict[str, RunRow] = {}
        self.projects: dict[str, list[RunRow]] = {}

    def take(self, event: Event) -> None:
        """Read one more event."""
        if event.kind == STARTED:
            self._start(event)
        row = self.rows.get(event.subject)
        if row is None:
            return
        if event.kind == RESUMED:
            row.status, row.verdict = "interrupted", ""
        elif event.kind in (FINISHED, FAILED):
            row.ended = event.seq
            row.status = event.data["status"]
            row.verdict = event.data.get("verdict", "")
            row.seconds = event.data.get("seconds", 0.0)
            row.decision = event.data.get("records", {}).get("judge", "")

    def _start(self, event: Event) -> None:
        row = RunRow(
            run=event.subject,
            project=event.data["project"],
            started_at=event.at,
            actor=event.actor,
            snapshot=event.data["given"].get("snapshot", ""),
            begun=event.seq,
        )
        self.rows[row.run] = row
        self.projects.setdefault(row.project, []).append(row)


SORTS = {
    "started": lambda row: row.started_at,
    "run": lambda row: row.run,
    "project": lambda row: row.project,
    "verdict": lambda row: row.shown,
    "took": lambda row: row.seconds,
}
"""By what a list of runs can be sorted; a leading minus turns it round."""


def chosen(
    rows: Iterable[RunRow], *, project: str = "", verdict: str = "", text: str = "", sort: str = ""
) -> list[RunRow]:
    """Return the rows of a project with a verdict (or status) and a text in their id, sorted."""
    wanted = text.casefold()
    found = [
        row
        for row in rows
        if (not project or row.project == project)
        and (not verdict or row.shown == verdict)
        and (not wanted or wanted in row.run.casefold() or wanted in row.actor.casefold())
    ]
    key = SORTS.get(sort.removeprefix("-"), SORTS["started"])
    return sorted(found, key=key, reverse=sort.startswith("-") or not sort)
