"""What happened in a drill, and when, counted from when the fault was put in."""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import datetime

from assay.records.event import Event

TOLD = {
    "server.started": "the server has started",
    "deployment.changed": "every worker answers with {deployment}",
    "alias.moved": "version {version} is the champion: {reason}",
    "release.started": "the release of version {candidate} begins",
    "release.step": "the release goes to its next step: {reason}",
    "release.decided": "the release is {decision}: {reason}",
}
"""Events of the ledger that belong into the timeline of a drill."""


class Diary:
    """Notes with their times, by `time.perf_counter`."""

    def __init__(self) -> None:
        self._lines: list[tuple[float, str]] = []
        self._offset = time.time() - time.perf_counter()
        self.zero = time.perf_counter()

    def note(self, text: str, at: float | None = None) -> float:
        """Write a line, for now or for `at`; return its time."""
        at = time.perf_counter() if at is None else at
        self._lines.append((at, text))
        return at

    def fault(self, text: str) -> None:
        """Write the line from which all times count."""
        self.zero = self.note(text)

    def since(self, at: float) -> float:
        """Return the seconds from the fault to a time."""
        return at - self.zero

    def at(self, event: Event) -> float:
        """Return when an event was written."""
        return datetime.fromisoformat(event.at).timestamp() - self._offset

    def take(self, events: Iterable[Event]) -> None:
        """Write the events that belong into a timeline."""
        for event in events:
            if event.kind in TOLD:
                self.note(TOLD[event.kind].format_map(_told(event)), self.at(event))

    def lines(self) -> tuple[tuple[float, str], ...]:
        """Return what happened, in order."""
        found = sorted(self._lines, key=lambda line: line[0])
        return tuple((round(self.since(at), 3), text) for at, text in found)


def _told(event: Event) -> dict[str, object]:
    data = dict(event.data)
    arms = data.get("deployment", {}).get("arms", ())
    data["deployment"] = " and ".join(
        f"version {arm['version']} ({arm['share']:.0%})" for arm in arms
    )
    data["candidate"] = data.get("candidate", {}).get("version", "")
    return data
