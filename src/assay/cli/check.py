"""`assay check`."""

from __future__ import annotations

import argparse
from typing import Any

from assay.cli.command import Command
from assay.cli.console import console_for, progress
from assay.cli.verdict import print_check
from assay.lifecycle.check import check


def add_project(parser: argparse.ArgumentParser) -> None:
    """Add what `check` and `run` have in common."""
    parser.add_argument(
        "project", nargs="?", default=".", help="a folder with an assay.toml, or that file"
    )
    parser.add_argument(
        "--set",
        dest="overrides",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="a setting in place of the file's, such as --set split.seed=3",
    )
    parser.add_argument(
        "--no-code", action="store_true", help="refuse to run the project's own Python"
    )


def _configure(parser: argparse.ArgumentParser) -> None:
    add_project(parser)
    parser.add_argument(
        "--quarantine",
        action="store_true",
        help="fit a first model with and without the columns that the audit stops at",
    )


def _run(args: argparse.Namespace) -> tuple[int, Any]:
    console = console_for(args)
    with progress(console) as notify:
        result = check(
            args.project,
            overrides=args.overrides,
            store=args.store,
            notify=notify,
            allow_code=not args.no_code,
            quarantine=args.quarantine,
        )
    print_check(console, result)
    return result.exit_code, result.to_dict()


COMMAND = Command(
    about="""\
Read the project file and its data, split, and audit. Nothing is trained, unless --quarantine
asks what the suspects are worth.""",
    examples="""\
examples:
  assay check                          the project in this folder
  assay check churn --json             for a script: findings as data
  assay check churn --set data.drop='["customerID"]'
  assay check churn --quarantine       how good a model looks with and without the suspects
""",
    configure=_configure,
    run=_run,
)
