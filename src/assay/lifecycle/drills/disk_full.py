"""Drill: the disk has no room for the log, and then has some again."""

from __future__ import annotations

import asyncio
import re
import resource
import time
import urllib.request
from dataclasses import dataclass

from assay.lifecycle.drills.logged import logged
from assay.lifecycle.drills.outcome import Check, Outcome
from assay.lifecycle.drills.scene import Scene

PATIENCE = 45.0
"""Seconds for the log to catch up: the longer there was no room, the less often it tries."""

LOOK = 0.2
"""Seconds between two looks at the metrics."""

_GAUGE = re.compile(r"^assay_log_(\w+?)(?:_total)?\{[^}]*\} (\S+)$", re.MULTILINE)


@dataclass
class Watch:
    """What /metrics says of the log: rows that wait, and times that it could not be written."""

    url: str
    backlog: float = 0.0
    errors: float = 0.0
    most: float = 0.0

    async def look(self) -> None:
        """Read the metrics, summed over all workers."""
        text = await asyncio.to_thread(self._read)
        found: dict[str, float] = {}
        for name, value in _GAUGE.findall(text):
            found[name] = found.get(name, 0.0) + float(value)
        self.backlog, self.errors = found.get("backlog_rows", 0.0), found.get("errors", 0.0)
        self.most = max(self.most, self.backlog)

    def _read(self) -> str:
        with urllib.request.urlopen(f"{self.url}/metrics", timeout=5) as page:  # noqa: S310
            text: str = page.read().decode()
            return text


async def disk_full(scene: Scene) -> Outcome:
    """Allow the workers no byte in any file under load, then as many as before."""
    found: list[float | None] = []
    with scene.server("--workers", "2") as server:
        watch = Watch(server.url)

        async def script() -> None:
            await asyncio.sleep(scene.seconds / 5)
            await watch.look()
            calm = 2 * scene.rps * scene.serve.flush
            found.append(await _without_room(scene, watch, server.workers(), calm))
            found.append(await _caught_up(scene, watch, calm))

        fired = await scene.load(script)
        server.stop()
    detect, recover = found
    return Outcome.of(scene, fired, (detect, recover), *_checks(scene, watch, detect, recover))


async def _without_room(
    scene: Scene, watch: Watch, workers: list[int], calm: float
) -> float | None:
    """Take the room away for half of the drill; return after how long the metrics told.

    They tell by the errors they count, or by more rows that wait than the `calm` number of them.
    """
    diary, before = scene.diary, watch.errors
    diary.fault("the workers may write no byte to any file (RLIMIT_FSIZE)")
    detect = None
    _limit(workers, 0)
    try:
        while diary.since(time.perf_counter()) < scene.seconds / 2:
            await asyncio.sleep(LOOK)
            await watch.look()
            if detect is None and (watch.errors > before or watch.backlog > calm):
                detect = diary.since(diary.note("/metrics tells that the log is not written"))
    finally:
        _limit(workers, resource.RLIM_INFINITY)
    return detect


async def _caught_up(scene: Scene, watch: Watch, calm: float) -> float | None:
    """Wait until no more rows wait than `calm`, and return after how long; None when more do."""
    freed = scene.diary.note(f"there is room again; {watch.backlog:,.0f} rows wait")
    while time.perf_counter() < freed + PATIENCE:
        await watch.look()
        if watch.backlog <= calm:
            return scene.diary.note("the log has caught up") - freed
        await asyncio.sleep(LOOK)
    return None


def _limit(workers: list[int], size: int) -> None:
    for pid in workers:
        _, most = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, most))


def _checks(scene: Scene, watch: Watch, detect: float | None, recover: float | None) -> list[Check]:
    found = logged(scene)
    return [
        ("/metrics showed that the log could not be written", detect is not None),
        (f"/metrics showed up to {watch.most:,.0f} rows that waited", watch.most > 0),
        ("the log caught up when there was room again", recover is not None),
        (f"{found.acknowledged:,} answers, {len(found.lost):,} of them not in the log",
         not found.lost),
        ("no row is in the log twice", found.doubled == 0),
    ]  # fmt: skip
