"""What answered when: the spells in which a server answered with certain versions of a model."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assay.lifecycle.serving.journal import CHANGED, ended
from assay.records.event import Event


@dataclass
class Spell:
    """From `since` until `until` ("" while it lasts) a server answered with these versions.

    Each of `arms` has a version and the share of the requests it answered; a shadow's answers were
    given to nobody.
    """

    server: str
    url: str
    pid: int
    arms: list[dict[str, Any]]
    release: str
    since: str
    until: str = ""

    def covers(self, at: str) -> bool:
        """Return True where the spell was on at a time (ISO 8601, UTC)."""
        return self.since <= at and (not self.until or at < self.until)


def spells(events: Iterable[Event], name: str, root: Path) -> list[Spell]:
    """Return every spell of a model, in order; a server that died has its end at its last breath.

    `root` is the folder of the store, where each server that lives leaves its signs.
    """
    listed = list(events)
    ends = ended(listed, root)
    found: list[Spell] = []
    for event in listed:
        if event.kind == CHANGED and event.subject == name:
            data = event.data
            for spell in found:
                if spell.server == data["server"] and not spell.until:
                    spell.until = data["since"]
            arms = [
                {key: arm[key] for key in ("version", "share", "shadow")}
                for arm in data["deployment"]["arms"]
            ]
            release = data["deployment"]["release"]
            if not arms:  # unloaded
                continue
            about = data["server"], data["url"], data["pid"]
            found.append(Spell(*about, arms, release, data["since"]))
    for spell in found:
        spell.until = spell.until or ends.get(spell.server, "")
    return found
