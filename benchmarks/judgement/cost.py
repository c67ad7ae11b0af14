"""What the audit costs: seconds and peak memory by size, and where the time goes.

    python benchmarks/judgement/cost.py > benchmarks/results/judgement-cost.json
    ... --rows 5000 100000    --repeat 3

A table of 30 columns: 16 numbers, 8 categories of 2 to 200,000 values, 2 dates, 2 remarks, an id,
and a binary target. Each size runs in a fresh process. `battery` is the checks that look for leaks,
`audit` all of them. The medians of the repeats are reported; importing is left out.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import threading
import time
from datetime import datetime, timedelta

os.environ.setdefault("OMP_NUM_THREADS", "2")

import numpy as np
import polars as pl

from assay.data.audit import CHECKS
from assay.data.audit.subject import Subject
from assay.data.profile import describe
from assay.data.split import split
from assay.kernel.executor import peak_rss_mb
from assay.records.snapshot import DataSnapshot, Problem
from assay.records.spec import GateSpec, SplitSection

SIZES = (5_000, 100_000, 1_000_000)
LEVELS = (2, 4, 8, 12, 50, 200, 20_000, 200_000)
PROSE = (
    "order late parcel office mail visit season note file request phone address invoice weather "
    "region team line desk window member"
)
LEAKS = (
    "LEAK", "LABEL-COPY", "DUPLICATE", "NEAR-DUPLICATES", "TEST-IS-TRAIN", "GROUP", "TIME",
    "ROW-ORDER", "PREPARED",
)  # fmt: skip
"""How the codes of the leakage battery begin."""


def table_of(rows: int, seed: int = 0) -> pl.DataFrame:
    """Return a clean table of every type, whose target is partly explained by two numbers."""
    rng = np.random.default_rng(seed)
    made = {f"number_{i}": rng.normal(size=rows) for i in range(8)}
    made |= {f"amount_{i}": rng.lognormal(3, 1, rows).round(2) for i in range(4)}
    made |= {f"count_{i}": rng.poisson(3, rows).astype(np.float64) for i in range(4)}
    columns = [pl.Series(name, values) for name, values in made.items()]
    for place, size in enumerate(LEVELS):
        level = pl.Series(rng.integers(0, size, rows)).cast(pl.String)
        columns.append(("level " + level).alias(f"category_{place}"))
    start = datetime(2020, 1, 1)
    opened = pl.Series(rng.integers(0, 1_000, rows)) * timedelta(days=1)
    columns += [(start + opened).alias("opened_on"), (start + opened * 1.2).alias("seen_on")]
    for place in range(2):
        words = (pl.Series(rng.choice(PROSE.split(), rows)) for _ in range(4))
        first, *rest = words
        for word in rest:
            first = first + " " + word
        columns.append(
            (first + " " + pl.Series(rng.choice(PROSE.split(), rows))).alias(f"remark_{place}")
        )
    columns.append(
        ("C" + pl.Series(rng.permutation(rows) + 10**7).cast(pl.String)).alias("case_id")
    )
    signal = made["number_0"] + made["number_1"] + rng.normal(size=rows)
    columns.append(pl.Series("bought", np.where(signal > 1, "yes", "no")))
    gaps = pl.Series(rng.random(rows) < 0.1)
    return pl.DataFrame(columns).with_columns(
        pl.when(gaps).then(None).otherwise(pl.col("number_3")).alias("number_3")
    )


def subject_of(table: pl.DataFrame) -> Subject:
    """Return what every check is given."""
    kinds = {"case_id": "id", "remark_0": "text", "remark_1": "text"}

    def kind(name):
        dtype = table[name].dtype
        plain = (
            "datetime" if dtype.is_temporal() else "number" if dtype.is_numeric() else "category"
        )
        return kinds.get(name, plain)

    columns = tuple(describe(column, kind(column.name)) for column in table)
    problem = Problem(
        family="tabular",
        task="binary",
        target="bought",
        classes=("no", "yes"),
        positive="yes",
        features=tuple(name for name in table.columns if name != "bought"),
        primary="roc_auc",
    )
    policy = SplitSection(stratify_on="bought")
    _, parts, _ = split(policy, problem, table)
    snapshot = DataSnapshot(
        source="made", content="c", table="t", rows=table.height, columns=columns
    )
    return Subject(
        problem, snapshot, table, parts, policy, (GateSpec(metric="roc_auc", at_least=0.8),)
    )


def is_leakage(codes: tuple[str, ...]) -> bool:
    """Return True for a check of the leakage battery."""
    return any(code.startswith(LEAKS) for code in codes)


def measure(rows: int) -> dict[str, object]:
    """Run every check once; a statistic that several share is paid for by the first."""
    subject = subject_of(table_of(rows))
    before, checks, findings = peak_rss_mb(), {}, []
    for check in CHECKS:
        wall, cpu = time.perf_counter(), time.process_time()
        findings += list(check.find(subject))
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        checks[check.name] = {"wall": wall, "cpu": cpu, "leakage": is_leakage(check.codes)}
    battery = [each for each in checks.values() if each["leakage"]]
    return {
        "rows": rows,
        "columns": subject.table.width,
        "audit": {key: sum(each[key] for each in checks.values()) for key in ("wall", "cpu")},
        "battery": {key: sum(each[key] for each in battery) for key in ("wall", "cpu")},
        "peak_rss_mb_before": before,
        "peak_rss_mb": peak_rss_mb(),
        "threads": threading.active_count(),
        "checks": {name: each["cpu"] for name, each in checks.items()},
        "walls": {name: each["wall"] for name, each in checks.items()},
        "errors": [f"{f.code} {f.where}" for f in findings if f.severity == "error"],
    }


def middle(runs: list) -> object:
    """Return the median of numbers, and of everything inside mappings."""
    first = runs[0]
    if isinstance(first, dict):
        return {key: middle([run[key] for run in runs]) for key in first}
    if isinstance(first, int | float) and not isinstance(first, bool):
        return round(statistics.median(runs), 3)
    return first


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="*", default=list(SIZES))
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--one", type=int, help="measure this size in this process, once")
    chosen = parser.parse_args()
    if chosen.one:
        print(json.dumps(measure(chosen.one)))
        return
    machine = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    result: dict[str, object] = {
        "machine": machine,
        "polars": pl.__version__,
        "runs": chosen.repeat,
    }
    for rows in chosen.rows:
        command = [sys.executable, __file__, "--one", str(rows)]
        runs = [
            json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
            for _ in range(chosen.repeat)
        ]
        result[f"{rows:,} rows"] = middle(runs)
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
