"""`assay release`."""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.table import Table

from assay.cli.command import Command
from assay.cli.console import coloured, console_for, table
from assay.errors import UsageError
from assay.lifecycle.releasing import release as verbs
from assay.lifecycle.releasing.experiment import experiment
from assay.lifecycle.releasing.release import Standing
from assay.release.decide import stages
from assay.report.experiment import experiment as page
from assay.report.text import number

EVERY = 0.5
"""Seconds between two looks of --watch."""

_CODES = {"on": 0, "promoted": 0, "aborted": 3, "inconclusive": 4}
_COLOURS = {"on": "note", "promoted": "accepted", "aborted": "rejected"}


def _run(args: argparse.Namespace) -> tuple[int, Any]:
    console = console_for(args)
    if args.plan:
        return _plan(args, console)
    if args.report is not None:
        return _report(args, console)
    overrides = [*args.set, *([f"release.strategy={args.strategy}"] if args.strategy else [])]
    if args.abort:
        standing = verbs.abort(args.model, args.reason, store=args.store)
    elif "@" in args.model:
        standing = verbs.start(
            args.model, overrides, args.reason, store=args.store, wait=console.print
        )
    elif overrides:
        raise UsageError(
            "RELEASE-STARTED",
            "what a release does is said when it starts, with the version",
            got=args.model,
            allowed=[f"{args.model}@VERSION"],
        )
    else:
        standing = verbs.status(args.model, store=args.store)
    if args.watch:
        standing = _watch(args, console, standing)
    console.print(_shown(standing))
    _advise(console, standing)
    return (0 if args.abort else _CODES[standing.release.state]), standing.to_dict()


def _watch(args: argparse.Namespace, console: Console, standing: Standing) -> Standing:
    """Follow a release until it is decided; without a terminal, a line for each change."""
    name, said = standing.release.model, ""
    with Live(console=console, transient=True) as live:
        while standing.release.on:
            if console.is_terminal:
                live.update(_shown(standing))
            elif (line := _where(standing)) != said:
                console.print(escape(line))
                said = line
            time.sleep(EVERY)
            standing = verbs.status(name, store=args.store)
    return standing


def _where(standing: Standing) -> str:
    release = standing.release
    return f"{release.model}@{release.candidate.version}: {_stage(standing)}"


def _stage(standing: Standing) -> str:
    """Say at which stage a release is, and what it has shown last."""
    release = standing.release
    if not release.on:
        return release.state
    new, count = release.now, len(stages(release.section))
    share = "shadows every request" if new.shadow else f"has {new.share:.1%} of the requests"
    return f"stage {release.stage + 1} of {count}: it {share}"


def _shown(standing: Standing) -> Table:
    """Return the release as a table: its versions, each guard, and what is waited for."""
    release, kept = standing.release, standing.kept
    live, new = kept.get("requests") or ("", "")
    versions = f"{release.model}@{release.candidate.version}", f"@{release.control.version}"
    rows: list[tuple[object, ...]] = [("requests", new, live, "", "", "")]
    rows += [_guard(d) for d in kept.get("numbers", [])]
    title = f"{release.section.strategy}, {_stage(standing)}"
    headers = ("", f"new {versions[0]}", f"live {versions[1]}", "difference", "interval", "limit")
    made = table(headers, rows, title=title)
    wait = "waits for " if release.on and kept.get("reason") else ""
    made.caption, made.caption_justify = escape(wait + str(kept.get("reason", ""))), "left"
    return made


def _guard(d: dict[str, Any]) -> tuple[object, ...]:
    ends = " to ".join("–" if d[end] is None else f"{d[end]:.4g}" for end in ("low", "high"))
    shares = ("", "") if d["guard"] == "answers" else (number(d["new"]), number(d["live"]))
    value = "" if d["value"] is None else f"{d['value']:+.4g}"
    return d["guard"], *shares, value, ends, f"{d['limit']:g}"


def _advise(console: Console, standing: Standing) -> None:
    release = standing.release
    if not release.on:
        console.print(coloured(_COLOURS.get(release.state, "inconclusive"), release.state))
    elif standing.servers:
        console.print(f"carried out by {escape(', '.join(standing.servers))}", style="dim")
    else:
        console.print(
            f"[yellow]no server answers with {escape(release.model)} now:[/yellow] the release "
            f"begins when one does (`assay serve {escape(release.model)}`)"
        )


