"""Drill: a version whose answers are wrong is released, and its canary has to abort by itself."""

from __future__ import annotations

import asyncio

from assay.lifecycle.drills.outcome import Outcome, kinds_of
from assay.lifecycle.drills.scene import Scene
from assay.lifecycle.drills.spoil import WHY
from assay.lifecycle.releasing.release import start
from assay.lifecycle.releasing.releases import ABORTED, DECIDED
from assay.records.event import Event

CANARY = ("release.strategy=canary", "release.steps=[0.05, 0.5]")
"""What the release is asked for, in place of what the project's file says."""

HARM = 0.01
"""The share of all requests that may be answered wrongly."""


async def bad_model(scene: Scene) -> Outcome:
    """Release the wrong version by a canary; its answers are compared with the good version's."""
    store, diary, wrong = scene.workspace.root, scene.diary, f"{scene.name}@{scene.other}"

    async def script() -> None:
        await asyncio.sleep(scene.seconds / 10)
        diary.fault(f"assay release {wrong}")
        await asyncio.to_thread(start, wrong, CANARY, WHY, store=store)

    with scene.server("--workers", "2"):
        fired = await scene.load(script)
        ended = _decided(scene.events())
    aborted = ended is not None and ended.data["decision"] == ABORTED
    detect = recover = None
    if ended is not None and aborted:
        detect = diary.since(diary.at(ended))
        recover = max(detect, scene.last(scene.other, "the last answer of the bad version") or 0.0)
    refused = bool((fired.ok | fired.told).all())
    bad, harm = scene.checker.wrong, scene.checker.wrong / fired.requests
    return Outcome(
        detect,
        recover,
        fired.errors,
        bad,
        fired.requests,
        (
            (f"every request was answered, or refused for load{kinds_of(fired)}", refused),
            ("the bad version was asked", bool(scene.times(scene.other))),
            ("its release was aborted by itself", aborted),
            (f"{harm:.2%} of all answers were wrong, less than {HARM:.0%}", harm < HARM),
        ),
    )


def _decided(events: list[Event]) -> Event | None:
    return next((event for event in events if event.kind == DECIDED), None)
