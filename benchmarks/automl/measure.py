"""Run one process on a quiet machine, and say what it and its children took."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

PAGE, TICK = os.sysconf("SC_PAGE_SIZE"), os.sysconf("SC_CLK_TCK")
EVERY = 0.2
QUIET = 0.1
"""Cores at work below which the machine counts as quiet."""


@dataclass(frozen=True)
class Measured:
    """A finished process.

    `peak_rss_mb` sums the tree, so that shared pages count more than once. `others` is the cores
    that everything else on the machine used meanwhile: near nought, or the figures are worth less.
    """

    code: int
    wall_s: float
    cpu_s: float
    peak_rss_mb: float
    load_before: float
    others: float
    killed: bool
    tail: str


def wait_until_quiet() -> None:
    """Return once three looks in a row, two seconds each, find the machine with little to do.

    The load of the last minute would not do: the measurement before keeps it up for minutes.
    """
    looks = 0
    while looks < 3:
        before = _busy()
        time.sleep(2)
        looks = looks + 1 if _busy() - before < 2 * QUIET else 0


def clean_environment() -> dict[str, str]:
    """Return the environment without limits on threads, and with compiled Python kept.

    Every framework may use both cores, and none compiles its sources anew each time.
    """
    limits = ("OMP_", "OPENBLAS_", "MKL_", "POLARS_MAX_THREADS", "PYTHONDONTWRITEBYTECODE")
    return {name: value for name, value in os.environ.items() if not name.startswith(limits)}


def measured(words: list[str], log: Path, limit: float) -> Measured:
    """Run `words` with its output in `log`; kill the whole tree after `limit` seconds."""
    load, busy = os.getloadavg()[0], _busy()
    start = time.perf_counter()
    with log.open("w") as out:
        process = subprocess.Popen(
            words, stdout=out, stderr=subprocess.STDOUT, env=clean_environment()
        )
    tree, peak, killed = _Tree(process.pid), 0.0, False
    try:
        while process.poll() is None:
            peak = max(peak, tree.look())
            if not killed and time.perf_counter() - start > limit:
                killed = True
                tree.kill()
            time.sleep(EVERY)
        wall = time.perf_counter() - start
    finally:
        tree.kill()  # what a process leaves behind would disturb the next measurement
    others = max(_busy() - busy - tree.cpu(), 0.0) / wall
    tail = log.read_text(errors="replace")[-1500:]
    return Measured(
        process.returncode,
        round(wall, 2),
        round(tree.cpu(), 1),
        round(peak / 1e6, 1),
        round(load, 2),
        round(others, 2),
        killed,
        tail,
    )


def _busy() -> float:
    """Return the seconds that all cores together have been at work since the machine started."""
    user, nice, system = (int(x) for x in Path("/proc/stat").read_text().split()[1:4])
    return (user + nice + system) / TICK


class _Tree:
    """A process and all that came of it, also what was handed to init when its parent ended.

    Members are known by number and start, for a number may be given to another process later.
    """

    def __init__(self, root: int) -> None:
        self.root = root
        self.seconds: dict[tuple[int, str], float] = {}

    def look(self) -> float:
        """Note the processor seconds of every member, and return their resident bytes."""
        return float(sum(rss for _, rss in self._members()))

    def cpu(self) -> float:
        """Return the processor seconds of all members, as last seen."""
        return sum(self.seconds.values())

    def kill(self) -> None:
        """End every member that still runs."""
        for pid, _ in self._members():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def _members(self) -> list[tuple[int, int]]:
        """Return the number and resident bytes of every living member."""
        parents, found = {}, {}
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
            except OSError:  # it ended meanwhile
                continue
            key = (int(folder.name), fields[19])
            cpu = (int(fields[11]) + int(fields[12])) / TICK
            found[key] = (cpu, int(fields[21]) * PAGE)
            parents[key] = int(fields[1])
        first = not self.seconds
        alive = {k for k in found if k in self.seconds or (first and k[0] == self.root)}
        pids = {pid for pid, _ in alive}
        while joined := {k for k, up in parents.items() if up in pids} - alive:
            alive |= joined
            pids |= {pid for pid, _ in joined}
        self.seconds |= {key: found[key][0] for key in alive}
        return [(key[0], found[key][1]) for key in alive]
