"""Measure our server, the peers and the floor in turn, on one core each; results as ratios.

    ASSAY_DATA=… python benchmarks/serving/run.py [--only assay,mlflow,echo] [--rounds 3]
        [--seconds 3] [--again assay] [--loud]

Each round asks every server in turn: one connection, 32 connections, a thousand rows a request.
One line of JSON per server, case and round goes to WORK/results.jsonl; a line that is there is not
measured again, so a run that was stopped goes on where it was. Then the table is printed and
`benchmarks/results/serving.json` written.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import ours
from measure import Running, bodies_file, closed, running
from open_loop import at_rate
from peers import HERE, SERVED, SERVERS, WORK, Rows, Server, interpreter
from summary import write

SOURCE = Path(os.environ.get("ASSAY_DATA", "data")) / "adult_census.parquet"
RESULTS = WORK / "results.jsonl"
SINGLE, MANY, CHECKED = 256, 1000, 50
TOLERANCE = 1e-5
WARM_UP = 1
FEW, LONGER = 300, 2
LOAD = 0.7
"""Part of the measured rate at which the open loop asks."""

Key = tuple[str, str, int]


def results() -> dict[Key, dict[str, Any]]:
    lines = RESULTS.read_text().splitlines() if RESULTS.exists() else []
    found = [json.loads(line) for line in lines]
    return {(line["server"], line["case"], line["round"]): line for line in found}


def keep(server: str, case: str, number: int, found: dict[str, Any]) -> None:
    line = {"server": server, "case": case, "round": number, **found}
    with RESULTS.open("a") as out:
        out.write(json.dumps(line) + "\n")
    print(json.dumps(line), flush=True)


def prepare(chosen: list[str]) -> Rows:
    """Make the table, the pipeline of the peers and our packages, where they are not there yet."""
    table, model = WORK / "table", WORK / "model"
    if not (table / "adult.csv").exists():
        ours.prepare(SOURCE, table)
    if not (model / "rows.json").exists():
        fit = [interpreter("fastapi"), HERE / "model.py", table / "adult.csv", model]
        subprocess.run(fit, check=True)
    if "mlflow" in chosen and not (model / "mlflow").exists():
        subprocess.run([interpreter("mlflow"), SERVERS / "mlflow_save.py", model], check=True)
    for name in ("assay", "assay-ensemble"):
        if name in chosen and not (WORK / name / "ledger.sqlite").exists():
            ours.package(table / "adult.parquet", WORK / name, ensemble=name != "assay")
    rows: Rows = json.loads((model / "rows.json").read_text())
    return rows


def right(server: Server, rows: Rows) -> list[float]:
    """Return the chances that a server has to answer."""
    if server.truth == "reference":
        return [float(x) for x in np.load(WORK / "model" / "reference.npy")[: len(rows)]]
    return ours.truth(WORK / server.truth, rows)


def check(name: str, target: Running, rows: Rows) -> float:
    """Compare answers in every form with the right ones; returns the largest difference."""
    server = target.server
    if server.answers is None:
        return 0.0
    wanted, most = right(server, rows), 0.0
    for form in server.bodies:
        for at in (slice(0, 1), slice(0, len(rows))):
            got = server.answers(target.ask(form, rows[at]))
            most = max(most, float(np.abs(np.array(got) - wanted[at]).max()))
    if most > TOLERANCE:
        raise RuntimeError(f"{name} answers wrongly: {most}")
    return most


def cases(server: Server) -> dict[str, tuple[str, int, int]]:
    """Return form, rows a request and connections of each case."""
    single = {f"single c{connections}": ("rows", 1, connections) for connections in (1, 32)}
    return single | {f"{MANY} {form}": (form, MANY, 1) for form in server.bodies}


def measure(
    name: str, target: Running, rows: Rows, number: int, chosen: argparse.Namespace
) -> None:
    """Measure the cases of one server that are not there yet."""
    there = results()
    for case, (form, size, connections) in cases(target.server).items():
        if (name, case, number) in there:
            continue
        parts = [rows[i : i + size] for i in range(0, size * (SINGLE if size == 1 else 4), size)]
        bodies = [target.server.bodies[form](part) for part in parts]
        file = bodies_file(form, bodies, f"{name}-{size}")
        closed(target, form, file, connections, WARM_UP)
        found = closed(target, form, file, connections, chosen.seconds)
        if found["requests"] < FEW:  # slow, so that these are too few for a percentile
            found = closed(target, form, file, connections, LONGER * chosen.seconds)
        keep(name, case, number, found)
        if case == "single c32":
            url = f"http://127.0.0.1:{target.port}{target.server.path}"
            keep(name, "open", number, at_rate(url, bodies, LOAD * found["rps"], chosen.seconds))
    if (name, "memory", number) not in there:
        keep(name, "memory", number, target.memory())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default=",".join(SERVED))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--again", default="", help="measure these servers anew")
    parser.add_argument("--loud", action="store_true", help="write no result: the machine is busy")
    chosen = parser.parse_args()
    names = chosen.only.split(",")
    rows = prepare(names)
    forget(chosen.again.split(","))
    with ExitStack() as stack:
        up: dict[str, Running] = {}
        for name in names:
            up[name] = stack.enter_context(running(name, SERVED[name], rows[:1]))
            difference = check(name, up[name], rows[:CHECKED])
            if (name, "start", 0) not in results():
                keep(name, "start", 0, {"ready_s": up[name].ready_s, "difference": difference})
        for number in range(chosen.rounds):
            for name in names:
                measure(name, up[name], rows, number, chosen)
    write(results().values(), time.strftime("%Y-%m-%d"), keep=not chosen.loud)


def forget(names: list[str]) -> None:
    """Drop what was measured of these servers."""
    kept = [line for (server, _, _), line in results().items() if server not in names]
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    RESULTS.write_text("".join(json.dumps(line) + "\n" for line in kept))


if __name__ == "__main__":
    main()
