"""`assay predict`."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape

from assay.cli.command import Command
from assay.cli.console import QUIET, console_for
from assay.lifecycle.batch import Progress, predict_file
from assay.lifecycle.predict import load


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", help="NAME, NAME@VERSION, or the folder of a package")
    parser.add_argument("file", type=Path, help="CSV, Parquet, Arrow or JSON lines, of any size")
    parser.add_argument(
        "-o", "--output", type=Path, required=True, metavar="OUT", help=".csv, .parquet or .jsonl"
    )
    parser.add_argument(
        "--sets", action="store_true", help="also the classes that cannot be ruled out"
    )
    parser.add_argument(
        "--allow-code", action="store_true", help="let the package's own Python run"
    )


def _run(args: argparse.Namespace) -> tuple[int, Any]:
    console = console_for(args)
    model = load(args.model, store=args.store, allow_code=args.allow_code)
    began = time.monotonic()
    rows = predict_file(model, args.file, args.output, sets=args.sets, notify=_Shown(console).take)
    rate = rows / max(time.monotonic() - began, 1e-9)
    console.print(f"[green]✓[/green] {rows:,} rows → {escape(str(args.output))}")
    return 0, {"rows": rows, "output": str(args.output), "package": model.digest, "rows_s": rate}


class _Shown:
    """Says how far a large file is: on a terminal in one line, elsewhere a line now and then."""

    def __init__(self, console: Console) -> None:
        self.console, self.said = console, time.monotonic()
        self.every = 0.0 if console.is_terminal else QUIET

    def take(self, progress: Progress) -> None:
        """Print how far it is, or let it pass."""
        if time.monotonic() - self.said < self.every:
            return
        self.said = time.monotonic()
        again = f", {progress.again:,} of them by an earlier run" if progress.again else ""
        left = progress.left
        text = (
            f"  {progress.rows:,} rows ({progress.share:.0%}){again}, {progress.rate:,.0f} rows/s, "
            f"{left:,.0f} s left"
        )
        self.console.print(text, end="\r" if self.console.is_terminal else "\n")


COMMAND = Command(
    about="""\
Answer for every row of a file: its columns, then `prediction` and the probabilities (or `low`
and `high` for a number). A large file is read in parts, so that it may be larger than memory. The
output appears whole or not at all; after an interruption the same command goes on where it was.""",
    examples="""\
examples:
  assay predict churn new.csv -o answers.csv
  assay predict churn@2 new.parquet -o answers.parquet
  assay predict churn new.csv -o answers.csv --sets
""",
    configure=_configure,
    run=_run,
)
