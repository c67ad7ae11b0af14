"""`assay watch`."""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape

from assay.cli.command import Command
from assay.cli.console import coloured, console_for, table
from assay.errors import UsageError
from assay.kernel.stage import Note
from assay.lifecycle.alerting.evidence import past
from assay.lifecycle.watching.judge import judge
from assay.lifecycle.watching.told import told
from assay.lifecycle.watching.watch import Options, once, run
from assay.records.watch import Measured, Moved, WatchVerdict
from assay.report.text import chance, listing, number, plural

_CODES = {"steady": 0, "drift": 3, "degraded": 3, "unknown": 4}
_COLOURS = {"steady": "accepted", "degraded": "rejected"}
SHOWN = 12
"""Columns that are shown, those that moved most."""
BAR = 20


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", metavar="NAME", help="a model; with --data also NAME@VERSION")
    parser.add_argument("--once", action="store_true", help="judge one window and end")
    parser.add_argument(
        "--data", type=Path, metavar="FILE", help="judge these rows instead of the log"
    )
    parser.add_argument(
        "--window", type=int, metavar="N", help="show the verdict on a window judged before"
    )
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", dest="overrides",
        help="a key of [watch] or [retrain] in place of the project file's",
    )  # fmt: skip
    parser.add_argument(
        "--allow-code", action="store_true", help="let the package's own Python run"
    )


def _run(args: argparse.Namespace) -> tuple[int, Any]:
    console = console_for(args)
    if args.window is not None:
        verdict = past(args.model, args.window, store=args.store)
    elif args.data is not None:
        verdict = judge(
            args.data, args.model, overrides=args.overrides, store=args.store,
            allow_code=args.allow_code,
        )  # fmt: skip
    else:
        _bare(args.model)
        options = Options(tuple(args.overrides), allow_code=args.allow_code)
        if not args.once:
            run(args.model, options, _each(args, console), _noted(console), store=args.store)
            return 0, {"model": args.model}
        verdict = once(args.model, options, _noted(console), store=args.store)
    _show(console, verdict)
    _advise(console, verdict, args.data)
    return _CODES[verdict.verdict], told(verdict)


def _bare(name: str) -> None:
    if "@" in name:
        raise UsageError(
            "WATCH-VERSION",
            "the log of a model is watched with all its versions; name the model alone",
            got=name,
            allowed=[name.partition("@")[0]],
            hint="a version is judged with --data FILE",
        )


def _each(args: argparse.Namespace, console: Console) -> Callable[[WatchVerdict], None]:
    """Return what prints a window of the log when it is judged: a line."""

    def shown(verdict: WatchVerdict) -> None:
        if args.json:
            sys.stdout.write(json.dumps(told(verdict), ensure_ascii=False) + "\n")
            sys.stdout.flush()
        console.print(_line(verdict))

    return shown


def _noted(console: Console) -> Callable[[Note], None]:
    return lambda note: console.print(f"    [dim]{escape(note.stage)}: {escape(note.text)}[/dim]")


def _line(verdict: WatchVerdict) -> str:
    colour = coloured(_COLOURS.get(verdict.verdict, "inconclusive"), verdict.verdict)
    when = verdict.until[:19].replace("T", " ")
    return (
        f"{when} window {verdict.window} ({verdict.rows:,} rows): {colour}, "
        f"{escape(verdict.reason)}"
    )


def _show(console: Console, verdict: WatchVerdict) -> None:
    """Print a verdict: in one line, what moved, what is wrong, and how good the answers are."""
    word = coloured(_COLOURS.get(verdict.verdict, "inconclusive"), verdict.verdict)
    name = escape(f"{verdict.model}@{verdict.version}")
    console.print(f"{name}, {plural(verdict.rows, 'row')}: [bold]{word}[/bold]")
    console.print(f"  {escape(verdict.reason)}")
    for broken in verdict.quality:
        console.print(f"  {coloured(broken.severity)} {broken.code}  {escape(broken.message)}")
    moved = [m for m in verdict.drift if m.flagged]
    if moved:
        console.print()
        inputs = [m for m in moved if m.kind == "input"]
        shown = [*inputs[:SHOWN], *(m for m in moved if m.kind != "input")]
        console.print(table(("moved", "", "how far", "p", ""), [_moved(m) for m in shown]))
        if len(inputs) > SHOWN:
            more = plural(len(inputs) - SHOWN, "more column")
            console.print(f"[dim]and {more}: --json has all[/dim]")
    _performance(console, verdict.performance)
    console.print(f"[dim]{verdict.seconds:.2f} s[/dim]")


