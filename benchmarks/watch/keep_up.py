"""Whether one watcher keeps up with a busy server, and what that costs of a processor core.

    python benchmarks/watch/keep_up.py [--rps 5000] [--seconds 120] [--window 50000]

A process writes 30 mixed columns to the prediction log as two workers of a server do, `--rps` rows
a second, and sends the label of every tenth row five seconds later; `assay watch` runs beside it.
Measured: the watcher's processor time over its wall time, its largest memory, and how long after
its last row a window was judged. Then the watcher is stopped, a backlog of `--backlog` rows is
written, and it is started again. Results: `benchmarks/results/watch-keep-up.json`.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import deque
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import speed_data
from speed import model_of
from speed_data import TARGET

from assay.lifecycle.predict import load
from assay.metrics.answers import positive_code
from assay.records.event import Event
from assay.records.spec import ServeSection
from assay.serve.log.shelf import LOG
from assay.serve.log.writer import PredictionLog
from assay.stores.workspace import open_workspace

RESULTS = Path(__file__).parents[1] / "results" / "watch-keep-up.json"
POOL = 100_000
"""Rows that are asked about again and again."""
EACH = 50
LABELLED = 10
"""One row in so many gets a label."""
LATER = 5.0


def write(store: Path, name: str, rps: float, seconds: float) -> None:
    """Write rows at a rate for so many seconds; at rate 0 as many rows, as fast as it goes."""
    model = load(f"{name}@1", store=store)
    rows = speed_data.table(POOL, 30, 99, moved=False)
    truth = rows[TARGET].to_list()
    typed = model._typed(rows)
    answers = model.package.predictor.predict(typed)
    codes = answers.codes(positive_code(model.signature))
    logs = [PredictionLog(store / LOG, worker) for worker in (0, 1)]
    for log in logs:
        log.open(name, 1, model.signature, ServeSection())
    begun, sent, late = time.monotonic(), 0, deque[tuple[float, str, int]]()
    total = round(rps * seconds) if rps else round(seconds)
    while sent < total:
        log = logs[sent // EACH % 2]
        start = sent % (POOL - EACH)
        part, now = slice(start, start + EACH), time.time()
        request = f"{os.getpid():x}-{sent:x}"
        log.add_table(request, now, name, 1, typed[part], answers.values[part], 80.0, codes[part])
        late.append((now + LATER, request, start))
        while rps and late and late[0][0] <= now:
            _, told, place = late.popleft()
            for row in range(0, EACH, LABELLED):
                log.feedback(name, told, row, truth[place + row], None, "", now)
        sent += EACH
        while log.full:
            time.sleep(0.05)
        if rps:
            time.sleep(max(0.0, begun + sent / rps - time.monotonic()))
    for log in logs:
        log.close()
    print(json.dumps({"rows": sent, "seconds": time.monotonic() - begun}), flush=True)


def start_watch(store: Path, name: str, window: int) -> subprocess.Popen[str]:
    """Start `assay watch`, its lines going nowhere."""
    command = [sys.executable, "-m", "assay.cli.main", "watch", name, "--store", str(store)]
    return subprocess.Popen(
        [*command, "--set", f"watch.rows={window}"], stdout=subprocess.DEVNULL, text=True
    )


def used(pid: int) -> tuple[float, float]:
    """Return processor seconds of a process so far, and its largest memory in MB."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    ticks = os.sysconf("SC_CLK_TCK")
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    peak = next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
    return (int(fields[11]) + int(fields[12])) / ticks, peak / 1024


def judged(store: Path) -> list[Event]:
    """Return the verdicts in the ledger."""
    events = open_workspace(store, create=False).ledger.read()
    return [event for event in events if event.kind == "watch.judged"]


def _written(store: Path, name: str, rps: float, amount: float) -> subprocess.Popen[str]:
    words = [sys.executable, __file__, "--write", str(store), name, str(rps), str(amount)]
    return subprocess.Popen(words, stdout=subprocess.PIPE, text=True)


def steady(store: Path, name: str, options: argparse.Namespace) -> dict[str, Any]:
    """Measure a watcher beside a writer."""
    watch = start_watch(store, name, options.window)
    writer = _written(store, name, options.rps, options.seconds)
    while not judged(store):
        if watch.poll() is not None or writer.poll():
            watch.kill()
            raise SystemExit("the watcher or the writer ended")
        time.sleep(0.2)
    before, begun = used(watch.pid), time.monotonic()
    out, _ = writer.communicate()
    if writer.returncode:
        watch.kill()
        raise SystemExit("the writer failed")
    after, wall = used(watch.pid), time.monotonic() - begun
    rows = json.loads(out)["rows"]
    time.sleep(4)
    events = judged(store)
    watch.send_signal(signal.SIGTERM)
    watch.wait()
    lags = [
        (datetime.fromisoformat(event.at) - datetime.fromisoformat(event.data["until"]))
        .total_seconds() for event in events
    ]  # fmt: skip
    return {
        "rows": rows,
        "rps": round(rows / json.loads(out)["seconds"]),
        "windows": len(events),
        "unjudged": rows - sum(event.data["rows"] for event in events),
        "labelled": sum(event.data["labelled"] for event in events),
        "core_share": round((after[0] - before[0]) / wall, 4),
        "peak_mb": round(after[1]),
        "lag_s": {"median": round(float(np.median(lags)), 3), "max": round(max(lags), 3)},
        "judging_s": round(float(np.median([event.data["seconds"] for event in events])), 3),
        "verdicts": sorted({event.data["verdict"] for event in events}),
    }


def backlog(store: Path, name: str, options: argparse.Namespace) -> dict[str, Any]:
    """Measure a watcher that finds many rows that nobody read."""
    before = sum(event.data["rows"] for event in judged(store))
    _written(store, name, 0, options.backlog).communicate()
    watch, begun = start_watch(store, name, options.window), time.monotonic()
    while sum(event.data["rows"] for event in judged(store)) - before <= (
        options.backlog - options.window
    ):
        time.sleep(0.2)
    seconds = time.monotonic() - begun
    found = used(watch.pid)
    watch.send_signal(signal.SIGTERM)
    watch.wait()
    return {
        "rows": options.backlog,
        "seconds": round(seconds, 2),
        "rows_per_second": round(options.backlog / seconds),
        "cpu_s": round(found[0], 2),
        "peak_mb": round(found[1]),
    }


def main() -> None:
    """Run both, print the result and keep it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rps", type=float, default=5000)
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--window", type=int, default=50_000)
    parser.add_argument("--backlog", type=int, default=2_000_000)
    parser.add_argument("--write", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.write:
        store, name, rps, amount = options.write
        write(Path(store), name, float(rps), float(amount))
        return
    reference, store = model_of(30)
    name = reference.partition("@")[0]
    with tempfile.TemporaryDirectory() as folder:
        mine = Path(folder) / ".assay"
        shutil.copytree(store, mine)
        result = {
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
            "machine": f"{os.cpu_count()} cores, {platform.machine()}",
            "load": round(os.getloadavg()[0], 1),
            "steady": steady(mine, name, options),
            "backlog": backlog(mine, name, options),
        }
    RESULTS.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
