"""`assay models`, `promote`, `rollback` and `history`."""

from __future__ import annotations

import argparse
from typing import Any

from rich.markup import escape

from assay.cli.command import Command
from assay.cli.console import console_for, table
from assay.lifecycle import models
from assay.lifecycle.result import plain
from assay.records.package import ModelVersion


def _models(args: argparse.Namespace) -> tuple[int, Any]:
    versions = models.models(args.store)
    rows = [
        (
            f"{v.name}@{v.version}",
            ", ".join(v.aliases),
            v.verdict,
            v.run,
            _time(v.at),
            v.package[:12],
        )
        for v in versions
    ]
    headers = ("model", "alias", "verdict", "run", "registered (UTC)", "package")
    console_for(args).print(table(headers, rows))
    return 0, [plain(version) for version in versions]


def _promote(args: argparse.Namespace) -> tuple[int, Any]:
    return _moved(args, models.promote(args.model, args.reason, store=args.store))


def _rollback(args: argparse.Namespace) -> tuple[int, Any]:
    return _moved(args, models.rollback(args.model, args.reason, store=args.store))


def _moved(args: argparse.Namespace, version: ModelVersion) -> tuple[int, Any]:
    name = f"{version.name}@{version.version}"
    console_for(args).print(f"[green]✓[/green] {escape(name)} is the champion")
    return 0, {"name": version.name, "version": version.version, "package": version.package}


def _history(args: argparse.Namespace) -> tuple[int, Any]:
    console, answer = console_for(args), models.history(args.model, args.at, store=args.store)
    moves = answer["moves"]
    if args.at:
        live = answer["live"]
        what = f"version {live['version']} was live" if live else "no version was champion yet"
        console.print(f"{escape(args.model)} at {escape(args.at)}: {what}")
        moves = moves[: moves.index(live) + 1] if live else []
    elif not moves:
        console.print(f"{escape(args.model)}: no version was champion yet")
    rows = [
        (_time(m["at"]), f"{args.model}@{m['version']}", m["actor"], m["verdict"], m["reason"])
        for m in moves
    ]
    if rows:
        console.print(table(("since (UTC)", "champion", "by", "verdict", "why"), rows))
    if answer["served"]:
        headers = ("from (UTC)", "to", "server", "answered with")
        served = [
            (_time(s["since"]), _time(s["until"]) or "now", s["url"], _arms(args.model, s["arms"]))
            for s in answer["served"]
        ]
        console.print(table(headers, served))
    return 0, answer


def _arms(name: str, arms: list[dict[str, Any]]) -> str:
    """Return the versions of a spell, with their shares where there are several."""
    if len(arms) == 1:
        return f"{name}@{arms[0]['version']}"
    return ", ".join(
        f"{name}@{arm['version']} " + ("shadow" if arm["shadow"] else f"{arm['share']:.0%}")
        for arm in arms
    )


def _time(at: str) -> str:
    return at[:19].replace("T", " ")


def _configure_change(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", help="NAME@VERSION to promote, or NAME to roll back")
    parser.add_argument("--reason", default="", help="why; it goes to the ledger under your name")


def _configure_history(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", metavar="NAME")
    parser.add_argument("--at", default="", metavar="TIME", help="what was live then (ISO 8601)")


MODELS = Command(
    about="List every version of every model of a store.",
    examples="examples:\n  assay models\n",
    configure=lambda _: None,
    run=_models,
)
PROMOTE = Command(
    about="""\
Make a version the champion. A version that its gates did not accept needs a reason, which goes
to the ledger under your name.""",
    examples="""\
examples:
  assay promote churn@3
  assay promote churn@2 --reason "the new feed is broken until Monday"
""",
    configure=_configure_change,
    run=_promote,
)
ROLLBACK = Command(
    about="Make the version that was live before the champion again.",
    examples="examples:\n  assay rollback churn\n",
    configure=_configure_change,
    run=_rollback,
)
HISTORY = Command(
    about="""\
What was live when, who decided, and why; and which server answered with which version from when to
when. A server that was killed has its end where it last showed that it lives.""",
    examples="examples:\n  assay history churn\n  assay history churn --at 2026-11-01T12:00\n",
    configure=_configure_history,
    run=_history,
)