def _plan(args: argparse.Namespace, console: Console) -> tuple[int, Any]:
    """Print how large an A/B test must be."""
    overrides = ["release.strategy=ab", "release.metric=metric", *args.set]
    section = verbs.section_of(args.model, overrides, store=args.store)
    if args.effect is None or (args.rate is None) == (args.deviation is None):
        raise UsageError(
            "RELEASE-PLAN",
            "a plan needs the effect that matters, and live's rate or the metric's deviation",
            allowed=["--rate 0.1 --effect 0.01", "--deviation 20 --effect 1.5"],
        )
    size = verbs.plan(section, args.rate or 0.0, args.effect, args.deviation, args.power)
    rows = [("new version", f"{size.new:,}"), ("live", f"{size.live:,}"), ("", f"{size.total:,}")]
    console.print(table(("numbers of the metric", "needed"), rows))
    keys = f"--set release.minimum={size.new} --set 'release.steps=[{section.steps[-1]}]'"
    console.print(
        f"to find {size.effect:g} with a chance of {size.power:.0%}: --strategy ab {keys}",
        markup=False,
    )
    return 0, {**vars(size), "total": size.total}


def _report(args: argparse.Namespace, console: Console) -> tuple[int, Any]:
    """Write the report of an A/B test: Markdown, and its data beside it."""
    data = experiment(args.model, args.covariate, store=args.store).to_dict()
    path = Path(args.report or f"{args.model}-{data['release']}.md")
    path.write_text(page(data))
    path.with_suffix(".json").write_text(json.dumps(data, indent=2) + "\n")
    console.print(f"[green]✓[/green] {escape(str(path))}")
    return 0, {"path": str(path), **data}


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", help="NAME@VERSION to release, or NAME to see how it stands")
    parser.add_argument(
        "--strategy",
        choices=("direct", "shadow", "canary", "ab", "blue_green"),
        help="in place of the one in the project file",
    )
    parser.add_argument(
        "--set", action="append", default=[], metavar="release.KEY=VALUE", help="one more key"
    )
    parser.add_argument("--reason", default="", help="why; it goes to the ledger under your name")
    parser.add_argument("--watch", action="store_true", help="follow it until it is decided")
    parser.add_argument("--abort", action="store_true", help="end it: live has every request again")
    parser.add_argument(
        "--report", nargs="?", const="", metavar="FILE", help="write the A/B report (Markdown)"
    )
    parser.add_argument("--covariate", default="", metavar="COLUMN", help="for CUPED in the report")
    plan = parser.add_argument_group("the size of an A/B test")
    plan.add_argument("--plan", action="store_true", help="print it, and start nothing")
    plan.add_argument("--rate", type=float, help="live's share, where the metric is yes or no")
    plan.add_argument("--deviation", type=float, help="the metric's standard deviation, else")
    plan.add_argument("--effect", type=float, help="the smallest difference that matters")
    plan.add_argument(
        "--power", type=float, default=0.8, help="the chance to find it (default: 0.8)"
    )


COMMAND = Command(
    about="""\
Let a new version take over from the one that is live, as the project file says: in steps (canary),
beside it (shadow), as an experiment (ab), at once but with a way back (blue_green), or at once
(direct). A running server carries it out. It compares errors, latency, answers and the metric all
the time, goes back by itself when the new version does harm, and makes it the champion when harm
is ruled out. The exit code tells how it ended: 0 promoted or on, 3 aborted, 4 inconclusive.""",
    examples="""\
examples:
  assay release churn@3                             as [release] in assay.toml says
  assay release churn@3 --set 'release.steps=[0.01, 0.1, 0.5]' --watch
  assay release churn                               how it stands
  assay release churn --abort --reason "the shop is being rebuilt"
  assay release churn@3 --plan --rate 0.10 --effect 0.01
  assay release churn@3 --strategy ab --set release.metric=kept --set 'release.steps=[0.5]'
  assay release churn --report ab.md --covariate tenure
""",
    configure=_configure,
    run=_run,
)
