"""`assay verify`."""

from __future__ import annotations

import argparse
from typing import Any

from assay.cli.command import Command
from assay.cli.console import console_for, progress
from assay.lifecycle.verify import verify
from assay.report.text import plural


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "target",
        nargs="?",
        default="",
        help="a run, NAME@VERSION, the folder of a package or of a store; default: the whole store",
    )
    parser.add_argument(
        "--rerun", action="store_true", help="train the run again and compare the numbers"
    )


def _run(args: argparse.Namespace) -> tuple[int, Any]:
    console = console_for(args)
    with progress(console) as notify:
        found = verify(args.target, rerun=args.rerun, store=args.store, notify=notify)
    parts = [
        plural(count, *nouns)
        for count, *nouns in (
            (found.events, "event in one chain", "events in one chain"),
            (found.blobs, "blob"),
            (found.packages, "package"),
            (found.files, "package file"),
        )
        if count
    ]
    console.print(f"[green]✓[/green] {', '.join(parts) or 'nothing to check'}: all as written")
    if found.rerun:
        same = "the same package" if found.rerun["same_package"] else "another package"
        worst = found.rerun["max_abs_diff"]
        console.print(f"[green]✓[/green] run again: {same}, largest difference {worst:.1g}")
    return 0, found.to_dict()


COMMAND = Command(
    about="""\
Check that nothing was changed: every digest, the ledger's chain and, with --rerun, the numbers.
What does not match is named, and the exit code is 5.""",
    examples="""\
examples:
  assay verify                         the whole store
  assay verify last --rerun            train the newest run again and compare
  assay verify churn@2
""",
    configure=_configure,
    run=_run,
)
