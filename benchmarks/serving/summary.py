"""Medians, ratios and the table of the README from the lines of results."""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))
from spine import machine

OUT = Path(__file__).parents[1] / "results" / "serving.json"
PAGE = Path(__file__).with_name("README.md")
BEGIN, END = "<!-- measured -->", "<!-- end of measured -->"

Line = dict[str, Any]

GOALS = (
    ("single c32", "assay", "mlflow", "single c32", 150.0),
    ("single c32", "assay", "fastapi-onnx", "single c32", 3.0),
    ("single c32", "assay", "echo", "single c32", 0.6),
    ("single c32", "assay-ensemble", "mlflow", "single c32", 40.0),
    ("1000 rows", "assay", "mlflow", "1000 rows", 4.0),
    ("1000 columns", "assay", "mlflow", "1000 rows", 8.0),
    ("1000 arrow", "assay", "mlflow", "1000 rows", 8.0),
)
"""Case and server, over which server's case, and the least that their rates are to be apart."""

LIMITS = (
    ("single c1", "p50_ms", 0.15),
    ("single c32", "p99_ms", 5.0),
    ("open", "p99_ms", 5.0),
    ("start", "ready_s", 1.5),
    ("memory", "largest_mb", 150.0),
)
"""Case, number, and the most that it is to be for our server."""

COLUMNS = (
    ("1 connection: req/s", "single c1", "rps"),
    ("p50 ms", "single c1", "p50_ms"),
    ("32: req/s", "single c32", "rps"),
    ("p99 ms", "single c32", "p99_ms"),
    ("refused", "single c32", "failed"),
    ("at 70 %: p99 ms", "open", "p99_ms"),
    ("1,000 as rows", "1000 rows", "rps"),
    ("as columns", "1000 columns", "rps"),
    ("as Arrow", "1000 arrow", "rps"),
    ("ready s", "start", "ready_s"),
    ("RSS MB", "memory", "rss_mb"),
    ("PSS MB", "memory", "pss_mb"),
)


def write(lines: Iterable[Line], day: str, *, keep: bool) -> None:
    """Print what was found; with `keep` it replaces the result and the README's table."""
    found = medians(lines)
    result = {
        "machine": machine(),
        "day": day,
        "servers": found,
        "ratios": ratios(found),
        "limits": limits(found),
    }
    page = "\n".join([*table(found), "", *said(result)])
    print(page)
    if keep:
        OUT.write_text(json.dumps(result, indent=1) + "\n")
        text = PAGE.read_text()
        before, _, rest = text.partition(BEGIN)
        PAGE.write_text(f"{before}{BEGIN}\n{page}\n{END}{rest.partition(END)[2]}")


def medians(lines: Iterable[Line]) -> dict[str, dict[str, Line]]:
    """Return server → case → each number as median, least and most over the rounds."""
    gathered: dict[str, dict[str, list[Line]]] = {}
    for line in lines:
        gathered.setdefault(line["server"], {}).setdefault(line["case"], []).append(line)
    return {
        server: {case: _spread(rounds) for case, rounds in cases.items()}
        for server, cases in gathered.items()
    }


def _spread(rounds: list[Line]) -> Line:
    names = [name for name in rounds[0] if name not in ("server", "case", "round")]
    values = {name: [line[name] for line in rounds] for name in names}
    return {
        name: [statistics.median(v), min(v), max(v)] if len(v) > 1 else [v[0]] * 3
        for name, v in values.items()
    }


def ratios(found: dict[str, dict[str, Line]]) -> list[Line]:
    """Return our rates over those of others, with the goal of each."""
    made = []
    for case, ours, other, of, goal in GOALS:
        try:
            ratio = found[ours][case]["rps"][0] / found[other][of]["rps"][0]
        except KeyError:
            continue
        made.append(
            {"server": ours, "case": case, "over": other, "of": of, "ratio": round(ratio, 2)}
            | {"goal": goal, "reached": ratio >= goal}
        )
    return made


def limits(found: dict[str, dict[str, Line]]) -> list[Line]:
    """Return our own numbers beside the most that they are to be."""
    made = []
    for case, name, most in LIMITS:
        value = found.get("assay", {}).get(case, {}).get(name)
        if value is not None:
            made.append({"case": case, "number": name, "value": value[0], "goal": most}
                        | {"reached": value[0] <= most})  # fmt: skip
    return made


def table(found: dict[str, dict[str, Line]]) -> list[str]:
    head = ["server", *(name for name, _, _ in COLUMNS)]
    rows = [[s, *(_cell(cases, case, n) for _, case, n in COLUMNS)] for s, cases in found.items()]
    return [f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows)]


def _cell(cases: dict[str, Line], case: str, name: str) -> str:
    value = cases.get(case, {}).get(name)
    if value is None:
        return ""
    return f"{value[0]:,.0f}" if value[0] >= 100 else f"{value[0]:.3g}"


def said(result: Line) -> list[str]:
    lines = ["| goal | measured | asked | reached |", "|---|---|---|---|"]
    for r in result["ratios"]:
        what = f"{r['server']}, {r['case']}, over {r['over']}'s {r['of']}"
        lines.append(f"| {what} | {r['ratio']} | ≥ {r['goal']:g} | {_yes(r['reached'])} |")
    for r in result["limits"]:
        what = f"assay, {r['case']}: {r['number']}"
        lines.append(f"| {what} | {r['value']} | ≤ {r['goal']:g} | {_yes(r['reached'])} |")
    return lines


def _yes(reached: bool) -> str:
    return "yes" if reached else "**no**"
