"""The loop on the fraud example, unattended: from the fault to the new model, and what is refused.

    ASSAY_DATA=… python benchmarks/watch/loop.py [--fast] [--loud]

A real server, a real watcher, rows over HTTP, labels two windows late. The stream stands still
while a window is judged and a model trained, so seconds are the machine's work and windows are the
story's time. Writes `benchmarks/results/watch-loop.json`.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from assay.records.event import Event

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[2] / "examples"))
from replaying import Replay, seconds
from spine import machine

ROOT = Path(__file__).parents[2]
OUT = ROOT / "benchmarks" / "results" / "watch-loop.json"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fast", action="store_true", help="spend less time on training")
    parser.add_argument("--loud", action="store_true", help="write no result: the machine is busy")
    chosen = parser.parse_args()
    result: dict[str, Any] = {"machine": machine()}
    for variant, measure in (("story", closed), ("poisoned", refused), ("bad-release", back)):
        with fraud().prepared(variant, fast=chosen.fast) as (replay, weeks):
            code = fraud().VARIANTS[variant](replay, weeks)
            result[variant] = {"as_expected": code == 0, **measure(replay)}
    print(json.dumps(result, indent=1))
    if not chosen.loud:
        OUT.write_text(json.dumps(result, indent=1) + "\n")


def fraud() -> ModuleType:
    """Return the script of the example."""
    spec = importlib.util.spec_from_file_location("fraud", ROOT / "examples/fraud/replay.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def closed(replay: Replay) -> dict[str, Any]:
    """Return when each step of the loop was done, in seconds after the fault, and its window."""
    events = replay.events()
    steps = {
        "drift_seen": first(events, "watch.judged", verdict="drift", after=replay.planted),
        "degradation_seen": first(events, "watch.judged", verdict="degraded", after=replay.planted),
        "incident": first(events, "incident.opened"),
        "retraining": first(events, "retrain.started"),
        "judged": first(events, "retrain.judged"),
        "canary": first(events, "release.started"),
        "live": first(events, "release.decided"),
    }
    judged = [e for e in events if e.kind == "watch.judged"]
    found: dict[str, Any] = {}
    for name, event in steps.items():
        if event is not None:
            done = sum(e.seq <= event.seq for e in judged)
            found[name] = {
                "seconds": round(seconds(replay.planted, event.at), 2),
                "windows": done - replay.planted_window,
            }
    return {
        "steps": found,
        "trainings_refused_before": len([e for e in events if e.kind == "retrain.refused"]),
        "verdicts": [e.data["verdict"] for e in judged],
        "longest_judging_s": max(e.data["seconds"] for e in judged),
    }


def refused(replay: Replay) -> dict[str, Any]:
    """Return what was refused, and why."""
    events = replay.events()
    return {
        "refused": [e.data["reason"] for e in events if e.kind == "retrain.refused"],
        "released": len([e for e in events if e.kind == "release.started"]),
    }


def back(replay: Replay) -> dict[str, Any]:
    """Return the time from the close of the window that showed it to the version before."""
    events = replay.events()
    moved = [e for e in events if e.kind == "alias.moved"][-1]
    judged = [e for e in events if e.kind == "watch.judged" and e.seq < moved.seq][-1]
    changed = [e for e in events if e.kind == "deployment.changed" and e.seq > moved.seq]
    return {
        "verdict": judged.data["verdict"],
        "rolled_back_after_the_window_s": round(seconds(judged.data["until"], moved.at), 2),
        "answered_after_the_window_s": round(seconds(judged.data["until"], changed[0].at), 2),
    }


def first(events: Sequence[Event], kind: str, after: str = "", **data: Any) -> Event | None:
    """Return the first event of a kind with this data."""
    for event in events:
        if event.kind == kind and event.at > after and data.items() <= event.data.items():
            return event
    return None


if __name__ == "__main__":
    main()
