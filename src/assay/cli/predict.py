"""`assay predict`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from rich.markup import escape

from assay.cli.command import Command
from assay.cli.console import console_for
from assay.lifecycle.predict import load, predict_file


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", help="NAME, NAME@VERSION, or the folder of a package")
    parser.add_argument("file", type=Path, help="CSV, Parquet or JSON lines")
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
    model = load(args.model, store=args.store, allow_code=args.allow_code)
    rows = predict_file(model, args.file, args.output, sets=args.sets)
    console_for(args).print(f"[green]✓[/green] {rows:,} rows → {escape(str(args.output))}")
    return 0, {"rows": rows, "output": str(args.output), "package": model.digest}


COMMAND = Command(
    about="""\
Answer for every row of a file: its columns, then `prediction` and the probabilities (or `low`
and `high` for a number). The output appears whole or not at all.""",
    examples="""\
examples:
  assay predict churn new.csv -o answers.csv
  assay predict churn@2 new.parquet -o answers.parquet
  assay predict churn new.csv -o answers.csv --sets
""",
    configure=_configure,
    run=_run,
)
