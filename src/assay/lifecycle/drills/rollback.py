"""Drill: a new version has gone live, and is taken back."""

from __future__ import annotations

import asyncio

from assay.lifecycle import models
from assay.lifecycle.drills.outcome import Outcome
from assay.lifecycle.drills.scene import Scene, until
from assay.lifecycle.drills.spoil import WHY

WITHIN = 1.0
"""Seconds in which every worker answers with the version before."""

PATIENCE = 10.0


async def rollback(scene: Scene) -> Outcome:
    """Promote the other version under load, then roll back; count until the last answer of it."""
    store, diary = scene.workspace.root, scene.diary

    async def script() -> None:
        await asyncio.sleep(scene.seconds / 4)
        new = f"{scene.name}@{scene.other}"
        await asyncio.to_thread(models.promote, new, WHY, store=store)
        await until(lambda: bool(scene.times(scene.other)), PATIENCE)
        await asyncio.sleep(scene.seconds / 4)
        diary.fault(f"assay rollback {scene.name}")
        await asyncio.to_thread(models.rollback, scene.name, WHY, store=store)

    with scene.server("--workers", "2"):
        fired = await scene.load(script)
    detect = scene.first(scene.good, "the version before answers")
    recover = None
    if detect is not None:
        recover = max(detect, scene.last(scene.other, "the last answer of the new version") or 0.0)
    return Outcome.of(
        scene,
        fired,
        (detect, recover),
        ("both versions answered", bool(scene.times(scene.other)) and detect is not None),
        (f"every worker was back within {WITHIN:g} s", recover is not None and recover <= WITHIN),
    )
