"""`assay token`."""

from __future__ import annotations

import argparse
import sys
from datetime import UTC, datetime
from typing import Any

from assay.cli.command import Command
from assay.cli.console import console_for, table
from assay.errors import UsageError
from assay.lifecycle.serving import tokens
from assay.serve.access import SCOPES


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", nargs="?", default="", metavar="NAME", help="who it is for")
    parser.add_argument(
        "--scope", default="predict", metavar="SCOPE,…", help=f"of {', '.join(SCOPES)}"
    )
    parser.add_argument("--days", type=float, metavar="N", help="how long it lasts; else for ever")
    doing = parser.add_mutually_exclusive_group()
    doing.add_argument("--list", action="store_true", help="list the tokens of the store")
    doing.add_argument("--revoke", action="store_true", help="take the token away")


def _run(args: argparse.Namespace) -> tuple[int, Any]:
    if args.list:
        return _list(args)
    if not args.name:
        raise UsageError("TOKEN-NAME", "name the token", hint="`assay token --list` lists them")
    console = console_for(args)
    if args.revoke:
        tokens.revoke(args.name, args.store)
        console.print(f"[green]✓[/green] {args.name} is revoked")
        return 0, {"name": args.name}
    scopes = [scope.strip() for scope in args.scope.split(",") if scope.strip()]
    secret = tokens.make(args.name, scopes, args.days, args.store)
    print("it is shown this once; a client sends `Authorization: Bearer TOKEN`", file=sys.stderr)
    if not args.json:
        print(secret)
    return 0, {"name": args.name, "token": secret, "scopes": scopes}


def _list(args: argparse.Namespace) -> tuple[int, Any]:
    found = tokens.tokens(args.store)
    rows = [(token.name, ", ".join(token.scopes), _until(token.expires)) for token in found]
    console_for(args).print(table(("token", "for", "until (UTC)"), rows))
    return 0, [
        {"name": token.name, "scopes": list(token.scopes), "expires": token.expires}
        for token in found
    ]


def _until(expires: float | None) -> str:
    return "" if expires is None else f"{datetime.fromtimestamp(expires, UTC):%Y-%m-%d %H:%M:%S}"


COMMAND = Command(
    about="""\
Make a token for the servers of a store. It is printed once; the store keeps its SHA-256, in
tokens.toml. With any token in the store its servers answer nobody without one; they follow changes
within a second. `admin` may do what `predict` and `feedback` may, and load and unload models.""",
    examples="""\
examples:
  assay token shop --scope predict,feedback --days 90
  assay token --list
  assay token shop --revoke
""",
    configure=_configure,
    run=_run,
)
