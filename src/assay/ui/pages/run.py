"""One run: verdict, gates, leaderboard, seal, and its full report."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from assay.errors import UsageError
from assay.lifecycle import history
from assay.report import described, judged, words
from assay.report.html import render_html
from assay.report.searched import parted, trial_rows
from assay.report.view import RunView
from assay.ui.fold.runs import RunRow
from assay.ui.site import Site
from assay.ui.web.page import Asked, Crumb, Document, Page, link, missing


@dataclass(frozen=True)
class Opened:
    """A run and its records; `view` is None where it did not come as far as its audit."""

    row: RunRow
    view: RunView | None
    reason: str = ""


def opened(site: Site, name: str) -> Opened:
    """Return a run with its records; raises UsageError where there is none."""
    row = site.index.runs.rows.get(name)
    if row is None:
        raise missing("run", name)
    entry = site.index.entry(row)
    try:
        return Opened(row, history.view(site.workspace, entry, site.index), entry.reason)
    except UsageError:
        return Opened(row, None, entry.reason)


def page(site: Site, asked: Asked) -> Page:
    """Return the summary of a run."""
    found = opened(site, asked.parts["run"])
    row, view = found.row, found.view
    values: dict[str, object] = {"row": row, "view": view, "reason": found.reason, "path": "/runs"}
    if view is not None:
        values |= _of(view)
    return Page("run.html.j2", row.run, values, crumbs(row))


def report(site: Site, asked: Asked) -> Document:
    """Return the whole report of a run, as `assay report` writes it."""
    found = opened(site, asked.parts["run"])
    if found.view is None:
        raise UsageError("RUN-INCOMPLETE", "this run has no records to show yet", got=found.row.run)
    return Document(partial(render_html, found.view))


def crumbs(row: RunRow) -> tuple[Crumb, ...]:
    """Return the way to a run."""
    return (("Runs", "/runs"), (row.project, link("projects", row.project)), (row.run, ""))


def _of(view: RunView) -> dict[str, object]:
    board = view.leaderboard
    trials, more = parted(trial_rows(board, view.members) if board is not None else ())
    primary = view.problem.primary
    return {
        "verdict": words.verdict(view),
        "gates": judged.gate_rows(view),
        "metrics": judged.metric_rows(view.report, primary) if view.report else (),
        "trials": trials,
        "more_trials": len(more),
        "stages": described.stage_rows(view),
        "findings": [finding for finding in view.audit.findings if finding.accepted is None],
    }
