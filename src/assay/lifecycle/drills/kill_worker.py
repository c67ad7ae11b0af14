"""Drill: one of two workers is killed without warning."""

from __future__ import annotations

import asyncio
import os
import signal

from assay.lifecycle.drills.logged import logged
from assay.lifecycle.drills.outcome import Check, Outcome, kinds_of, wrong_answers
from assay.lifecycle.drills.scene import Scene, until
from assay.loadgen.fired import Fired

WITHIN = 1.0
"""Seconds in which requests may fail."""

PATIENCE = 10.0

SLACK = 0.5
"""Seconds by which a flush may be late on a busy machine."""


async def kill_worker(scene: Scene) -> Outcome:
    """Kill a worker under load; then stop the server, and look into its log."""
    diary = scene.diary
    detect: float | None = None
    with scene.server("--workers", "2") as server:
        victims = server.workers()

        def whole() -> bool:
            now = server.workers()
            return len(now) == len(victims) and now != victims

        async def script() -> None:
            nonlocal detect
            await asyncio.sleep(scene.seconds / 3)
            diary.fault(f"SIGKILL to one of {len(victims)} workers")
            os.kill(victims[0], signal.SIGKILL)
            if await until(whole, PATIENCE):
                detect = diary.since(diary.note("another worker is started"))

        fired = await scene.load(script)
        server.stop()
    failing, back = _failing(scene, fired), _back(scene)
    return Outcome(
        detect,
        None if back is None else max(back, failing),
        fired.errors,
        wrong_answers(scene),
        fired.requests,
        (
            ("another worker took its place, and answers", back is not None),
            (
                f"requests failed for {failing:.2f} s, at most {WITHIN:g} s{kinds_of(fired)}",
                failing <= WITHIN,
            ),
            ("no answer was wrong", wrong_answers(scene) == 0),
            *_log_checks(scene),
        ),
    )


def _failing(scene: Scene, fired: Fired) -> float:
    """Return the seconds from the kill to the end of the last request that failed."""
    if not fired.errors:
        return 0.0
    last = fired.started + float((fired.due + fired.taken)[~fired.ok].max())
    return scene.diary.since(scene.diary.note("the last request that failed", last))


def _back(scene: Scene) -> float | None:
    """Return when a worker first answered that was not there before the kill, in seconds.

    The ids that a worker gives start alike, and otherwise than those of any other.
    """
    zero = scene.diary.zero
    known = {_worker(seen.request) for seen in scene.seen if seen.at <= zero}
    new = (seen.at for seen in scene.seen if _worker(seen.request) not in known)
    at = next(new, None)
    return None if at is None else scene.diary.since(scene.diary.note("it answers", at))


def _worker(request: str) -> str:
    return request.rpartition("-")[0]


def _log_checks(scene: Scene) -> list[Check]:
    found, killed, flush = logged(scene), scene.diary.zero, scene.serve.flush
    early = [at for at in found.lost if not killed - flush - SLACK <= at <= killed + SLACK]
    said = f"{found.acknowledged:,} answers, {len(found.lost):,} of them not in the log"
    return [
        (f"{said}: none from before the last {flush:g} s of the killed worker", not early),
        ("no row is in the log twice", found.doubled == 0),
    ]
