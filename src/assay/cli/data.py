"""`assay data list | get | show`."""

from __future__ import annotations

import argparse
from typing import Any

from rich.markup import escape

from assay.cli.command import Command
from assay.cli.console import console_for, progress, table
from assay.data import catalogue
from assay.errors import UsageError
from assay.lifecycle.result import plain


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "verb",
        choices=("list", "get", "show"),
        help="list every data set, get one and check it, or show what is known about it",
    )
    parser.add_argument("name", nargs="?", help="the data set, for get and show")


def _run(args: argparse.Namespace) -> tuple[int, Any]:
    console = console_for(args)
    if (args.verb == "list") != (args.name is None):
        raise UsageError(
            "USAGE",
            f"assay data {args.verb} takes {'no name' if args.name else 'the name of a data set'}",
            where="assay data",
            got=args.name,
            hint="assay data list names them all; assay data show NAME tells about one",
        )
    if args.verb == "get":
        with progress(console) as notify:
            path = catalogue.get(args.name, notify)
        console.print(f"[green]✓[/green] {escape(str(path))}")
        return 0, {"name": args.name, "path": str(path)}
    if args.verb == "show":
        entry = catalogue.entry(args.name)
        facts = {k: v for k, v in plain(entry).items() if v not in (None, "", [], {})}
        here = catalogue.locate(args.name)
        facts["path"] = str(here) if here else None
        hidden = ("parts", "recipe")  # how the file is built: for --json
        shown = [(k, v) for k, v in facts.items() if v is not None and k not in hidden]
        console.print(table(("", ""), shown))
        return 0, facts
    rows = [
        (
            e.name,
            e.task,
            f"{e.rows:,}",
            e.target or "",
            "yes" if catalogue.locate(e.name) else "",
            e.licence,
        )
        for e in catalogue.entries()
    ]
    console.print(table(("name", "task", "rows", "target", "here", "licence"), rows))
    return 0, [plain(entry) for entry in catalogue.entries()]


COMMAND = Command(
    about="""\
The catalogue of data sets: source, licence, digest. A set is taken from $ASSAY_DATA when that
folder has it, else from the cache, else downloaded and checked.""",
    examples="""\
examples:
  assay data list
  assay data show telco_churn
  assay data get telco_churn
""",
    configure=_configure,
    run=_run,
)
