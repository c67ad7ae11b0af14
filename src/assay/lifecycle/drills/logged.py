"""Whether every answer that was given is in the log, once."""

from __future__ import annotations

from dataclasses import dataclass

from assay.lifecycle.drills.scene import Scene
from assay.serve.log.reader import read_log
from assay.serve.log.shelf import LOG


@dataclass(frozen=True)
class Logged:
    """How many answers were given, when those the log lacks came, and how many it has twice."""

    acknowledged: int
    lost: tuple[float, ...]
    doubled: int


def logged(scene: Scene) -> Logged:
    """Compare the ids of all answers with the log of a server that has ended."""
    frame = read_log(scene.workspace.root / LOG, scene.name).select("request", "row").collect()
    counts = frame.group_by("request", "row").len()
    known = set(counts["request"].to_list())
    lost = tuple(seen.at for seen in scene.seen if seen.request not in known)
    return Logged(len(scene.seen), lost, frame.height - counts.height)
