"""Two runs side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from markupsafe import Markup

from assay.records.report import Estimate
from assay.report import figures, judged, strips
from assay.report.text import cut
from assay.report.view import RunView
from assay.ui.pages.run import Opened, opened
from assay.ui.site import Site
from assay.ui.web.page import Asked, Page

OFFERED = 200
"""Newest runs that can be chosen from a list."""


@dataclass(frozen=True)
class Compared:
    """A metric of both runs on one scale."""

    name: str
    a: str
    b: str
    difference: str
    svg: Markup


def page(site: Site, asked: Asked) -> Page:
    """Return two runs beside each other, or a form that asks which."""
    names = [asked.query.get(side, "") for side in ("a", "b")]
    offered = list(site.index.runs.rows)[: -OFFERED - 1 : -1]
    values: dict[str, object] = {
        "names": names,
        "offered": offered,
        "pair": None,
        "facts": (),
        "metrics": (),
        "gates": (),
        "same": False,
        "path": "/runs",
    }
    if all(names):
        a, b = (opened(site, name) for name in names)
        values["pair"] = (a, b)
        values["facts"] = list(_facts(a, b))
        if a.view is not None and b.view is not None:
            values["metrics"] = list(_metrics(a.view, b.view))
            values["gates"] = _gates(a.view, b.view)
            values["same"] = _same_rows(a.view, b.view)
    return Page("compare.html.j2", "Compare two runs", values, (("Runs", "/runs"), ("Compare", "")))


Line = tuple[str, str, str]
"""What is compared, and what it is for each."""


def _facts(a: Opened, b: Opened) -> Iterator[Line]:
    yield "Verdict", a.row.shown, b.row.shown
    yield "Project", a.row.project, b.row.project
    yield (
        "Started",
        a.row.started_at[:16].replace("T", " "),
        b.row.started_at[:16].replace("T", " "),
    )
    for title, of in _FACTS.items():
        first, other = (of(one.view) if one.view is not None else "–" for one in (a, b))
        yield title, first, other


_FACTS: dict[str, Callable[[RunView], str]] = {
    "Seal": lambda view: view.seal_digest[:12],
    "Data": lambda view: f"{view.snapshot.rows:,} rows, {view.snapshot.content[:12]}",
    "Split": lambda view: f"{view.split.policy}, {view.split.test:,} test rows",
    "Champion": lambda view: cut(view.report.champion.name, 60) if view.report else "–",
}


def _metrics(a: RunView, b: RunView) -> Iterator[Compared]:
    if a.report is None or b.report is None:
        return
    for name, one in a.report.champion.metrics.items():
        other = b.report.champion.metrics.get(name)
        if other is None:
            continue
        low, high = min(one.low, other.low), max(one.high, other.high)
        bars = [
            strips.Bar(e.low, e.value, e.high, style, figures.value(name, e.value))
            for e, style in ((one, "champion"), (other, "c1"))
        ]
        svg = strips.intervals(bars, figures.domain(name, low, high), title=figures.title(name))
        gap = figures.signed(name, other.value - one.value)
        yield Compared(figures.title(name), _said(name, one), _said(name, other), gap, svg)


def _said(name: str, estimate: Estimate) -> str:
    value, interval = judged.said(name, estimate)
    return f"{value} ({interval})"


def _gates(a: RunView, b: RunView) -> list[Line]:
    one, other = (
        {gate.name: gate.verdict for gate in view.decision.gates} if view.decision else {}
        for view in (a, b)
    )
    names = dict.fromkeys([*one, *other])
    return [(name, one.get(name, "not asked"), other.get(name, "not asked")) for name in names]


def _same_rows(a: RunView, b: RunView) -> bool:
    return a.report is not None and b.report is not None and a.report.test == b.report.test
