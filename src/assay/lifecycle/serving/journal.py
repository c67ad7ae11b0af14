"""What a server writes down of itself: events in the ledger, and a sign of life beside it."""

from __future__ import annotations

import os
import platform
import uuid
from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import Any

from assay.errors import AssayError
from assay.kernel.stage import Context
from assay.records.event import Event
from assay.stores.faults import explained

STARTED, STOPPED = "server.started", "server.stopped"
CHANGED, FAILED = "deployment.changed", "deployment.failed"

FOLDER = "servers"
"""Folder of a store in which each server has a file; its time is when the server last lived."""

BEAT = 1.0
SILENT = 10.0
"""Seconds between two signs of life, and without one after which a server counts as dead."""


class Journal:
    """Writes the events of one server; what the ledger cannot take now is written later."""

    def __init__(self, context: Context) -> None:
        self.server = uuid.uuid4().hex[:12]
        self.url = ""
        self._context = context
        self._file = context.folder / FOLDER / self.server
        self._late: deque[tuple[str, str, dict[str, Any]]] = deque()
        self._beaten = 0.0

    def start(self, url: str, workers: int, models: Iterable[str]) -> None:
        """Take note of the start, and of the end of servers that died without a word.

        Raises StoreError where the store cannot be written.
        """
        self.url = url
        with explained(self._file):
            self._file.parent.mkdir(exist_ok=True)
            self._file.touch()
            for server, last in silent(self._context.folder):
                self._add(STOPPED, server, reason="died", last_seen=last)
                (self._file.parent / server).unlink(missing_ok=True)
        self._add(STARTED, self.server, workers=workers, models=list(models), host=platform.node())
        self._write()

    def note(self, kind: str, subject: str, **data: Any) -> None:
        """Write an event with the time at which it happened; later, where that cannot be now."""
        self._add(kind, subject, **data)
        with suppress(AssayError):  # `beat` tries again
            self._write()

    def beat(self) -> None:
        """Show that the server lives, and write what is late; call it often, it is cheap."""
        if monotonic() - self._beaten < BEAT:
            return
        self._beaten = monotonic()
        with suppress(OSError):  # a full disk, a folder that is gone: the server goes on
            self._file.touch()
        with suppress(AssayError):
            self._write()

    def stop(self, reason: str) -> None:
        """Take note of the end."""
        self.note(STOPPED, self.server, reason=reason)
        with suppress(OSError):
            self._file.unlink(missing_ok=True)

    def _add(self, kind: str, subject: str, **data: Any) -> None:
        about = {"server": self.server, "url": self.url, "pid": os.getpid(), "since": now()}
        self._late.append((kind, subject, about | data))

    def _write(self) -> None:
        while self._late:
            kind, subject, data = self._late[0]
            self._context.append(kind, subject, **data)
            self._late.popleft()


def silent(root: Path) -> list[tuple[str, str]]:
    """Return the servers of a store that died without a word, and when each last lived."""
    found = []
    for file in sorted((root / FOLDER).glob("*")):
        seen = datetime.fromtimestamp(file.stat().st_mtime, UTC)
        if (datetime.now(UTC) - seen).total_seconds() > SILENT:
            found.append((file.name, seen.isoformat(timespec="microseconds")))
    return found


def ended(events: Iterable[Event], root: Path) -> dict[str, str]:
    """Return when each server ended that has, by its own word or by its silence."""
    found = dict(silent(root))
    for event in events:
        if event.kind == STOPPED:
            found[event.subject] = event.data.get("last_seen") or event.data["since"]
    return found


def now() -> str:
    """Return the time as the ledger writes it."""
    return datetime.now(UTC).isoformat(timespec="microseconds")
