"""Time and memory of reading a table: `python benchmarks/ingest.py [ROWS] [--csv]`.

Writes a table of 30 columns (18 numbers, 8 categories, a boolean, a date, a key and a whole
number column with gaps), then reads, cleans, types, profiles and stores it in a fresh process.
Prints one line of JSON.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl

COLUMNS = 30


def make(rows: int) -> pl.DataFrame:
    random = np.random.default_rng(7)
    columns: dict[str, pl.Series] = {}
    for i in range(18):
        values = random.normal(size=rows) if i % 3 else random.integers(0, 1000, rows) * 0.5
        gaps = pl.Series(random.random(rows) < 0.02)
        columns[f"number_{i}"] = pl.Series(values).set(gaps, None)
    for i in range(8):
        words = [f"value {k}" for k in range(3 + 40 * i)] + ["NA"]
        columns[f"category_{i}"] = pl.Series(words).gather(random.integers(0, len(words), rows))
    columns["flag"] = pl.Series(["Yes", "No"]).gather(random.integers(0, 2, rows))
    start = datetime(2020, 1, 1)
    columns["day"] = pl.Series([start + timedelta(days=k) for k in range(1000)]).gather(
        random.integers(0, 1000, rows)
    )
    columns["key"] = pl.Series([f"c-{k:08d}" for k in random.permutation(rows)])
    columns["target"] = pl.Series(random.integers(0, 2, rows))
    return pl.DataFrame(columns)


def measure(file: Path) -> dict[str, float]:
    from assay.data.ingest import ingest
    from assay.kernel.executor import peak_rss_mb
    from assay.records.spec import DataSection, FeaturesSection
    from assay.stores.folder import FolderStore

    store = FolderStore(file.parent / "store")
    start, start_cpu = time.perf_counter(), time.process_time()
    snapshot = ingest(
        DataSection(source=file.name, target="target"),
        FeaturesSection(),
        file.parent,
        store,
        resolve=lambda name: file.parent / name,
    )
    seconds, cpu = time.perf_counter() - start, time.process_time() - start_cpu
    return {
        "rows": snapshot.rows,
        "columns": len(snapshot.columns),
        "seconds": round(seconds, 2),
        "cpu_seconds": round(cpu, 2),
        "peak_rss_mb": round(peak_rss_mb()),
    }


def main(arguments: list[str]) -> None:
    if arguments[:1] == ["--measure"]:
        print(json.dumps(measure(Path(arguments[1]))))
        return
    numbers = [word for word in arguments if word.isdigit()]
    frame = make(int(numbers[0]) if numbers else 1_000_000)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / ("table.csv" if "--csv" in arguments else "table.parquet")
        frame.write_csv(file) if "--csv" in arguments else frame.write_parquet(file)
        del frame
        subprocess.run([sys.executable, __file__, "--measure", str(file)], check=True)


if __name__ == "__main__":
    main(sys.argv[1:])
