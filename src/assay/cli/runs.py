"""`assay runs`, `show`, `compare` and `report`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from rich.markup import escape

from assay.cli.command import Command
from assay.cli.console import console_for, table
from assay.cli.verdict import (
    estimate,
    models_of,
    print_findings,
    print_judgement,
    print_next,
    print_verdict,
    relative,
    tried,
)
from assay.lifecycle.result import RunResult, list_runs, open_run
from assay.metrics import get
from assay.records.fitted import Leaderboard
from assay.report.searched import parted, trial_rows
from assay.report.text import cut, plural
from assay.report.view import RunView

NAME = 40
"""Characters of a champion's name in a table; an ensemble has a long one."""


def _run_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", nargs="?", default="last", help="a run, part of its id, or `last`")


def _runs(args: argparse.Namespace) -> tuple[int, Any]:
    entries = list_runs(args.store)
    rows = [
        (
            e.run,
            e.status,
            e.verdict,
            e.started_at[:19].replace("T", " "),
            "-" if e.status == "interrupted" else f"{e.seconds:.1f} s",
        )
        for e in entries
    ]
    console_for(args).print(table(("run", "status", "verdict", "started (UTC)", "took"), rows))
    keys = ("run", "project", "status", "verdict", "started_at", "seconds", "reason")
    return 0, [{key: getattr(e, key) for key in keys} for e in entries]


def _show(args: argparse.Namespace) -> tuple[int, Any]:
    console, result = console_for(args), open_run(args.run, args.store)
    view = result.view
    print_verdict(console, result, None)
    if not view.halted and view.audit.findings:
        console.print()
        print_findings(console, view.audit)
    if view.leaderboard is not None:
        rows, more = _trials(view, view.leaderboard)
        title = f"\nOut-of-fold {view.leaderboard.metric}"
        console.print(table(("candidate", "score", "weight", "fitting", ""), rows, title))
        if more:
            console.print(f"[dim]{more}[/dim]")
    if view.report is not None:
        names = list(view.report.champion.metrics)
        champion, baseline = view.report.champion.metrics, view.report.baseline.metrics
        scores = [(n, estimate(n, champion[n]), estimate(n, baseline[n])) for n in names]
        console.print(table(("metric", "champion", "baseline"), scores, "\nTest rows"))
    print_judgement(console, view)
    if view.versions:
        console.print(table(("", ""), [*view.versions], "\nVersions"))
    print_next(console, result, without="show")
    return 0, result.to_dict()


def _trials(view: RunView, board: Leaderboard) -> tuple[list[tuple[str, ...]], str]:
    """Return the rows of the leaderboard that matter most, and what is said of the others."""
    first, more = parted(trial_rows(board, view.members))
    rows: list[tuple[str, ...]] = [
        (
            row.name,
            f"{row.score} [{row.interval.replace(' to ', ', ')}]" if row.interval else row.score,
            row.weight or "-",
            row.seconds,
            "baseline" if row.baseline else row.note,
        )
        for row in first
    ]
    return rows, f"and {plural(len(more), 'more candidate')}: assay report" if more else ""


def _compare(args: argparse.Namespace) -> tuple[int, Any]:
    console = console_for(args)
    a, b = open_run(args.run, args.store), open_run(args.other, args.store)
    facts = [
        ("verdict", a.verdict, b.verdict, ""),
        ("seal", a.view.seal_digest[:12], b.view.seal_digest[:12], ""),
        ("data", a.view.snapshot.content[:12], b.view.snapshot.content[:12], ""),
        ("split", _split(a), _split(b), ""),
        ("champion", _champion(a), _champion(b), ""),
        ("search", tried(a.view), tried(b.view), ""),
        ("serves", models_of(a.view), models_of(b.view), ""),
    ]
    gates = _gates(a), _gates(b)
    facts += [
        (f"gate {name}", gates[0].get(name, "not asked"), gates[1].get(name, "not asked"), "")
        for name in dict.fromkeys([*gates[0], *gates[1]])
    ]
    difference = {n: b.metrics[n].value - a.metrics[n].value for n in a.metrics if n in b.metrics}
    facts += [
        (n, estimate(n, a.metrics[n]), estimate(n, b.metrics[n]), get(n).format(gap))
        for n, gap in difference.items()
    ]
    console.print(table(("", a.run, b.run, "difference"), facts))
    tests = [r.view.report.test if r.view.report else None for r in (a, b)]
    same_rows = tests[0] is not None and tests[0] == tests[1]
    if same_rows:
        console.print("\nBoth were tested on the same rows.")
    else:
        console.print("\n[yellow]The two were not tested on the same rows.[/yellow]")
    return 0, {
        "runs": [a.to_dict(), b.to_dict()],
        "same_rows": same_rows,
        "difference": difference,
    }


def _gates(result: RunResult) -> dict[str, str]:
    decision = result.view.decision
    return {gate.name: gate.verdict for gate in decision.gates} if decision else {}


def _report(args: argparse.Namespace) -> tuple[int, Any]:
    result = open_run(args.run, args.store)
    path = result.report(args.output, plain=args.plain)
    console_for(args).print(escape(relative(path)))
    return 0, {"run": result.run, "path": str(path.resolve())}


def _split(result: RunResult) -> str:
    return f"{result.view.split.policy}, seed {result.view.split.seed}"


def _champion(result: RunResult) -> str:
    return cut(result.view.report.champion.name, NAME) if result.view.report else "none"


def _configure_compare(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", help="a run, part of its id, or `last`")
    parser.add_argument("other", help="the run to compare it with")


def _configure_report(parser: argparse.ArgumentParser) -> None:
    _run_argument(parser)
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="where to write it")
    parser.add_argument(
        "--plain", action="store_true", help="a page for readers who are not technical"
    )


RUNS = Command(
    about="List the runs of a store, oldest first.",
    examples="examples:\n  assay runs\n  assay runs --store examples/diagnosis/.assay\n",
    configure=lambda _: None,
    run=_runs,
)
SHOW = Command(
    about="Show a run: verdict, gates, leaderboard, test metrics, versions.",
    examples="examples:\n  assay show             the newest run\n  assay show churn-1f2e3d4c\n",
    configure=_run_argument,
    run=_show,
)
COMPARE = Command(
    about="Put two runs side by side.",
    examples="examples:\n  assay compare churn-1f2e3d4c last\n",
    configure=_configure_compare,
    run=_compare,
)
REPORT = Command(
    about="Write a run's report: one HTML file that works offline.",
    examples="examples:\n  assay report\n  assay report churn-1f2e3d4c -o churn.html\n"
    "  assay report --plain    the result without jargon\n",
    configure=_configure_report,
    run=_report,
)
