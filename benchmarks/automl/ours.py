"""Assay on the same tables: `assay run` in a fresh process, and its package asked in another.

    python ours.py PACKAGE TABLE_FOLDER OUT

asks a package, as `worker.py ask` asks a peer's model.
"""

from __future__ import annotations

import json
import shutil
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from measure import measured
from tables import Table

import assay

ROWS = 10_000
FITTING = ("search", "learning", "fit")
"""Stages that fit; all else is the cost of the framework."""
GRACE_SHARE, GRACE_S = 0.1, 5.0
"""A budget is kept when the whole run ends within the larger of these after it."""


def project(table: Table, seconds: int) -> str:
    """Return the project file of a table, to lie in WORK/ours/NAME."""
    positive = f'positive = "{table.classes[1]}"\n' if table.task == "binary" else ""
    return f"""[project]
name = "{table.name}"
question = "What is {table.target}?"

[data]
source = "../../tables/{table.name}/train.parquet"
test = "../../tables/{table.name}/test.parquet"
target = "{table.target}"
{positive}
[metric]
primary = "{table.metric}"

[budget]
time = "{seconds}s"
"""


def measure_ours(_: str, table: Table, seconds: int, work: Path) -> dict[str, Any]:
    """Run a project and ask its package; `answers` are those to the test rows.

    Raises RuntimeError when a process failed, was killed, or no package was made.
    """
    folder = work / "ours" / f"{table.name}-{seconds}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / "assay.toml").write_text(project(table, seconds))
    log = work / "run-assay.log"
    words = [sys.executable, "-m", "assay.cli.main", "run", str(folder), "--json"]
    run = measured(words, log, 4 * seconds + 120)
    if run.code not in (0, 3, 4):  # accepted, rejected, inconclusive
        raise RuntimeError(f"run: exit code {run.code}: {run.tail}")
    said = next(line for line in reversed(log.read_text().splitlines()) if line.startswith("{"))
    data = json.loads(said)["data"]
    if data["package"] is None:
        raise RuntimeError(f"run: no package: {data['reason']}")
    asked = folder / "asked"
    asked.mkdir()
    tables = work / "tables" / table.name
    words = [sys.executable, __file__, data["package"]["path"], str(tables), str(asked)]
    ask = measured(words, work / "ask-assay.log", 600)
    if ask.code:
        raise RuntimeError(f"ask: exit code {ask.code}: {ask.tail}")
    found = {k: v for k, v in asdict(run).items() if k not in ("code", "tail")}
    found |= json.loads((asked / "ask.json").read_text())
    answers = np.load(asked / "answers.npy")
    shutil.rmtree(folder / ".assay", ignore_errors=True)
    return {**found, **told(data, run.wall_s, seconds), "answers": answers}


def told(data: dict[str, Any], wall: float, seconds: int) -> dict[str, Any]:
    """Return what the run says of itself."""
    fitting = sum(data["seconds"].get(stage, 0.0) for stage in FITTING)
    return {
        "version": assay.__version__,
        "verdict": data["verdict"],
        "disk_bytes": data["package"]["bytes"],
        "deploy_bytes": data["package"]["bytes"],
        "parity": data["parity"],
        "budget_kept": wall <= seconds + max(GRACE_SHARE * seconds, GRACE_S),
        "not_fitting_share": round(1 - fitting / wall, 3),
        "stages": data["seconds"],
        "fit_s": round(fitting, 2),
        "best": data["champion"]["name"],
        "candidates": len(data["leaderboard"]),
    }


def ask(package: Path, tables: Path, out: Path) -> None:
    """Answer the test rows from a package, and time one row and 10,000 rows."""
    model = assay.load(package)
    table = json.loads((tables / "table.json").read_text())
    test = pl.read_parquet(tables / "test.parquet").drop(table["target"])
    answer = model.predict(test)
    shares = [f"probability_{label}" for label in table["classes"]]
    np.save(
        out / "answers.npy",
        answer.select(shares).to_numpy() if shares else answer["prediction"].to_numpy(),
    )
    many = test[np.arange(ROWS) % test.height]
    frames = [many[place] for place in range(100)]
    rows = many.head(1000).to_dicts()
    found = {
        "row_ms": typical(lambda place: model.predict(frames[place % 100]), 200),
        "rows_10k_ms": typical(lambda _: model.predict(many), 5),
        "dict_ms": typical(lambda place: model.predict(rows[place % len(rows)]), 2000),
    }
    (out / "ask.json").write_text(json.dumps(found))


def typical(call: Callable[[int], Any], repeats: int) -> float:
    """Return the median milliseconds of `repeats` calls, after one that does not count."""
    call(0)
    taken = []
    for place in range(repeats):
        start = time.perf_counter()
        call(place)
        taken.append(1000 * (time.perf_counter() - start))
    return round(statistics.median(taken), 4)


if __name__ == "__main__":
    ask(*(Path(word) for word in sys.argv[1:4]))