def _performance(console: Console, measured: Sequence[Measured]) -> None:
    """Print the metrics that somebody can say, then why the others cannot be said."""
    said = [m for m in measured if m.value is not None][:SHOWN]
    if said:
        console.print()
        headers = ("metric", "value", "95 % interval", "gate", "", "")
        console.print(table(headers, [_measured(m) for m in said]))
    unsaid: dict[str, list[str]] = {}
    for m in measured:
        if m.value is None:
            unsaid.setdefault(m.reason, []).append(_name(m))
    if unsaid:
        console.print()
    for why, names in unsaid.items():
        console.print(f"cannot say {escape(listing(names, 'or'))}: {escape(why)}")


def _moved(moved: Moved) -> tuple[object, ...]:
    name = moved.column if moved.kind in ("input", "joint") else f"{moved.column} ({moved.kind})"
    bar = "█" * max(1, round(moved.effect * BAR))
    scale = f" ({moved.scale} windows together)" if moved.scale > 1 else ""
    return name, bar, f"{moved.effect:.2f}", chance(moved.p), moved.reading + scale


def _measured(m: Measured) -> tuple[object, ...]:
    how = "estimated" if m.estimated else f"{m.n:,} labels"
    standing = m.standing if m.threshold is not None else ""
    ends = f"{number(m.low)} to {number(m.high)}"
    return _name(m), number(m.value), ends, _gate(m), how, standing


def _name(measured: Measured) -> str:
    return f"{measured.metric} ({measured.slice})" if measured.slice else measured.metric


def _gate(measured: Measured) -> str:
    return "" if measured.threshold is None else number(measured.threshold)


def _advise(console: Console, verdict: WatchVerdict, data: Path | None) -> None:
    """Print what to do next; nothing is done about the rows of the file `data`."""
    name = escape(verdict.model)
    bad = verdict.verdict in ("drift", "degraded")
    if data is not None:
        if not bad:
            return
        again = f"assay watch {name}@{verdict.version} --data {escape(shlex.quote(str(data)))}"
        steps = [("every column and number, as data", f"{again} --json")]
    elif bad:
        steps = [
            ("the incident, and what was done", f"assay incidents {name}"),
            ("see what happened around it", f"assay history {name}"),
        ]
        if verdict.verdict == "degraded" and verdict.version > 1:
            steps.append(("back to the version before", f"assay rollback {name}"))
    elif verdict.verdict == "unknown" and not verdict.rows:
        steps = [("no row was logged since the last window; is it served?", f"assay serve {name}")]
    elif verdict.verdict == "unknown":
        steps = [("the rows are judged with those that come; see them", f"assay log {name}")]
    else:
        return
    console.print("\nNext:")
    for why, command in steps:
        console.print(f"  [dim]# {why}[/dim]\n  {command}")


COMMAND = Command(
    about="""\
Compare what a model is asked and answers with its profile: the columns, alone and together, the
answers, the labels that came, and how good the model is, measured or estimated. With --data the
rows of a file are judged, and nothing is done about them. With --once the part of the prediction
log that was not judged yet is one window. Without either this runs beside the server until a
signal: it judges window after window as [watch] in the project file says, opens incidents, goes
back, retrains, and alerts. The exit code tells the verdict: 0 steady, 3 drift or degraded,
4 unknown. With --json the loop prints a line for each window instead of an envelope.""",
    examples="""\
examples:
  assay watch churn --once --data november.csv      is this month like the training data?
  assay watch churn@2 --data november.parquet --json
  assay watch churn --once                          from cron: what came since the last time
  assay watch churn                                 beside the server
  assay watch churn --window 12                     what was said of that window
  assay watch churn --set watch.rows=5000 --set watch.false_alarms=0.5
""",
    configure=_configure,
    run=_run,
)
