"""`assay init`."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path
from typing import Any

from rich.markup import escape

from assay.cli.command import Command
from assay.cli.console import console_for, progress
from assay.cli.verdict import relative
from assay.lifecycle.init import init


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", type=Path, help="the project's folder; made when missing")
    parser.add_argument(
        "--data", required=True, metavar="FILE_OR_NAME", help="a data file, or a catalogue name"
    )
    parser.add_argument("--target", required=True, metavar="COLUMN", help="the column to predict")
    parser.add_argument("--name", default="", help="the project's name (default: the folder's)")
    parser.add_argument("--force", action="store_true", help="replace a project file")


def _run(args: argparse.Namespace) -> tuple[int, Any]:
    console = console_for(args)
    with progress(console) as notify:
        result = init(
            args.folder,
            data=args.data,
            target=args.target,
            name=args.name,
            force=args.force,
            store=args.store,
            notify=notify,
        )
    console.print(f"[green]✓[/green] {escape(relative(result.file))}\n")
    console.print(escape(result.text))
    console.print("[bold]Next:[/bold]")
    folder = escape(shlex.quote(relative(args.folder)))
    file = escape(shlex.quote(relative(result.file)))
    console.print(f"  $EDITOR {file}   [dim]make question and gates yours[/dim]")
    console.print(f"  assay check {folder}   [dim]what the audit says, without training[/dim]")
    console.print(f"  assay run {folder}   [dim]all the way to a judged model[/dim]")
    return 0, result.to_dict()


COMMAND = Command(
    about="""\
Look at a table and write an assay.toml: task and metric with the reason, columns to leave out,
gates as proposals. It runs as it is; every line is there to be changed.""",
    examples="""\
examples:
  assay init churn --data telco_churn --target Churn
  assay init houses --data houses.csv --target price
""",
    configure=_configure,
    run=_run,
)
