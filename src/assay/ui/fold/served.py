"""Servers: which live, and which versions each answered with in which spell."""

from __future__ import annotations

from pathlib import Path

from assay.lifecycle.serving.journal import CHANGED, STARTED, STOPPED
from assay.lifecycle.serving.live import Spell, spells
from assay.records.event import Event


class Served:
    """The events about servers, of which there are few."""

    def __init__(self) -> None:
        self._events: list[Event] = []

    def take(self, event: Event) -> None:
        """Read one more event."""
        if event.kind in (STARTED, STOPPED, CHANGED):
            self._events.append(event)

    def spells(self, model: str, root: Path) -> list[Spell]:
        """Return when which versions of a model answered; the last breath of the dead is read."""
        mine = (e for e in self._events if e.kind != CHANGED or e.subject == model)
        return spells(mine, model, root)
