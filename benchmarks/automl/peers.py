"""The peers: each in an environment of its own, which is made here on first use."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from measure import measured
from tables import Table

WORKER = Path(__file__).with_name("worker.py")
CACHE = Path(os.environ.get("ASSAY_BENCH_CACHE", Path.home() / ".cache" / "assay-benchmarks"))

ENVIRONMENTS: dict[str, list[list[str]]] = {
    # torch first and alone, for a build without CUDA where the index has one
    "autogluon": [
        ["torch==2.13.0"],
        ["autogluon.tabular[all]==1.6.3", "torch==2.13.0", "pandas<3", "pyarrow"],
    ],
    "flaml": [
        ["flaml[automl]==2.7.0", "xgboost==2.1.4", "lightgbm==4.7.0"],
        ["scikit-learn==1.9.1", "pandas<3", "pyarrow"],
    ],
}
"""What pip is asked for, one call after the other."""

PEERS = {
    "autogluon-medium": "autogluon",
    "autogluon-good": "autogluon",
    "autogluon-best": "autogluon",
    "flaml": "flaml",
    "lightgbm": "flaml",
    "histgb": "flaml",
}
UNTIMED = ("lightgbm", "histgb")
"""Peers that take the time they take: they are measured once, as of 0 seconds."""
ASK_LIMIT = 900


def interpreter(name: str) -> Path:
    """Return the Python of an environment, made with pip where it is not there yet."""
    folder = CACHE / name
    python, done = folder / "bin" / "python", folder / "installed.json"
    wanted = json.dumps(ENVIRONMENTS[name])
    if not done.exists() or done.read_text() != wanted:
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
        for packages in ENVIRONMENTS[name]:
            subprocess.run([python, "-m", "pip", "install", "-q", *packages], check=True)
        done.write_text(wanted)
    return python


def measure_peer(framework: str, table: Table, seconds: int, work: Path) -> dict[str, Any]:
    """Fit in one process, ask in another, and return what was found; `answers` are the test's.

    Raises RuntimeError when a process failed or was killed for taking longer than four times the
    seconds.
    """
    python = str(interpreter(PEERS[framework]))
    source = work / "tables" / table.name
    folder = work / "models" / f"{table.name}-{framework}-{seconds}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    found: dict[str, Any] = {}
    try:
        for step, limit in (("fit", 4 * seconds + 120), ("ask", ASK_LIMIT)):
            words = [python, str(WORKER), step, framework, str(source), str(folder)]
            run = measured(
                [*words, "--seconds", str(seconds)], work / f"{step}-{framework}.log", limit
            )
            if run.code:
                cause = "killed at its limit" if run.killed else f"exit code {run.code}"
                raise RuntimeError(f"{step}: {cause}: {run.tail}")
            found |= json.loads((folder / f"{step}.json").read_text())
            if step == "fit":
                found |= {k: v for k, v in asdict(run).items() if k not in ("code", "tail")}
            else:
                found["ask_peak_rss_mb"] = run.peak_rss_mb
        return {**found, "answers": np.load(folder / "answers.npy")}
    finally:
        shutil.rmtree(folder, ignore_errors=True)
