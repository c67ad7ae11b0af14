"""Are planted leaks found, and are clean tables left alone? Beside skore and Deepchecks.

    python benchmarks/judgement/leaks.py > benchmarks/results/judgement-leaks.json
    ... --only assay|clean|peers    --kinds "sum of two"    --tables adult_census
    ... --skore PYTHON --deepchecks PYTHON    interpreters that have these tools
    ... --answers RESULT    an earlier result, whose peers' answers are taken over

Recall is asked of the leaks that move a quick model's score by more than its interval (`moves.py`).
A false error is an error that the audit reports of a table in which nothing was planted. The peers
get the same rows and parts, in one run, `--seconds` of CPU time a case at most.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
import warnings
from collections import defaultdict
from concurrent.futures import ProcessPoolExecutor
from importlib.metadata import version
from itertools import chain, repeat
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import polars as pl
from moves import moved
from planted import ROWS, cases, checked, hits
from planting import COPY_CODES, KINDS, ORDER_CODES, STRENGTHS
from tables import CLEAN, PLANTED, available, base

from assay.errors import DataError

CLEAN_ROWS = 5_000
SHUFFLES = 3
PEER_TABLES = ("adult_census", "california_housing")
PEER_ROWS = 1_000
PEER_STRENGTH = "middle"
PEER_CLEAN = ("adult_census", "california_housing", "telco_churn", "ames_housing", "penguins")

SAYS_COLUMN = {
    "skore": {"SKD011"},
    "deepchecks": {
        "FeatureLabelCorrelation",
        "FeatureLabelCorrelationChange",
        "IdentifierLabelCorrelation",
    },
}
"""Checks of the peers that name a column which knows too much."""
SAYS_ROWS = {
    "skore": {},
    "deepchecks": {"TrainTestSamplesMix": COPY_CODES, "LabelDrift": ORDER_CODES},
}
"""Checks of the peers that need no column, and the codes of ours that say the same."""
SAYS_TIME = {"skore": {"SKD013"}, "deepchecks": {"DateTrainTestLeakageOverlap"}}


def say(text):
    print(text, file=sys.stderr, flush=True)


def one(case):
    """Judge one planted case."""
    planted = case.planted
    start = time.process_time()
    found = checked(case.base, planted.table, planted.split, planted.transform)
    seconds = time.process_time() - start
    named = hits(case, found.findings)
    row = {
        "kind": case.kind,
        "strength": case.strength,
        "table": case.base.name,
        "found": [f"{f.code} ({f.severity})" for f in named],
        "other_errors": [
            f"{f.code} {f.where}"
            for f in found.findings
            if f.severity == "error" and f not in named
        ],
        "cpu_seconds": round(seconds, 3),
    }
    if found.problem is None:  # refused before anything is scored
        return {**row, "metric": "", "moves": False, "refused": True}
    try:
        return {**row, **moved(case, found)}
    except DataError:  # a part with one class has no score, so nothing says that the leak moves it
        return {**row, "metric": "", "moves": False}


def recall(rows):
    """Return found of asked, and of all, for some cases."""
    asked = [row for row in rows if row["moves"]]
    return {
        "cases": len(rows),
        "found": sum(bool(row["found"]) for row in rows),
        "moving": len(asked),
        "moving_found": sum(bool(row["found"]) for row in asked),
    }


def of_table(table, kinds):
    """Judge every case planted into one table."""
    warnings.simplefilter("ignore")
    rows = []
    for case in cases(kinds=kinds, tables=[table]):
        rows.append(one(case))
        missed = rows[-1]["moves"] and not rows[-1]["found"]
        say(f"{'missed' if missed else 'done'}: {case.name}")
    return rows


def assay(kinds, tables, jobs):
    """Judge every case, `jobs` tables at a time; return the recall by kind and strength."""
    names = tables or available(PLANTED)
    with ProcessPoolExecutor(jobs) as pool:
        rows = list(chain.from_iterable(pool.map(of_table, names, repeat(kinds))))
    kinds = {kind: recall([r for r in rows if r["kind"] == kind]) for kind in KINDS}
    table = {
        kind: {
            s: recall([r for r in rows if (r["kind"], r["strength"]) == (kind, s)])
            for s in STRENGTHS
        }
        for kind in KINDS
    }
    total = recall(rows)
    asked = max(total["moving"], 1)
    return {
        "rows_of_a_table_at_most": ROWS,
        "kinds": len({row["kind"] for row in rows}),
        "tables": len({row["table"] for row in rows}),
        **total,
        "recall_of_moving": round(total["moving_found"] / asked, 4),
        "by_kind": {kind: each for kind, each in kinds.items() if each["cases"]},
        "by_kind_and_strength": {k: v for k, v in table.items() if kinds[k]["cases"]},
        "missed_moving": [
            f"{r['kind']}, {r['strength']}, {r['table']}"
            for r in rows
            if r["moves"] and not r["found"]
        ],
        "cpu_seconds_a_case": round(float(np.mean([r["cpu_seconds"] for r in rows])), 3),
        "all": rows,
    }


def clean(tables):
    """Audit tables in which nothing was planted: the whole, and parts under other splits."""
    runs = []
    for name in available(tables or CLEAN):
        for seed in range(SHUFFLES):
            found = base(name, CLEAN_ROWS)
            if seed:
                found = base(name, int(found.table.height * 0.8), seed)
            policy = dict(found.split) if found.split else {"seed": seed}
            start = time.process_time()
            result = checked(found, found.table, policy)
            runs.append(
                {
                    "table": name,
                    "seed": seed,
                    "rows": found.table.height,
                    "errors": _told(result.findings, "error"),
                    "warnings": _told(result.findings, "warning"),
                    "cpu_seconds": round(time.process_time() - start, 3),
                }
            )
    by_table = defaultdict(list)
    for run in runs:
        by_table[run["table"]].append(run)
    wrong = {name: sum(bool(r["errors"]) for r in each) for name, each in by_table.items()}
    return {
        "tables": len(by_table),
        "tables_with_a_false_error": sum(bool(count) for count in wrong.values()),
        "runs": len(runs),
        "runs_with_a_false_error": sum(wrong.values()),
        "all": runs,
    }


def _told(findings, severity):
    return [f"{f.code} {f.where}" for f in findings if f.severity == severity]


def export(folder, kinds):
    """Write the cases that the peers are asked about; return what each is about."""
    told = []
    tables = available(PEER_TABLES)
    for case in cases(kinds=kinds, tables=tables, strengths=[PEER_STRENGTH], rows=PEER_ROWS):
        if case.planted.transform:  # neither peer can be handed one
            continue
        found = checked(case.base, case.planted.table, case.planted.split)
        told.append(_write(folder, case.name, case.base, found, case.planted))
        told[-1]["assay"] = bool(hits(case, found.findings))
        told[-1] |= {"kind": case.kind, "columns": case.planted.columns, "codes": [*case.codes]}
    for name in available(PEER_CLEAN):
        plain = base(name, PEER_ROWS)
        found = checked(plain, plain.table, plain.split)
        told.append(_write(folder, f"clean, {name}", plain, found, None))
        told[-1]["assay"] = bool(_told(found.findings, "error"))
        told[-1] |= {"kind": "clean", "columns": (), "codes": []}
    (folder / "cases.json").write_text(json.dumps(told))
    return told


def _write(folder, name, asked, found, planted):
    """Write one case for a peer: text as text, a class as a word, the parts as a column."""
    file = f"{name.replace(' ', '-').replace(',', '')}.parquet"
    part = pl.Series("__part__", np.where(found.parts == -1, "test", "train"))
    declared = planted.split.get("predefined_on") if planted else None
    table = found.table.drop([declared] if declared else []).with_columns(part)
    if asked.task != "regression":
        table = table.with_columns(pl.col(asked.target).cast(pl.String))
    table.filter(pl.Series(found.parts != -2)).write_parquet(folder / file)
    dates = [name for name in table.columns if table[name].dtype.is_temporal()]
    identity = [name for name in ("case_id",) if name in table.columns]
    return {
        "name": name,
        "file": file,
        "target": asked.target,
        "task": asked.task,
        "positive": asked.positive or found.problem.positive,
        "date": dates[0] if dates else None,
        "id": identity[0] if identity else None,
    }


def answers_of(tool, python, folder, seconds):
    """Ask one peer about every exported case; return its answers, and its version in the first."""
    command = [python, str(Path(__file__).with_name("peers.py")), tool, str(folder)]
    command += ["--seconds", str(seconds)]
    lines = []
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        for line in process.stdout:
            lines.append(json.loads(line))
            say(line.strip()[:160])
    return lines


def earlier_answers(result, tool):
    """Return the answers that a peer gave in an earlier result: they do not depend on Assay."""
    known = json.loads(Path(result).read_text())[tool]
    return [{"version": known["version"]}, *known["all"]]


def beside(tool, lines, told):
    """Put what a peer says of each case next to what Assay says of it."""
    first, answers = lines[0], {line["name"]: line for line in lines[1:]}
    leaks = SAYS_COLUMN[tool] | SAYS_TIME[tool] | set(SAYS_ROWS[tool])
    rows = []
    for case in (case for case in told if case["name"] in answers):
        answer = answers[case["name"]]
        complaints = [line for line in answer["complaints"] if line[0] in leaks]
        rows.append(
            {
                "name": case["name"],
                "kind": case["kind"],
                "assay": case["assay"],
                tool: _hit(tool, case, complaints),
                "complaints": complaints,
                "cpu_seconds": answer["cpu_seconds"],
                "error": answer["error"],
            }
        )
    by_kind = {}
    for kind in (*KINDS, "clean"):
        each = [row for row in rows if row["kind"] == kind]
        if each:
            names = ("assay", tool)
            by_kind[kind] = {"cases": len(each)} | {n: sum(r[n] for r in each) for n in names}
    planted = [row for row in rows if row["kind"] != "clean"]
    return {
        "version": first["version"],
        "cases": len(planted),
        "assay_found": sum(row["assay"] for row in planted),
        f"{tool}_found": sum(row[tool] for row in planted),
        "median_cpu_seconds_a_case": float(np.median([row["cpu_seconds"] for row in rows])),
        "too_long": [row["name"] for row in rows if row["error"].startswith("TimeoutError")],
        "failed": {
            row["name"]: row["error"]
            for row in rows
            if row["error"] and not row["error"].startswith("TimeoutError")
        },
        "by_kind": by_kind,
        "all": rows,
    }


def _hit(tool, case, complaints):
    """Return True when a check names the planted column, or the fault of the rows.

    On a clean table any complaint of a check about leaks counts, as a false alarm.
    """
    if case["kind"] == "clean":
        return bool(complaints)
    for check, text in complaints:
        if check in SAYS_COLUMN[tool] and any(name in text for name in case["columns"]):
            return True
        if check in SAYS_TIME[tool] and "TIME-OVERLAP" in case["codes"]:
            return True
        if set(SAYS_ROWS[tool].get(check, ())) & set(case["codes"]):
            return True
    return False


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=["assay", "clean", "peers"], nargs="*")
    parser.add_argument("--kinds", nargs="*", default=[])
    parser.add_argument("--tables", nargs="*", default=[])
    parser.add_argument("--skore")
    parser.add_argument("--deepchecks")
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--answers", help="an earlier result whose peers' answers are taken over")
    parser.add_argument("--jobs", type=int, default=2, help="tables at a time")
    chosen = parser.parse_args()
    warnings.simplefilter("ignore")
    parts = chosen.only or ["assay", "clean", "peers"]
    machine = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    result = {"machine": machine, "polars": version("polars")}
    if "assay" in parts:
        result["planted"] = assay(chosen.kinds, chosen.tables, chosen.jobs)
    if "clean" in parts:
        result["clean"] = clean(tuple(chosen.tables))
    tools = {"skore": chosen.skore, "deepchecks": chosen.deepchecks}
    if "peers" in parts and (chosen.answers or any(tools.values())):
        with tempfile.TemporaryDirectory() as name:
            told = export(Path(name), chosen.kinds)
            for tool, python in tools.items():
                if python:
                    lines = answers_of(tool, python, Path(name), chosen.seconds)
                elif chosen.answers:
                    lines = earlier_answers(chosen.answers, tool)
                else:
                    continue
                result[tool] = beside(tool, lines, told)
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
