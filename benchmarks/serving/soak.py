"""Ten minutes at 70 % of the capacity: errors, memory, the log, and every answer.

    ASSAY_DATA=… python benchmarks/serving/soak.py [--seconds 600] [--part 0.7] [--rps N] [--loud]

One worker on one core, one booster, validation and the log on. The capacity is what 32 closed
connections get in three seconds, if `--rps` does not say it. Writes
`benchmarks/results/serving-soak.json`.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import threading
import time
from pathlib import Path
from typing import Any

import ours
from answers import Watch
from measure import Running, bodies_file, closed, running
from peers import SERVED, WORK, assay_server
from run import prepare

sys.path.insert(0, str(Path(__file__).parents[1]))
from spine import machine

OUT = Path(__file__).parents[1] / "results" / "serving-soak.json"
SLICE, EVERY = 10.0, 5.0
"""Seconds of each part, which has percentiles of its own; and between two looks at the memory."""
SETTLED = 60.0
"""Seconds after which memory is to stay within 5 %."""


class Memory(threading.Thread):
    """Looks at the memory of a server now and then."""

    def __init__(self, target: Running) -> None:
        super().__init__(daemon=True)
        self._target, self._over = target, threading.Event()
        self.seen: list[tuple[float, float]] = []

    def run(self) -> None:
        begun = time.perf_counter()
        while not self._over.wait(EVERY):
            self.seen.append((time.perf_counter() - begun, self._target.memory()["pss_mb"]))

    def end(self) -> dict[str, float]:
        """Return megabytes: the first settled look, the last one, and how far any was from it."""
        self._over.set()
        self.join()
        settled = [mb for at, mb in self.seen if at >= min(SETTLED, self.seen[-1][0] / 2)]
        apart = max(abs(mb / settled[0] - 1) for mb in settled)
        return {"first_mb": settled[0], "last_mb": settled[-1], "apart": round(apart, 4)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--part", type=float, default=0.7)
    parser.add_argument("--rps", type=float, default=0.0, help="the capacity, where it is known")
    parser.add_argument("--loud", action="store_true", help="write no result: the machine is busy")
    chosen = parser.parse_args()
    about, rows = machine(), prepare(["assay"])[:1000]
    store = WORK / "soak"
    shutil.rmtree(store, ignore_errors=True)
    shutil.copytree(WORK / "assay", store, ignore=shutil.ignore_patterns("log"))
    watch = Watch({1: ours.truth(store, rows)})
    parts: list[dict[str, Any]] = []
    with running("soak", assay_server("soak"), rows[:1]) as target:
        capacity = chosen.rps or measured(target, rows)
        memory, begun = Memory(target), time.perf_counter()
        memory.start()
        while time.perf_counter() - begun < chosen.seconds:
            fired = watch.ask(url(target), rows, chosen.part * capacity, SLICE)
            parts.append({"p50_ms": 1e3 * fired.quantile(0.5).value}
                         | {"p99_ms": 1e3 * fired.quantile(0.99).value})  # fmt: skip
        kept = memory.end()
    result = {
        "machine": about,
        "seconds": chosen.seconds,
        "capacity_rps": capacity,
        "asked_rps": round(chosen.part * capacity, 1),
        **watch.said(),
        "memory": kept,
        "log": watch.missing(store),
        "p99_ms": {"worst_part": max(p["p99_ms"] for p in parts)}
        | {"median_part": sorted(p["p99_ms"] for p in parts)[len(parts) // 2]},
    }
    print(json.dumps(result, indent=1))
    if not chosen.loud:
        OUT.write_text(json.dumps(result, indent=1) + "\n")


def url(target: Running) -> str:
    return f"http://127.0.0.1:{target.port}{target.server.path}"


def measured(target: Running, rows: list[dict[str, Any]]) -> float:
    """Return the requests a second that 32 closed connections get."""
    bodies = [SERVED["assay"].bodies["rows"]([row]) for row in rows[:256]]
    rps: float = closed(target, "rows", bodies_file("rows", bodies, "soak"), 32, 3)["rps"]
    return rps


if __name__ == "__main__":
    main()
