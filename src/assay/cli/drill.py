"""`assay drill`."""

from __future__ import annotations

import argparse
from typing import Any

from rich.console import Console
from rich.markup import escape

from assay.cli.command import Command
from assay.cli.console import coloured, console_for
from assay.cli.load_test import telling
from assay.lifecycle.drills.drill import KINDS, DrillResult, drill
from assay.report.text import number


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("kind", choices=tuple(KINDS), metavar="KIND", help=", ".join(KINDS))
    parser.add_argument("model", help="NAME or NAME@VERSION")
    parser.add_argument("--seconds", type=float, help="how long the load lasts")
    parser.add_argument("--rps", type=float, help="requests a second (overload finds its own)")
    parser.add_argument("--url", default="", help="overload: a server that runs already")
    parser.add_argument("--token", default="", help="its token")


def _run(args: argparse.Namespace) -> tuple[int, Any]:
    with telling() as say:
        result = drill(
            args.kind,
            args.model,
            seconds=args.seconds,
            rps=args.rps,
            url=args.url,
            token=args.token,
            store=args.store,
            say=say,
        )
    _print(console_for(args), result)
    return result.exit_code, result.to_dict()


def _print(console: Console, result: DrillResult) -> None:
    record = result.record
    word = coloured("accepted", "PASSED") if record.passed else coloured("rejected", "NOT PASSED")
    console.print(f"[bold]{word}[/bold]  {record.kind} on {escape(record.model)}")
    for at, text in record.timeline:
        console.print(f"  [dim]{at:>8.2f} s[/dim]  {escape(text)}")
    console.print(
        f"  detected after {_seconds(record.detect_s)}, recovered after "
        f"{_seconds(record.recover_s)}; of {record.requests:,} requests {record.failed:,} failed, "
        f"{record.wrong:,} got a wrong answer"
    )
    for rule, held in record.checks:
        mark = "[green]✓[/green]" if held else "[red]✗[/red]"
        console.print(f"  {mark} {escape(rule)}")
    console.print(f"  [dim]postmortem[/dim] {escape(str(result.page))}")


def _seconds(value: float | None) -> str:
    return "–" if value is None else f"{number(value)} s"


COMMAND = Command(
    about="""\
Put a real fault into a running server under load, and measure how soon it is seen, how soon it is
mended, and how many answers failed or were wrong on the way. Each answer is compared with the batch
prediction of the version that it names. The server is one of its own, on a copy of the store: the
registry and the log stay untouched; the drill's record and postmortem go to the store. Exit code 0
when every rule of the drill held, else 3.

  rollback     a version goes live and is taken back: every worker within 1 s, nothing fails
  bad-model    a version with wrong answers is released: its canary aborts, under 1% are wrong
  kill-worker  one of two workers is killed: errors for 1 s at most, no log lost before the flush
  overload     three times what it can take: p99 of the accepted keeps the SLO, the rest gets 503
  disk-full    no room for the log: answers go on, and the log catches up""",
    examples="""\
examples:
  assay drill rollback churn
  assay drill bad-model churn --seconds 30 --rps 1000
  assay drill overload churn --url http://localhost:8080
  assay drill kill-worker churn --json
""",
    configure=_configure,
    run=_run,
)
