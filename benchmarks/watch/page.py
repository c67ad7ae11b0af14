"""The page of a store with 10,000 runs and 100 million logged predictions: start and first paint.

    python benchmarks/watch/page.py [--runs N] [--rows N] [--keep]

Everything is real: a ledger with a chain of digests, files of a log, `assay ui` in a process of its
own, and Chromium. `--keep` writes benchmarks/results/watch-page.json.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import statistics
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

ROOT = Path(__file__).parents[2]
for part in ("benchmarks", "benchmarks/watch", "tests/browser", "tests/serving"):
    sys.path.insert(0, str(ROOT / part))

from chromium import Chromium  # noqa: E402
from page_store import make_store  # noqa: E402
from shop import start, wait_ready  # noqa: E402
from spine import machine  # noqa: E402

OUT = ROOT / "benchmarks" / "results" / "watch-page.json"
TIMES = 7
GOAL_MS = 1000.0
PAINT = """(performance.getEntriesByName('first-contentful-paint')[0] ?? {}).startTime"""
SHIFT = """new Promise(done => { let sum = 0;
  new PerformanceObserver(list => { for (const e of list.getEntries()) sum += e.value; })
    .observe({type: 'layout-shift', buffered: true});
  setTimeout(() => done(sum), 200); })"""


def paths(run: str) -> dict[str, str]:
    """Return the pages that are measured."""
    return {
        "overview": "/",
        "runs": "/runs",
        "runs, searched and sorted": "/runs?text=000012&verdict=accepted&sort=-took",
        "project": "/projects/project-07",
        "run": f"/runs/{quote(run)}",
        "report": f"/runs/{quote(run)}/report",
        "model": "/models/project-00",
        "column": "/models/project-00/columns/column_00",
        "window": "/models/project-00/windows/60",
        "incident": "/incidents/project-00-1",
        "audit": "/audit",
        "audit, searched": "/audit?kind=run.finished&subject=project-03&page=4",
    }


def first_byte(url: str, path: str) -> list[float]:
    """Return the milliseconds to the first byte of the answer, the first ask first."""
    parts = urlsplit(url)
    found = []
    for _ in range(TIMES):
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)
        connection.connect()
        begun = time.perf_counter()
        connection.request("GET", path)
        response = connection.getresponse()
        found.append((time.perf_counter() - begun) * 1e3)
        assert response.status == 200, (path, response.status)
        response.read()
        connection.close()
    return found


def painted(browser: Chromium, url: str) -> dict[str, float]:
    """Return the milliseconds to the first contentful paint, and how far things shifted."""
    browser.call("Network.setCacheDisabled", cacheDisabled=True)
    found, shifted = [], 0.0
    for _ in range(TIMES):
        browser.open(url, 1200)
        end = time.monotonic() + 10
        while (at := browser.ask(PAINT)) is None and time.monotonic() < end:
            time.sleep(0.02)
        found.append(at)
        answer = browser.call("Runtime.evaluate", expression=SHIFT, awaitPromise=True,
                              returnByValue=True)  # fmt: skip
        shifted = max(shifted, answer["result"]["value"])
    return {
        "first_paint_ms": round(statistics.median(found), 1),
        "first_paint_most_ms": round(max(found), 1),
        "layout_shift": round(shifted, 4),
    }


def memory(pid: int) -> float:
    """Return the megabytes that a process holds."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * 4096 / 1e6


def seen(url: str, rows: int) -> float:
    """Return the seconds until the overview shows all rows of the log."""
    begun = time.perf_counter()
    parts = urlsplit(url)
    while time.perf_counter() - begun < 120:
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)
        connection.request("GET", "/")
        if f"{rows:,}".encode() in connection.getresponse().read():
            return time.perf_counter() - begun
        time.sleep(0.05)
    raise RuntimeError("the log was not seen whole")


def measure(folder: Path, runs: int, rows: int) -> dict[str, Any]:
    begun, load = time.perf_counter(), os.getloadavg()[0]
    shop = make_store(folder, runs, rows)
    made = time.perf_counter() - begun
    events = shop.events()
    run = next(e.subject for e in events if e.kind == "run.started" and e.subject[:6] == "churny")
    ledger_mb = (shop.store / "ledger.sqlite").stat().st_size / 1e6
    log_mb = sum(f.stat().st_size for f in (shop.store / "log").rglob("*.parquet")) / 1e6
    page = start("ui", "--port", "0", "--store", shop.store)
    try:
        wait_ready(page)
        result: dict[str, Any] = {
            "runs": runs, "events": len(events), "rows": rows, "load": round(load, 1),
            "ledger_mb": round(ledger_mb, 1),
            "log_mb": round(log_mb, 1), "made_s": round(made, 1),
            "ready_s": round(page.seconds, 2), "log_seen_s": round(seen(page.url, rows), 2),
            "pages": {},
        }  # fmt: skip
        browser = Chromium(Path(tempfile.mkdtemp()))
        for name, path in paths(run).items():
            bytes_ = first_byte(page.url, path)
            result["pages"][name] = {
                "first_byte_ms": round(statistics.median(bytes_), 1),
                "first_byte_cold_ms": round(bytes_[0], 1),
            }
            if not path.endswith("/report"):  # it may run no script, ours neither
                result["pages"][name] |= painted(browser, page.url + path)
            print(name, result["pages"][name], flush=True)
        browser.close()
        result["rss_mb"] = round(memory(page.pid), 1)
    finally:
        page.close()
    slowest = max(one.get("first_paint_ms", 0.0) for one in result["pages"].values())
    return result | {"goal_ms": GOAL_MS, "slowest_paint_ms": slowest, "met": slowest < GOAL_MS}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--rows", type=int, default=100_000_000)
    parser.add_argument(
        "--keep", action="store_true", help="write the result to benchmarks/results"
    )
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        result = measure(Path(folder), args.runs, args.rows)
    result |= {"machine": machine(), "on": f"{datetime.now(UTC):%Y-%m-%d}"}
    print(json.dumps({k: v for k, v in result.items() if k != "pages"}, indent=1))
    if args.keep:
        OUT.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
