"""`assay incidents`."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape

from assay.cli.command import Command
from assay.cli.console import coloured, console_for, progress, table
from assay.errors import UsageError
from assay.lifecycle.incidents import handling, postmortem
from assay.lifecycle.incidents.incidents import Incident
from assay.lifecycle.result import plain
from assay.lifecycle.retraining.retrains import Retrain
from assay.report.text import plural
from assay.watch.quality import span

_COLOURS = {"open": "warning", "resolved": "accepted", "refused": "rejected", "done": "accepted"}


def _run(args: argparse.Namespace) -> tuple[int, Any]:
    console = console_for(args)
    verb = _VERBS.get(args.what)
    if verb is None:
        if args.id:
            raise UsageError(
                "USAGE", "this takes one name of a model, or a verb and an id",
                where="assay incidents", got=[args.what, args.id], allowed=list(_VERBS),
            )  # fmt: skip
        return _list(args, console)
    if not args.id:
        raise UsageError(
            "USAGE", f"`assay incidents {args.what}` takes the id of an incident",
            where="assay incidents", hint="`assay incidents` lists them",
        )  # fmt: skip
    return verb(args, console)


def _list(args: argparse.Namespace, console: Console) -> tuple[int, Any]:
    found = handling.listing(args.what or "", store=args.store)
    rows = [
        (i.id, i.status, f"{i.model}@{i.version}", i.cause, _time(i.opened_at), f"{i.rows:,}")
        for i in found
    ]
    headers = ("incident", "", "model", "cause", "opened (UTC)", "rows")
    console.print(table(headers, rows) if rows else "there is no incident")
    if found:
        console.print("\nNext:\n  [dim]# what may be behind the newest, and what was done[/dim]")
        console.print(f"  assay incidents show {found[0].id}")
    return 0, [incident.to_dict() for incident in found]


def _show(args: argparse.Namespace, console: Console) -> tuple[int, Any]:
    incident, retrain = handling.show(args.id, store=args.store)
    _about(console, incident)
    if incident.causes:
        rows = [(f"{c['score']:.2f}", c["kind"], c["text"]) for c in incident.causes]
        console.print(table(("score", "", "what may be behind it"), rows))
    lines = [(_time(e.at), e.actor, e.action, e.text) for e in incident.history]
    console.print(table(("at (UTC)", "by", "what", ""), lines))
    if retrain is not None:
        _told(console, retrain)
    return 0, {**incident.to_dict(), "retrain": None if retrain is None else _plain(retrain)}


def _about(console: Console, incident: Incident) -> None:
    word = coloured(_COLOURS[incident.status], incident.status)
    console.print(f"{incident.id} {word} {escape(incident.model)}: {escape(incident.cause)}")
    spans = (("found", incident.detected_s), ("over", incident.recovered_s))
    said = [f"{name} after {span(seconds)}" for name, seconds in spans if seconds is not None]
    said.append(f"{plural(incident.rows, 'row')} in {plural(incident.windows, 'window')}")
    console.print(", ".join(said), style="dim")


def _told(console: Console, retrain: Retrain) -> None:
    state = f"waits for approval ({retrain.waits})" if retrain.waits else retrain.state
    word = coloured(_COLOURS.get(retrain.state, "note"), state)
    why = f": {retrain.reason}" if retrain.reason else ""
    console.print(f"retraining {retrain.id}: {word}{escape(why)}")
    if retrain.waits:
        console.print(f"assay incidents approve {retrain.incident}", style="dim")


def _report(args: argparse.Namespace, console: Console) -> tuple[int, Any]:
    paths = postmortem.write(args.id, args.output, store=args.store)
    for path in paths:
        console.print(f"[green]✓[/green] {escape(str(path))}")
    return 0, {"paths": [str(path) for path in paths]}


def _note(args: argparse.Namespace, console: Console) -> tuple[int, Any]:
    incident = handling.write_note(args.id, " ".join(args.text), store=args.store)
    console.print(f"[green]✓[/green] noted in {incident.id}")
    return 0, incident.to_dict()


def _resolve(args: argparse.Namespace, console: Console) -> tuple[int, Any]:
    incident = handling.close(args.id, args.reason, store=args.store)
    _about(console, incident)
    return 0, incident.to_dict()


def _retrain(args: argparse.Namespace, console: Console) -> tuple[int, Any]:
    with progress(console) as notify:
        retrain = handling.retrain(args.id, store=args.store, notify=notify)
    return _went(console, retrain)


def _approve(args: argparse.Namespace, console: Console) -> tuple[int, Any]:
    with progress(console) as notify:
        retrain = handling.approve(args.id, store=args.store, notify=notify)
    return _went(console, retrain)


def _refuse(args: argparse.Namespace, console: Console) -> tuple[int, Any]:
    retrain = handling.refuse(args.id, args.reason, store=args.store)
    _told(console, retrain)
    return 0, _plain(retrain)


def _went(console: Console, retrain: Retrain) -> tuple[int, Any]:
    _told(console, retrain)
    return (3 if retrain.state == "refused" else 0), _plain(retrain)


def _plain(retrain: Retrain) -> dict[str, Any]:
    return {**vars(retrain), "section": plain(retrain.section)}


def _time(at: str) -> str:
    return at[:19].replace("T", " ")


_VERBS: dict[str, Callable[[argparse.Namespace, Console], tuple[int, Any]]] = {
    "show": _show,
    "report": _report,
    "note": _note,
    "resolve": _resolve,
    "retrain": _retrain,
    "approve": _approve,
    "refuse": _refuse,
}


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "what", nargs="?", default="", metavar="NAME|VERB",
        help=f"a model, whose incidents are listed, or one of {', '.join(_VERBS)}",
    )  # fmt: skip
    parser.add_argument("id", nargs="?", default="", help="the incident, or how its id starts")
    parser.add_argument("text", nargs="*", default=[], help="what to note")
    parser.add_argument("--reason", default="", help="why; it goes to the ledger under your name")
    parser.add_argument(
        "-o", "--output", type=Path, metavar="FILE",
        help="where the postmortem goes: .html or .md (default: both, in the store's reports)",
    )  # fmt: skip


COMMAND = Command(
    about="""\
What went wrong with live models: when it began, what may be behind it, what was done. `assay watch`
opens an incident for a verdict of drift or degradation, and resolves it when windows are steady
again. `retrain` makes a new model of fresh labelled rows or goes on with one; `approve` and
`refuse` answer a retraining that waits for a person ([retrain] approval). The exit code is 3 where
the new model was refused.""",
    examples="""\
examples:
  assay incidents                                  all, the newest first
  assay incidents churn
  assay incidents show 3f2a                        history and likely causes
  assay incidents report 3f2a -o incident.html     the draft of a postmortem
  assay incidents note 3f2a "the feed of fees was mended at noon"
  assay incidents resolve 3f2a --reason "the feed was mended"
  assay incidents approve 3f2a
""",
    configure=_configure,
    run=_run,
)
