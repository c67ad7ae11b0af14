"""Our side of the speed benchmark, in a process of its own: one JSON line on standard output.

python speed_ours.py frame|file|count|shards MODEL STORE TABLE
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import polars as pl


def main() -> None:
    how, model, store, path = sys.argv[1:]
    start = time.perf_counter()
    from assay.lifecycle.watching.judge import judge
    from assay.lifecycle.watching.opened import open_profile
    from assay.registry.fold import fold
    from assay.stores.workspace import find_workspace

    imported = time.perf_counter() - start
    found: dict[str, object] = {"import_s": round(imported, 2)}
    if how in ("count", "shards"):
        workspace = find_workspace(store)
        version = fold(workspace.ledger.read()).resolve(model)
        found |= _counted(how, open_profile(workspace, version).columns, path)
    else:
        table = path if how == "file" else pl.read_parquet(path)
        before = _peak()
        start = time.perf_counter()
        verdict = judge(table, model, store=store)
        found |= {
            "seconds": round(time.perf_counter() - start, 3),
            "data_mb": round(before, 1),
            "rows": verdict.rows,
            "verdict": verdict.verdict,
            "flagged": sorted(m.column for m in verdict.drift if m.flagged and m.kind == "input"),
        }
    print(json.dumps(found | {"peak_mb": round(_peak(), 1)}))


def _counted(how: str, columns: tuple, path: str) -> dict[str, object]:
    from assay.watch.columns.count import count

    table = pl.read_parquet(path)
    count(columns, table.head(1000))
    start = time.perf_counter()
    whole = count(columns, table)
    seconds = time.perf_counter() - start
    if how == "count":
        return {"seconds": round(seconds, 3), "rows": whole.rows}
    third = table.height // 3
    parts = [table[:third], table[third : third + 7], table[third + 7 :]]
    merged = sum((count(columns, part) for part in parts[1:]), count(columns, parts[0]))
    same = all((merged.cells[name] == whole.cells[name]).all() for name in whole.cells)
    return {"rows": whole.rows, "same": bool(same and merged.rows == whole.rows)}


def _peak() -> float:
    # not `ru_maxrss`, which starts from what the parent process had
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(x.split()[1]) / 1024 for x in lines if x.startswith("VmHWM"))


if __name__ == "__main__":
    main()
