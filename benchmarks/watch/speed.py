"""How long a verdict takes, and how much memory: ours, Evidently and NannyML on the same rows.

    python benchmarks/watch/speed.py [--quick] [--peers keep|run|skip]

Rows and columns are those of `speed_data.py`; five columns were moved. Ours is the whole verdict
(counts, drift of columns and together, performance, quality) against the profile in a package that
was trained on 100,000 of the reference rows; a peer compares with the reference rows themselves.
Each runs in a process of its own with the rows in memory before the clock starts. Environments of
the peers are made on first use under the cache; `--peers keep` takes their last numbers for the
same rows. Results: `benchmarks/results/watch-speed.json`.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

import speed_data
from speed_data import PLANTED, TARGET

HERE = Path(__file__).parent
CACHE = Path(os.environ.get("ASSAY_BENCH_CACHE", Path.home() / ".cache" / "assay-benchmarks"))
WORK = CACHE / "watch"
RESULTS = HERE.parent / "results" / "watch-speed.json"
ENVIRONMENTS = {
    "evidently": ["evidently==0.7.23", "pandas<3", "pyarrow"],
    "nannyml": ["nannyml==0.13.1", "pandas<3", "statsmodels", "pyarrow"],
}
"""What pip is asked for: neither declares all that it needs."""
REPEATS = 5
TRAINED_ON = 100_000
PART = 500_000


def interpreter(name: str) -> Path:
    """Return the Python of a peer's environment, made with pip where it is not there yet."""
    folder = WORK / name
    python, done = folder / "bin" / "python", folder / "installed.json"
    wanted = json.dumps(ENVIRONMENTS[name])
    if not done.exists() or done.read_text() != wanted:
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        subprocess.run([python, "-m", "pip", "install", "-q", *ENVIRONMENTS[name]], check=True)
        done.write_text(wanted)
    return python


def rows_of(rows: int, columns: int, *, moved: bool) -> Path:
    """Return the file of a table, made on first use."""
    name = f"{'moved' if moved else 'reference'}-{rows}x{columns}.parquet"
    path = WORK / "tables" / name
    part = PART * 30 // columns
    speed_data.write(path, rows, columns, 2 if moved else 1, moved=moved, part=part)
    return path


def model_of(columns: int) -> tuple[str, Path]:
    """Return a model with its store, trained on first use: minutes for a wide one."""
    name = f"speed{columns}"
    folder = WORK / name
    store = folder / ".assay"
    if not (store / "packages").exists():
        folder.mkdir(parents=True, exist_ok=True)
        trained = TRAINED_ON if columns <= 30 else TRAINED_ON // 10
        (folder / "assay.toml").write_text(
            f'[project]\nname = "{name}"\n\n'
            f'[data]\nsource = "{rows_of(trained, columns, moved=False)}"\n'
            f'target = "{TARGET}"\npositive = "yes"\n\n'
            '[budget]\niterations = 1\nonly = ["linear_0.3"]\n'
        )
        command = [sys.executable, "-m", "assay.cli.main", "run", folder]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        if not (store / "packages").exists():
            raise SystemExit(done.stdout + done.stderr)
    return f"{name}@1", store


def asked(command: list[Any]) -> dict[str, Any]:
    """Run a side and return its JSON line."""
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{command}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}")
    return dict(json.loads(done.stdout.splitlines()[-1]))


def ours(how: str, rows: int, columns: int, repeats: int = REPEATS) -> dict[str, Any]:
    """Return the median of some runs of ours."""
    model, store = model_of(columns)
    path = rows_of(rows, columns, moved=True)
    found = [
        asked([sys.executable, HERE / "speed_ours.py", how, model, store, path])
        for _ in range(repeats)
    ]
    last = found[-1]
    if "seconds" in last:
        seconds = [f["seconds"] for f in found]
        last |= {"seconds": statistics.median(seconds), "from": min(seconds), "to": max(seconds)}
        last["peak_mb"] = max(f["peak_mb"] for f in found)
    print(f"ours, {how}, {rows:,} x {columns}: {json.dumps(last)}", flush=True)
    return last


def peer(name: str, rows: int, columns: int) -> dict[str, Any]:
    """Return what a peer takes, once."""
    files = [rows_of(rows, columns, moved=moved) for moved in (False, True)]
    found = asked([interpreter(name), HERE / "speed_peers.py", name, *files])
    print(f"{name}, {rows:,} x {columns}: {json.dumps(found)}", flush=True)
    return found


def beside(found: dict[str, Any], mine: dict[str, Any]) -> dict[str, Any]:
    """Add how many planted columns were found, and how much longer it took."""
    flagged = set(found["flagged"])
    found["planted_found"] = len(flagged & set(PLANTED))
    found["others_flagged"] = len(flagged - set(PLANTED))
    found["times_ours"] = round(found["seconds"] / mine["seconds"], 1)
    found["memory_times_ours"] = round(found["peak_mb"] / mine["peak_mb"], 1)
    return found


def machine() -> dict[str, object]:
    """Describe the machine without naming it."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((x.split(":", 1)[1].strip() for x in lines if x.startswith("model name")), "")
    cores = len(os.sched_getaffinity(0))
    return {"processor": model, "cores": cores, "python": platform.python_version()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="100,000 rows, and no long ones")
    parser.add_argument("--peers", choices=("keep", "run", "skip"), default="run")
    given = parser.parse_args()
    rows = 100_000 if given.quick else 1_000_000
    path = RESULTS.with_stem(f"{RESULTS.stem}-quick") if given.quick else RESULTS
    before = json.loads(path.read_text()) if path.exists() else {}
    results: dict[str, Any] = {"machine": machine(), "rows": rows, "columns": 30}
    mine = ours("frame", rows, 30)
    results["ours"] = beside(mine, mine)
    results["ours, from Parquet"] = ours("file", rows, 30)
    results["ours, counts alone"] = ours("count", rows, 30)
    results["ours, shards"] = ours("shards", rows, 30, repeats=1)
    for name in ENVIRONMENTS if given.peers != "skip" else ():
        kept = before.get(name) if given.peers == "keep" else None
        results[name] = beside(kept or peer(name, rows, 30), mine)
    if not given.quick:
        results["linear"] = {
            "1,000,000 x 30": results["ours, from Parquet"],
            "3,000,000 x 30": ours("file", 3_000_000, 30, repeats=3),
            "10,000,000 x 30": ours("file", 10_000_000, 30, repeats=3),
            "1,000,000 x 300": ours("file", 1_000_000, 300, repeats=3),
        }
    path.write_text(json.dumps(results, indent=2) + "\n")
    print(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
