"""What the measured lines say: ranks, intervals against the best peer, and ratios.

    python benchmarks/automl/summary.py [--seconds 60] [--work FOLDER]

Writes `benchmarks/results/automl-<seconds>s.json`, and the tables into this folder's README.md.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import statistics
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from page import markdown, write_page
from peers import UNTIMED
from run import FRAMEWORKS, WORK, answers_file, results
from scipy.stats import rankdata
from tables import SOURCES, Table, losses, overall, prepare, truth

HERE = Path(__file__).parent
RESULTS = HERE.parent / "results"
REPLICATES = 2000
MOONSHOT = ("autogluon-best", 600)
COMPARED = {
    "disk": ("disk_bytes", "disk_bytes"),
    "for deployment": ("deploy_bytes", "deploy_bytes"),
    "one row in a frame": ("row_ms", "row_ms"),
    "one row as a dict": ("dict_ms", "row_ms"),  # the peers take frames only
    "10,000 rows": ("rows_10k_ms", "rows_10k_ms"),
    "whole process": ("wall_s", "wall_s"),
}
"""Ratio → our figure and the peers'."""
Lines = dict[str, dict[str, Any]]
"""Framework → its line on one table."""


def lines_at(found: dict[tuple[str, str, int], dict[str, Any]], name: str, seconds: int) -> Lines:
    """Return the lines of one table at one budget, with those of the peers that have none."""
    keys = {f: (name, f, 0 if f in UNTIMED else seconds) for f in FRAMEWORKS}
    return {framework: found[key] for framework, key in keys.items() if key in found}


def ranks(lines: Lines) -> dict[str, float]:
    """Return the place of every framework, 1 the best; one that failed is last."""
    scores = [line.get("score", np.inf) for line in lines.values()]
    return dict(zip(lines, rankdata(scores).tolist(), strict=True))


def difference(table: Table, ours: dict[str, Any], peer: dict[str, Any], work: Path) -> list[float]:
    """Return ours minus the peer's metric on the test rows, and its paired bootstrap interval.

    The rows are drawn again 2,000 times, the same for both; the ends are the 2.5 and 97.5
    percentiles. Below nought ours is better.
    """
    answer = truth(table, work)
    keys = [(line["framework"], line["seconds"]) for line in (ours, peer)]
    both = [
        losses(table, answer, np.load(answers_file(work, table.name, framework, seconds)))
        for framework, seconds in keys
    ]
    random = np.random.default_rng(0)
    drawn = [
        overall(table, both[0][rows]) - overall(table, both[1][rows])
        for rows in (random.integers(0, answer.size, answer.size) for _ in range(REPLICATES))
    ]
    ends = np.percentile(drawn, [2.5, 97.5])
    return [overall(table, both[0]) - overall(table, both[1]), float(ends[0]), float(ends[1])]


def against(table: Table, lines: Lines, work: Path) -> dict[str, Any]:
    """Return the best peer of a table, which is chosen on the test rows, and ours beside it."""
    peers = {f: line for f, line in lines.items() if f != "assay" and line["status"] == "done"}
    ours = lines.get("assay")
    if not peers or ours is None or ours["status"] != "done":
        return {}
    best = min(peers, key=lambda name: peers[name]["score"])
    return {"best_peer": best, **apart(difference(table, ours, peers[best], work))}


def apart(found: list[float]) -> dict[str, Any]:
    """Return a difference with its interval, and what it says."""
    _, low, high = found
    says = "better" if high < 0 else "worse" if low > 0 else "no difference shown"
    return {"difference": [round(value, 6) for value in found], "says": says}


def ratios(tables: dict[str, Lines], mine: str, theirs: str) -> dict[str, dict[str, float]]:
    """Return our figure over each peer's: the median and the largest of the tables."""
    found: dict[str, dict[str, float]] = {}
    for peer in FRAMEWORKS[1:]:
        shares = [
            lines["assay"][mine] / lines[peer][theirs]
            for lines in tables.values()
            if mine in lines.get("assay", {}) and lines.get(peer, {}).get(theirs)
        ]
        if shares:
            found[peer] = {
                "median": round(statistics.median(shares), 5),
                "largest": round(max(shares), 5),
            }
    return found


def summarise(seconds: int, work: Path) -> dict[str, Any]:
    """Return everything that is said about one budget."""
    found = results(work)
    tables = {name: lines_at(found, name, seconds) for name in SOURCES}
    tables = {name: lines for name, lines in tables.items() if lines}
    there = [f for f in FRAMEWORKS if any(f in lines for lines in tables.values())]
    whole = {name: lines for name, lines in tables.items() if len(lines) == len(there)}
    places = {name: ranks(lines) for name, lines in whole.items()}
    said: dict[str, Any] = {}
    for name, lines in tables.items():
        table = prepare(name, work)
        said[name] = {
            "rows": [table.train_rows, table.test_rows],
            "columns": table.columns,
            "metric": table.metric,
            **against(table, lines, work),
            **moonshot(table, lines, found, work),
            "frameworks": {f: short(line) for f, line in lines.items()},
        }
    return {
        "seconds": seconds,
        "machine": machine(),
        "frameworks": there,
        "against_best_peer": dict(Counter(t["says"] for t in said.values() if "says" in t)),
        "moonshot": dict(Counter(t["moonshot"]["says"] for t in said.values() if "moonshot" in t)),
        "tables_ranked": len(whole),
        "mean_rank": {
            f: round(statistics.mean(place[f] for place in places.values()), 2)
            for f in there
            if places
        },
        "ratios": {
            words: ratios(tables, mine, theirs) for words, (mine, theirs) in COMPARED.items()
        },
        "tables": said,
    }


def moonshot(
    table: Table, lines: Lines, found: dict[tuple[str, str, int], dict[str, Any]], work: Path
) -> dict[str, Any]:
    """Return ours at this budget against AutoGluon's best preset with ten minutes."""
    peer, ours = found.get((table.name, *MOONSHOT)), lines.get("assay")
    if not (peer and ours and peer["status"] == ours["status"] == "done"):
        return {}
    return {"moonshot": apart(difference(table, ours, peer, work)) | {"score": peer["score"]}}


def short(line: dict[str, Any]) -> dict[str, Any]:
    """Return a line without what belongs to the work folder; of an error the last line."""
    left = ("table", "framework", "task", "metric", "answers", "models")
    short = {key: value for key, value in line.items() if key not in left}
    if "error" in line:
        last = line["error"].strip().rpartition("\n")[2]
        short["error"] = re.sub(r"/\S*/", "", last)[:300]
    return short


def machine() -> dict[str, Any]:
    about = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((x.split(":")[1].strip() for x in about if x.startswith("model name")), "")
    return {"processor": model, "cores": os.cpu_count(), "python": platform.python_version()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--work", type=Path, default=WORK)
    parser.add_argument("--show", action="store_true", help="print only, write nothing")
    chosen = parser.parse_args()
    said = summarise(chosen.seconds, chosen.work)
    text = markdown(said)
    print(text)
    if not chosen.show:
        file = RESULTS / f"automl-{chosen.seconds}s.json"
        file.write_text(json.dumps(said, indent=1) + "\n")
        write_page(chosen.seconds, text)


if __name__ == "__main__":
    main()
