"""`assay log`."""

from __future__ import annotations

import argparse
import json
import warnings
from pathlib import Path
from typing import Any

import polars as pl
from rich.console import Console
from rich.markup import escape

from assay.cli.command import Command
from assay.cli.console import console_for, table
from assay.lifecycle.log import Kind, export, log

SHOWN = 20
"""Rows that are shown where nothing else is said."""
_COLUMNS = ("at", "request", "row", "version", "label", "value", "metric", "truth", "micros")


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", metavar="NAME")
    parser.add_argument("--since", default="", metavar="TIME", help="ISO 8601 in UTC, or 2h")
    parser.add_argument("--last", type=int, metavar="N", help=f"the newest N (shown: {SHOWN})")
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument("--joined", action="store_true", help="with what turned out to be true")
    kind.add_argument("--feedback", action="store_true", help="the feedback instead")
    parser.add_argument(
        "-o", "--output", type=Path, metavar="OUT", help="export to .csv, .parquet or .jsonl"
    )


def _run(args: argparse.Namespace) -> tuple[int, Any]:
    console = console_for(args)
    kind: Kind = "joined" if args.joined else "feedback" if args.feedback else "predictions"
    last = SHOWN if args.last is None and args.output is None else args.last
    with warnings.catch_warnings(record=True) as skipped:
        warnings.simplefilter("always")
        rows = log(args.model, kind=kind, since=args.since, last=last, store=args.store)
        if args.output is not None:
            export(rows, args.output)
            found = None
        else:
            found = rows.collect()
    for warning in skipped:
        console.print(f"[yellow]{escape(str(warning.message))}[/yellow]")
    if found is None:
        console.print(f"[green]✓[/green] the log of {args.model} → {escape(str(args.output))}")
        return 0, {"output": str(args.output)}
    _show(console, args.model, found)
    return 0, json.loads(found.write_json())


def _show(console: Console, model: str, rows: pl.DataFrame) -> None:
    if rows.is_empty():
        console.print(f"nothing of {escape(model)} is in the log")
        return
    names = [name for name in _COLUMNS if name in rows.columns]
    shown = rows.select(names).with_columns(pl.col("at").dt.strftime("%Y-%m-%d %H:%M:%S"))
    cells = [["" if cell is None else cell for cell in row] for row in shown.rows()]
    console.print(table(names, cells))
    if len(rows.columns) > len(names):
        console.print(f"[dim]all {len(rows.columns)} columns: -o log.parquet, or --json[/dim]")


COMMAND = Command(
    about="""\
Show or export what a model's servers were asked and answered, and the feedback that came. A label
that came later stands beside its prediction with --joined; the last one counts.""",
    examples="""\
examples:
  assay log churn                              the newest answers
  assay log churn --since 2h --joined          what was true, as far as it is known
  assay log churn --since 2026-11-01 -o november.parquet
  assay log churn --feedback --last 5 --json
""",
    configure=_configure,
    run=_run,
)
