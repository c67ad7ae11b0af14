"""Measure every framework on every table, one process at a time; what was measured is kept.

    ASSAY_DATA=… python benchmarks/automl/run.py [--seconds 60,120] [--only assay,flaml]
        [--tables adult,ames] [--again assay] [--loud]

One line of JSON per table, framework and seconds goes to WORK/results.jsonl, the answers to the
test rows to WORK/answers. A line that is there is not measured again, so a run that was stopped
goes on where it was. Then `summary.py` writes the tables.
"""

from __future__ import annotations

import argparse
import json
import time
import traceback
from pathlib import Path
from typing import Any

import numpy as np
from measure import wait_until_quiet
from ours import measure_ours
from peers import CACHE, PEERS, UNTIMED, measure_peer
from sklearn.metrics import roc_auc_score
from tables import SOURCES, Table, losses, overall, prepare, truth

WORK = CACHE / "automl"
FRAMEWORKS = ("assay", *PEERS)


def results(work: Path) -> dict[tuple[str, str, int], dict[str, Any]]:
    """Return the last line of every table, framework and seconds."""
    file = work / "results.jsonl"
    lines = file.read_text().splitlines() if file.exists() else []
    found = [json.loads(line) for line in lines]
    return {(line["table"], line["framework"], line["seconds"]): line for line in found}


def answers_file(work: Path, table: str, framework: str, seconds: int) -> Path:
    """Return where the answers to the test rows are kept."""
    return work / "answers" / f"{table}-{framework}-{seconds}.npy"


def measure(framework: str, table: Table, seconds: int, work: Path) -> dict[str, Any]:
    """Return the line of one framework on one table; a failure is a line too."""
    line: dict[str, Any] = {"table": table.name, "framework": framework, "seconds": seconds}
    line |= {"task": table.task, "metric": table.metric, "at": time.strftime("%Y-%m-%dT%H:%M:%S")}
    try:
        one = measure_ours if framework == "assay" else measure_peer
        found = one(framework, table, seconds, work)
        values = found.pop("answers")
        return {**line, "status": "done", **scores(table, values, work), **found} | {
            "answers": keep(values, answers_file(work, table.name, framework, seconds))
        }
    except Exception as error:  # noqa: BLE001 - a framework may fail in any way; the rest goes on
        said = str(error) if isinstance(error, RuntimeError) else traceback.format_exc()
        return {**line, "status": "failed", "error": said[-2000:]}


def keep(values: np.ndarray, file: Path) -> str:
    file.parent.mkdir(parents=True, exist_ok=True)
    np.save(file, values)
    return file.name


def scores(table: Table, values: np.ndarray, work: Path) -> dict[str, float]:
    """Return the metric that counts, and beside it the area under the ROC curve."""
    answer = truth(table, work)
    if values.shape[0] != answer.size or not np.isfinite(values).all():
        raise RuntimeError(f"answers of shape {values.shape}, or not finite")
    found = {"score": overall(table, losses(table, answer, values))}
    if table.task == "binary":
        found["roc_auc"] = float(roc_auc_score(answer, values[:, 1]))
    elif table.task == "multiclass":
        shares = values / values.sum(axis=1, keepdims=True)
        found["roc_auc"] = float(roc_auc_score(answer, shares, multi_class="ovr"))
    return {name: round(value, 6) for name, value in found.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", default="60")
    parser.add_argument("--only", default=",".join(FRAMEWORKS))
    parser.add_argument("--tables", default=",".join(SOURCES))
    parser.add_argument("--again", default="", help="measure these frameworks anew")
    parser.add_argument(
        "--others",
        type=float,
        default=9.0,
        help="and what had more cores than these at work beside it",
    )
    parser.add_argument("--loud", action="store_true", help="do not wait for a quiet machine")
    parser.add_argument("--until", default="", help="start nothing after this time, as 14:08")
    parser.add_argument("--work", type=Path, default=WORK)
    chosen = parser.parse_args()
    chosen.work.mkdir(parents=True, exist_ok=True)
    there, again = results(chosen.work), set(chosen.again.split(","))
    for seconds in map(int, chosen.seconds.split(",")):
        for name in chosen.tables.split(","):
            table = prepare(name, chosen.work)
            for framework in chosen.only.split(","):
                key = (name, framework, 0 if framework in UNTIMED else seconds)
                noisy = there.get(key, {}).get("others", 0.0) > chosen.others
                if key in there and framework not in again and not noisy:
                    continue
                if not chosen.loud:
                    wait_until_quiet()
                if chosen.until and time.strftime("%H:%M") >= chosen.until:
                    return
                there[key] = line = measure(framework, table, key[2], chosen.work)
                with (chosen.work / "results.jsonl").open("a") as out:
                    out.write(json.dumps(line) + "\n")
                shown = ("status", "score", "roc_auc", "wall_s", "row_ms", "others", "error")
                print(*key, {k: line[k] for k in shown if k in line}, flush=True)


if __name__ == "__main__":
    main()
