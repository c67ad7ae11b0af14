"""The run report: one HTML file that loads nothing and runs no script."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from assay.records.audit import Audit
from assay.records.fitted import Leaderboard
from assay.records.report import Parity, Report
from assay.report import course, described, figures, judged, judgement, plots, searched, text, words
from assay.report.evidence import cell
from assay.report.hypothesis import why
from assay.report.numbers import sources
from assay.report.view import RunView

CONTENTS = (
    ("gates", "Gates"),
    ("why", "The winner"),
    ("performance", "Performance"),
    ("judgement", "Judgement"),
    ("pictures", "Behaviour"),
    ("slices", "Slices"),
    ("data", "Data"),
    ("audit", "Audit"),
    ("search", "Search"),
    ("package", "Package"),
    ("checklist", "Checklist"),
    ("limits", "Limits"),
    ("provenance", "Provenance"),
    ("terms", "Terms"),
)


@dataclass(frozen=True)
class Entry:
    """An entry of the contents; `inner` stands below the one before it."""

    id: str
    name: str
    inner: bool = False


@dataclass(frozen=True)
class Tile:
    """A headline number."""

    label: str
    value: str
    note: str


@cache
def environment() -> Environment:
    """Return the templates, every value in them escaped unless it is a drawing of ours."""
    templates = Environment(
        loader=PackageLoader("assay.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=text.harmless,
    )
    for give in (
        text.capital, text.chance, text.clip, text.count, text.cut, text.duration, text.moment,
        text.number, text.percent, text.plural, text.sentence, text.size,
    ):  # fmt: skip
        templates.filters[give.__name__] = give
    return templates


def render_html(view: RunView) -> str:
    """Return the report of a run as one HTML page, styles and pictures inside."""
    return environment().get_template("report.html.j2").render(_values(view))


def _values(view: RunView) -> dict[str, Any]:
    values = _common(view)
    if view.report is not None:
        values |= _of_report(view, view.report)
    if view.leaderboard is not None:
        values |= _of_search(view, view.leaderboard)
    return values | {"contents": _contents(view, values)}


def _contents(view: RunView, values: dict[str, Any]) -> list[Entry]:
    """Return the sections that there are, the examinations below theirs."""
    there = {
        "gates": bool(values["gates"]),
        "why": values["why"] is not None,
        "performance": view.report is not None,
        "judgement": bool(values.get("looks")),
        "pictures": bool(values.get("figures")),
        "slices": bool(values.get("slices")),
        "search": view.leaderboard is not None,
        "package": view.report is not None,
        "checklist": bool(values["pitfalls"] or values["checklist"]),
    }
    contents = [Entry(id_, name) for id_, name in CONTENTS if there.get(id_, True)]
    if values["halted_by_audit"]:
        contents.sort(key=lambda entry: entry.id != "audit")
    for place, entry in enumerate(contents):
        if entry.id == "judgement":
            contents[place + 1 : place + 1] = [
                Entry(look.id, look.title, inner=True) for look in values["looks"]
            ]
    return contents


def _common(view: RunView) -> dict[str, Any]:
    snapshot, findings, explained = view.snapshot, view.audit.findings, why(view)
    return {
        "view": view,
        "snapshot": snapshot,
        "verdict": words.verdict(view),
        "question": view.seal.question or f"What will “{view.problem.target}” be?",
        "tiles": _tiles(view),
        "halted_by_audit": view.report is None and bool(view.audit.blocking),
        "glossary": words.glossary(view),
        "gates": judged.gate_rows(view),
        "reads": reads(view.test_reads),
        "readings": judgement.reads(view),
        "why": explained,
        "sources": sources(explained.texts) if explained else (),
        "pitfalls": judgement.check_rows(view.pitfalls),
        "checklist": judgement.check_rows(view.checklist),
        "source": text.shown_source(snapshot.source),
        "positive_share": words.positive_share(view),
        "split_svg": described.split_picture(view.split),
        "split_policy": words.split_policy(view),
        "columns": described.column_rows(view),
        "columns_left": max(len(snapshot.columns) - described.MOST_COLUMNS, 0),
        "dropped": text.listing(text.cut(name, 40) for name in snapshot.dropped[:20]),
        "cells": sum(step.cells for step in snapshot.cleaning),
        "findings": described.finding_groups(findings),
        "findings_left": max(len(findings) - described.MOST_FINDINGS, 0),
        "audit_sentence": audit_sentence(view.audit),
        "checks": ", ".join(text.cut(name, 40) for name in view.audit.checks),
        "limits": words.limits(view),
        "stages": described.stage_rows(view),
        "choices_by": described.choices_by(view),
        "choices": [
            (c.path, cell(c.value), described.AGENCIES[c.agency]) for c in view.project.choices
        ],
    }


def _of_report(view: RunView, report: Report) -> dict[str, Any]:
    primary, elsewhere = view.problem.primary, judgement.kinds(report)
    return {
        "paired": words.paired(report.comparison),
        "comparisons": judgement.comparisons(report),
        "looks": judgement.looks(report),
        "metrics": judged.metric_rows(report, primary),
        "figures": plots.figures([c for c in report.curves if c.kind not in elsewhere]),
        "slices": judged.slice_tables(report, primary),
        "slices_left": max(len(report.slices) - judged.MOST_SLICES, 0),
        "primary_title": figures.title(primary),
        "parity": report.parity,
        "parity_sentence": parity_sentence(report.parity),
        "latency": [
            (
                figures.title(f"latency_{name}"),
                *judged.said(f"latency_{name}", estimate),
            )
            for name, estimate in sorted(report.latency_ms.items())
        ],
    }


def _of_search(view: RunView, board: Leaderboard) -> dict[str, Any]:
    first, more = searched.parted(searched.trial_rows(board, view.members))
    return {
        "trials": first,
        "more_trials": more,
        "trials_left": max(len(board.trials) - searched.MOST_TRIALS, 0),
        "intervals": any(trial.low is not None for trial in board.trials),
        "search_figures": course.pictures(view),
        "recipe": searched.recipe(view),
        "course": searched.course(view),
        "price": course.price(view),
        "board_title": figures.title(board.metric),
        "board_direction": figures.direction(board.metric),
        "board_score": figures.fine(board.metric, board.score),
    }


def _tiles(view: RunView) -> tuple[Tile, ...]:
    at, _, clock = text.moment(view.sealed_at).partition(", ")
    sealed = Tile("Criteria sealed", at, f"{clock} · seal {view.seal_digest[:12]}")
    report = view.report
    if report is None:
        errors = len(view.audit.blocking)
        return (
            Tile("Rows", text.count(view.snapshot.rows), "in the data"),
            Tile("Blocking findings", str(errors), "of the audit"),
            Tile("Test rows", f"{text.count(view.split.test)}", reads(view.test_reads)),
            sealed,
        )
    primary = view.problem.primary
    tiles = []
    title = figures.title(primary)
    for who, scores in (("champion", report.champion), ("baseline", report.baseline)):
        if primary in scores.metrics:
            value, interval = judged.said(primary, scores.metrics[primary])
            tiles.append(Tile(f"{title}, {who}", value, f"95% interval {interval}"))
    tiles.append(Tile("Test rows", text.count(report.rows), reads(view.test_reads)))
    return (*tiles, sealed)


def reads(times: int) -> str:
    """Say how often the test rows were read."""
    return {0: "never read", 1: "read once", 2: "read twice"}.get(times, f"read {times} times")


def audit_sentence(audit: Audit) -> str:
    """Say what the audit found in one sentence."""
    if not audit.findings:
        return "None of them found anything."
    open_ = [f.severity for f in audit.findings if f.accepted is None]
    accepted = len(audit.findings) - len(open_)
    parts = [
        text.plural(open_.count(severity), severity)
        for severity in ("error", "warning", "note")
        if severity in open_
    ]
    parts += [f"{text.plural(accepted, 'finding')} accepted by a person"] if accepted else []
    return f"They found {text.listing(parts)}."


def parity_sentence(parity: Parity) -> str:
    """Say whether the package answers as the trained model does."""
    rows = text.count(parity.rows + parity.nasty_rows)
    if parity.holds:
        return f"the exported package answers as the trained model does on all {rows} rows tried."
    return f"the exported package does not answer as the trained model does ({rows} rows tried)."
