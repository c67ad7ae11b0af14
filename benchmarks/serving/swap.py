"""A hundred hot swaps, and killed workers, under load: what failed, what was mixed, what was lost.

    ASSAY_DATA=… python benchmarks/serving/swap.py [--swaps 100] [--kills 5] [--rps 1000] [--loud]

Two versions whose answers differ for every row, two workers. Each answer names its version and is
compared with that version's own answer to the row. Writes `benchmarks/results/serving-swap.json`.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import statistics
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ours
from answers import Watch
from measure import Running, children, running
from peers import WORK, assay_server
from run import prepare

from assay.lifecycle.models import promote

sys.path.insert(0, str(Path(__file__).parents[1]))
from spine import machine

OUT = Path(__file__).parents[1] / "results" / "serving-swap.json"
PAUSE = 0.5
"""Seconds between two swaps: longer than one takes."""
RECOVERY = 3.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--swaps", type=int, default=100)
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--rps", type=float, default=1000.0)
    parser.add_argument("--loud", action="store_true", help="write no result: the machine is busy")
    chosen = parser.parse_args()
    rows = prepare(["assay"])[:1000]
    store = two_versions()
    truths = {version: ours.truth(store, rows, version) for version in (1, 2)}
    same = sum(a == b for a, b in zip(truths[1], truths[2], strict=True))
    server = assay_server(store.name, workers=2)
    result: dict[str, Any] = {"machine": machine(), "rows_answered_alike": same}
    with running("swap", server, rows[:1], cores="0,1") as target:
        swapped, moments = under_load(target, truths, rows, chosen.rps,
            chosen.swaps * PAUSE, lambda: swaps(store, chosen.swaps))  # fmt: skip
        result["swaps"] = {"count": len(moments), **swapped.said(), **delays(swapped, moments)}
    result["swaps"] |= swapped.missing(store)
    shutil.rmtree(store / "log")
    with running("kill", server, rows[:1], cores="0,1") as target:
        killed, moments = under_load(target, truths, rows, chosen.rps,
            chosen.kills * RECOVERY, lambda: kills(target, chosen.kills))  # fmt: skip
        result["kills"] = {"count": len(moments), **killed.said()}
        result["kills"]["longest_trouble_s"] = trouble(killed, [at for at, _ in moments])
    result["kills"] |= killed.missing(store, [at for at, _ in moments])
    print(json.dumps(result, indent=1))
    if not chosen.loud:
        OUT.write_text(json.dumps(result, indent=1) + "\n")


def two_versions() -> Path:
    """Return a store of two boosters of one name; the second has fewer leaves."""
    store = WORK / "swap"
    if not (store / "ledger.sqlite").exists():
        ours.package(WORK / "table" / "adult.parquet", store, ensemble=False)
        ours.package(WORK / "table" / "adult.parquet", store, ensemble=False, leaves=15)
    shutil.rmtree(store / "log", ignore_errors=True)
    return store


Moments = list[tuple[float, int]]


def under_load(
    target: Running, truths: dict[int, list[float]], rows: Any, rps: float, seconds: float,
    job: Callable[[], Moments],
) -> tuple[Watch, Moments]:  # fmt: skip
    """Ask all the while that a job is done beside it, and a little longer."""
    watch, moments = Watch(truths), Moments()
    worker = threading.Thread(target=lambda: moments.extend(job()))
    worker.start()
    watch.ask(f"http://127.0.0.1:{target.port}/predict", rows, rps, seconds + RECOVERY)
    worker.join()
    return watch, moments


def swaps(store: Path, count: int) -> Moments:
    """Promote one version after the other; return when each was told, and which it was."""
    moments = Moments()
    for number in range(count):
        time.sleep(PAUSE)
        version = 1 if number % 2 == 0 else 2
        promote(f"adult@{version}", "benchmark", store=store)
        moments.append((time.perf_counter(), version))
    return moments


def delays(watch: Watch, moments: Moments) -> dict[str, float]:
    """Return milliseconds from a promotion to the last answer of the version before it."""
    found = []
    ends = [at for at, _ in moments[1:]] + [moments[-1][0] + RECOVERY]
    for (at, version), end in zip(moments, ends, strict=True):
        old = [when - at for when, by in watch.times if at < when < end and by != version]
        found.append(1e3 * max(old, default=0.0))
    return {"old_answers_until_ms": round(statistics.median(found), 1)} | {
        "old_answers_at_most_ms": round(max(found), 1)
    }


def kills(target: Running, count: int) -> Moments:
    """Kill one worker after the other; return when each was killed, and its process."""
    moments = Moments()
    for _ in range(count):
        time.sleep(RECOVERY - 1)
        victim = children(target.process.pid)[0]
        os.kill(victim, signal.SIGKILL)
        moments.append((time.perf_counter(), victim))
    return moments


def trouble(watch: Watch, killed: list[float]) -> float:
    """Return the longest time from a kill to the last request that it failed."""
    found = [0.0]
    for at, end in zip(killed, [*killed[1:], float("inf")], strict=True):
        found.append(max((when - at for when in watch.faults if at <= when < end), default=0.0))
    return round(max(found), 3)


if __name__ == "__main__":
    main()
