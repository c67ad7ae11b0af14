"""`assay run`."""

from __future__ import annotations

import argparse
from typing import Any

from assay.cli.check import add_project
from assay.cli.command import Command
from assay.cli.console import console_for, progress
from assay.cli.verdict import print_next, print_verdict
from assay.lifecycle.run import run


def _configure(parser: argparse.ArgumentParser) -> None:
    add_project(parser)
    parser.add_argument(
        "--budget",
        metavar="TIME",
        type=_time,
        help="how long the whole run may take: 60, 60s, 2m (budget.iterations and budget.memory "
        "are set by --set)",
    )
    parser.add_argument(
        "--quarantine",
        action="store_true",
        help="leave out the columns that the audit would stop at, and run without them",
    )
    parser.add_argument("--seed", type=int, metavar="N", help="seed of the split and of every fit")


def _time(text: str) -> float | str:
    """Return bare seconds as a number; anything else is the project file's business."""
    try:
        return float(text)
    except ValueError:
        return text


def _run(args: argparse.Namespace) -> tuple[int, Any]:
    console = console_for(args)
    with progress(console) as notify:
        result = run(
            args.project,
            overrides=args.overrides,
            store=args.store,
            notify=notify,
            allow_code=not args.no_code,
            quarantine=args.quarantine,
            seed=args.seed,
            budget=args.budget,
        )
    report = result.report()
    print_verdict(console, result, report)
    print_next(console, result)
    return result.exit_code, {**result.to_dict(), "report": str(report)}


COMMAND = Command(
    about="""\
Audit the data, split it, train baselines and candidates, evaluate on the test rows with
intervals, judge by the sealed gates, package, and register. Running again resumes what was
interrupted; a finished run is shown as it is.""",
    examples="""\
examples:
  assay run                            the project in this folder
  assay run churn --budget 2m          search longer: the whole run takes two minutes
  assay run churn --set budget.iterations=40    try 40 candidates, the same ones every time
  assay run churn --budget 5m --set budget.memory=4GB
  assay run churn --set gates.0.at_least=0.85 --json
  assay run churn --quarantine         without the columns that give the answer away
""",
    configure=_configure,
    run=_run,
)
