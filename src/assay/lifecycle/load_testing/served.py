"""A server of our own for a measurement: a real process on a free port of this machine."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import IO

from assay.errors import UsageError

PATIENCE = 60.0
"""Seconds for a server to be ready, or to end."""

_READY = re.compile(r"^ready (https?://\S+)")
_LINES = 40


class Served:
    """A running server: its address and its process."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process, self.url = process, ""
        self._said: deque[str] = deque(maxlen=_LINES)
        self._told = Event()
        self._thread = Thread(target=self._hear, args=(process.stderr,), daemon=True)
        self._thread.start()

    def wait(self) -> None:
        """Wait for it to be ready; raises UsageError SERVER-NOT-READY, with what it said."""
        self._told.wait(PATIENCE)
        if not self.url:
            raise UsageError(
                "SERVER-NOT-READY",
                "the server did not come up",
                got="".join(self._said).strip() or "nothing was said",
                hint="start it by itself to see why: assay serve NAME",
            )

    def stop(self) -> None:
        """Ask it to end, and make it when it does not."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._thread.join(PATIENCE)

    def workers(self) -> list[int]:
        """Return the process ids of its workers."""
        return children(self.process.pid)

    def peak_mb(self) -> float | None:
        """Return the most memory that its processes had, in megabytes; None where unknown.

        Pages that they share count once, as far as the system tells.
        """
        found = [_peak(pid) for pid in (self.process.pid, *self.workers())]
        return sum(found) / 1e3 if all(found) else None

    def _hear(self, pipe: IO[str]) -> None:
        for line in pipe:
            self._said.append(line)
            found = _READY.match(line)
            if found:
                self.url = found[1]
                self._told.set()
        pipe.close()
        self._told.set()


@contextmanager
def served(
    references: Sequence[str], store: Path, *more: str, folder: Path | None = None
) -> Iterator[Served]:
    """Run `assay serve` for these models until the block ends; `more` are further options.

    Raises UsageError SERVER-NOT-READY when it does not come up.
    """
    words = [sys.executable, "-m", "assay.cli.main", "serve", *references]
    words += ["--port", "0", "--store", str(store), *more]
    process = subprocess.Popen(  # noqa: S603
        words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, cwd=folder,
        start_new_session=True,
    )  # fmt: skip
    server = Served(process)
    try:
        server.wait()
        yield server
    finally:
        server.stop()


def children(pid: int) -> list[int]:
    """Return the processes that a process has started; none where the system does not tell."""
    try:
        return [int(w) for w in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def _peak(pid: int) -> float:
    """Return kilobytes: what a process has for itself and its part of what is shared, at its most.

    That is its part now (Pss), and what it once had more than it has now (HWM less RSS).
    """
    try:
        rolled = Path(f"/proc/{pid}/smaps_rollup").read_text()
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0.0
    return _field(rolled, "Pss") + _field(status, "VmHWM") - _field(status, "VmRSS")


def _field(text: str, name: str) -> float:
    found = re.search(rf"^{name}:\s+(\d+) kB", text, re.MULTILINE)
    return float(found[1]) if found else 0.0
