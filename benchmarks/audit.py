"""Time and peak memory of the data audit on 1,000,000 rows of 30 columns.

Run: python benchmarks/audit.py [ROWS]
"""

from __future__ import annotations

import json
import sys
import time

import numpy as np
import polars as pl

from assay.data.audit import audit
from assay.kernel.wrap import peak_rss_mb
from assay.records.snapshot import Column, DataSnapshot, Problem
from assay.records.spec import GateSpec, SplitSection


def table_of(rows: int, seed: int = 0) -> pl.DataFrame:
    """Return 20 numbers, 6 categories, 2 texts of high cardinality, a date and a binary target."""
    rng = np.random.default_rng(seed)
    columns = {f"number_{i}": rng.normal(size=rows) for i in range(20)}
    levels = [4, 8, 12, 50, 200, 1000, 20_000, 200_000]
    for i, size in enumerate(levels):
        codes = pl.Series(rng.integers(0, size, rows))
        columns[f"category_{i}"] = ("level " + codes.cast(pl.String)).alias(f"category_{i}")
    seconds = rng.integers(1_600_000_000, 1_700_000_000, rows)
    columns["when"] = pl.Series(seconds * 1_000_000).cast(pl.Datetime("us"))
    signal = columns["number_0"] + columns["number_1"] + rng.normal(size=rows)
    columns["bought"] = pl.Series(signal > 1).replace_strict({True: "yes", False: "no"})
    gaps = pl.Series(rng.random(rows) < 0.1)
    table = pl.DataFrame(columns)
    return table.with_columns(
        pl.when(gaps).then(None).otherwise(pl.col("number_3")).alias("number_3")
    )


def snapshot_of(table: pl.DataFrame) -> DataSnapshot:
    """Return what ingestion would have written about the table."""
    kinds = {pl.Float64: "number", pl.String: "category"}
    columns = tuple(
        Column(
            name=c,
            type=kinds.get(type(table[c].dtype), "datetime"),
            rows=table.height,
            missing=table[c].null_count(),
            unique=table[c].drop_nulls().n_unique(),
        )
        for c in table.columns
    )
    return DataSnapshot(source="made", content="c", table="t", rows=table.height, columns=columns)


def main() -> None:
    """Print seconds and peak memory as one JSON line."""
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    table = table_of(rows)
    snapshot = snapshot_of(table)
    problem = Problem(
        family="tabular",
        task="binary",
        target="bought",
        classes=("no", "yes"),
        positive="yes",
        features=tuple(c for c in table.columns if c != "bought"),
        primary="roc_auc",
    )
    parts = (np.arange(rows) % 5).astype(np.int8)
    parts[np.random.default_rng(1).permutation(rows)[: rows // 5]] = -1
    gates = [GateSpec(metric="roc_auc", at_least=0.8)]
    before = peak_rss_mb()
    start = time.perf_counter()
    result = audit(problem, snapshot, table, parts, SplitSection(), gates, [])
    seconds = time.perf_counter() - start
    print(
        json.dumps(
            {
                "rows": rows,
                "columns": table.width,
                "seconds": round(seconds, 2),
                "table_mb": round(table.estimated_size("mb")),
                "peak_rss_mb_before": round(before),
                "peak_rss_mb": round(peak_rss_mb()),
                "findings": [f"{f.code} {f.where}" for f in result.findings],
            }
        )
    )


if __name__ == "__main__":
    main()
