"""When the log is merged: after so many bytes, every hour, and at start what was left behind."""

from __future__ import annotations

import os
import subprocess
import sys
import time

from assay.serve.log.shelf import Shelf

HOUR = 3600.0
FIRST = 5.0
"""Seconds after which what an earlier process left is merged: not while a server starts."""


class Merging:
    """Starts merging as a process of its own (`merge.py`): the event loop never waits for it."""

    def __init__(self) -> None:
        self._shelves: dict[Shelf, _Due] = {}
        self._running: subprocess.Popen[bytes] | None = None

    def expect(self, shelf: Shelf, size: float, keep: float) -> None:
        """Merge this shelf once `size` bytes were written to it, and every hour, first soon."""
        due = self._shelves.setdefault(shelf, _Due())
        due.size, due.keep = size, keep

    def wrote(self, shelf: Shelf, size: int) -> None:
        """Count bytes written to a shelf."""
        self._shelves[shelf].written += size

    def start(self) -> None:
        """Start the process for one shelf that is due, unless one is running."""
        if self._running is not None and self._running.poll() is None:
            return
        self._running = None
        now = time.monotonic()
        for shelf, due in self._shelves.items():
            if due.written >= due.size or now >= due.time:
                due.written, due.time = 0, now + HOUR
                if shelf.path.is_dir():
                    self._running = _start(shelf, due)
                    return

    def end(self) -> None:
        """Stop a process that is running; the next one goes on from where it was."""
        if self._running is not None:
            self._running.terminate()
            self._running.wait()
            self._running = None


class _Due:
    """What decides when a shelf is merged."""

    def __init__(self) -> None:
        self.size, self.keep, self.written = 0.0, 0.0, 0
        self.time = time.monotonic() + FIRST


def _start(shelf: Shelf, due: _Due) -> subprocess.Popen[bytes]:
    words = [str(shelf.path), repr(due.size), repr(due.keep)]
    return subprocess.Popen(  # noqa: S603 (our own interpreter and module)
        # -P: what lies in the current folder must not stand in for a library
        [sys.executable, "-P", "-m", "assay.serve.log.merge", *words],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        env=os.environ | {"POLARS_MAX_THREADS": "1"},
        close_fds=True,
    )
