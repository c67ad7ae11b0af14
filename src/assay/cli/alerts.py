"""`assay alerts list | test | silence | resolve | files`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from rich.markup import escape

from assay.cli.command import Command
from assay.cli.console import coloured, console_for, table
from assay.errors import UsageError
from assay.lifecycle.alerting import alerts
from assay.spec.values import quantity

KINDS = ("drift", "degraded", "quality", "objective", "incident", "retrain", "release")

RECENT = 20
"""Alerts that are shown; --json has all."""


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "verb",
        nargs="?",
        choices=tuple(_VERBS),
        default="list",
        metavar="VERB",
        help=", ".join(_VERBS),
    )
    parser.add_argument("name", nargs="?", default="", metavar="NAME", help="the model")
    parser.add_argument("--kind", choices=KINDS, metavar="KIND", help=f"of {', '.join(KINDS)}")
    parser.add_argument("--column", metavar="C", help="what is about this column alone")
    parser.add_argument("--for", dest="span", metavar="SPAN", help="silence: 30m, 2h; 0 ends it")
    parser.add_argument("--reason", default="", help="why; it goes to the ledger under your name")
    parser.add_argument("-o", "--output", default=".", metavar="DIR", help="files: where to")


def _run(args: argparse.Namespace) -> tuple[int, Any]:
    if not args.name and args.verb not in ("list", "test"):
        raise UsageError("USAGE", f"assay alerts {args.verb} takes the name of a model",
                         where="assay alerts", hint=f"assay alerts {args.verb} NAME")  # fmt: skip
    return _VERBS[args.verb](args)


def _list(args: argparse.Namespace) -> tuple[int, Any]:
    found, console = alerts.alerts(args.name, store=args.store), console_for(args)
    wanted = [one for one in found if _wanted(args, one)]
    rows = [
        (
            one.alert.model,
            one.state,
            one.alert.condition.kind,
            one.alert.at[:19].replace("T", " "),
            ", ".join(sorted(one.alert.told)),
            one.alert.condition.text,
        )
        for one in wanted[:RECENT]
    ]
    if rows:
        console.print(table(("model", "state", "kind", "since (UTC)", "told", "what"), rows))
    else:
        console.print("nothing was raised")
    return 0, [one.to_dict() for one in wanted]


def _wanted(args: argparse.Namespace, one: alerts.Standing) -> bool:
    condition = one.alert.condition
    return args.kind in (None, condition.kind) and args.column in (None, condition.column)


def _test(args: argparse.Namespace) -> tuple[int, Any]:
    tried, console = alerts.try_out(args.name, store=args.store), console_for(args)
    for one in tried:
        name = f"{escape(one.model)}  {escape(one.to)}"
        if one.error is None:
            console.print(f"[green]✓[/green] {name}")
        else:
            console.print(f"{coloured('error', '✗')} {name}: {escape(one.error.message)}")
    return 3 if any(one.error for one in tried) else 0, [one.to_dict() for one in tried]


def _silence(args: argparse.Namespace) -> tuple[int, Any]:
    seconds = 0.0 if args.span == "0" else quantity(args.span, "s")
    if seconds is None:
        raise UsageError(
            "ALERT-SPAN",
            "say for how long nobody is told",
            where="--for",
            got=args.span,
            allowed=["30m", "2h", "3d", "0"],
            hint="--for 2h",
        )
    until = alerts.silence(
        args.name, seconds, args.reason, kind=args.kind, column=args.column, store=args.store
    )
    what = " ".join(filter(None, (args.name, args.kind, args.column)))
    state = f"silent until {until[:19].replace('T', ' ')} UTC" if seconds else "silent no more"
    console_for(args).print(f"[green]✓[/green] {escape(what)} is {state}")
    return 0, {"model": args.name, "kind": args.kind, "column": args.column, "until": until}


def _resolve(args: argparse.Namespace) -> tuple[int, Any]:
    over = alerts.resolve(
        args.name, args.reason, kind=args.kind, column=args.column, store=args.store
    )
    console = console_for(args)
    for alert in over:
        console.print(f"[green]✓[/green] {escape(' '.join(alert.name))} is over")
    if not over:
        console.print("nothing of the kind holds")
    return 0, [{"kind": alert.name[0], "cause": alert.name[1]} for alert in over]


def _files(args: argparse.Namespace) -> tuple[int, Any]:
    paths = alerts.files(args.name, Path(args.output), store=args.store)
    for path in paths:
        console_for(args).print(f"[green]✓[/green] {escape(str(path))}")
    return 0, {"files": [str(path) for path in paths]}


_VERBS = {
    "list": _list,
    "test": _test,
    "silence": _silence,
    "resolve": _resolve,
    "files": _files,
}

COMMAND = Command(
    about="""\
Who is told of what. `list` shows what holds, what is silenced and what was; `test` sends a test
alert to every channel of the project file and says what became of it (exit code 3 if one failed);
`silence` tells nobody for a while, and `resolve` ends what holds by hand, both with a reason;
`files` writes alerting rules for Prometheus and a dashboard for Grafana. The channels are the
[[alerts]] of the project file; `assay watch` delivers.""",
    examples="""\
examples:
  assay alerts
  assay alerts test churn
  assay alerts silence churn --kind drift --column fee --for 2h --reason "price change on Monday"
  assay alerts resolve churn --kind drift --reason "seen, the new tariff"
  assay alerts files churn -o monitoring
""",
    configure=_configure,
    run=_run,
)
