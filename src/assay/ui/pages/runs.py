"""Lists of runs: all of them, or those of a project."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from assay.kernel.store import get_record
from assay.records.decision import Decision, GateResult
from assay.report import figures
from assay.report.charts import Plot, span
from assay.report.figure import Figure
from assay.report.text import cut, number
from assay.ui.draw import times
from assay.ui.fold.runs import SORTS, RunRow, chosen
from assay.ui.site import Site
from assay.ui.web.page import Asked, Page, missing

PER_PAGE = 50
DRAWN = 30
"""Newest runs of a project whose gates are drawn."""


@dataclass(frozen=True)
class Heading:
    """A column that the list can be sorted by: its name, where that leads, and the order now."""

    name: str
    href: str
    order: str


def page(site: Site, asked: Asked) -> Page:
    """Return the list of all runs."""
    project = asked.of("project")
    rows = list(site.index.runs.rows.values())
    values = listing(rows, asked, project) | {
        "projects": sorted(site.index.runs.projects),
        "figures": [],
        "models": [],
    }
    return Page("runs.html.j2", "Runs", values, (("Runs", ""),))


def project(site: Site, asked: Asked) -> Page:
    """Return the runs of one project, and how its gates came out over time."""
    name = asked.parts["project"]
    rows = site.index.runs.projects.get(name)
    if rows is None:
        raise missing("project", name)
    values = listing(rows, asked, "") | {
        "projects": [],
        "figures": _gates(site, rows),
        "models": sorted(
            model
            for model, versions in site.index.registry.versions.items()
            if any(_of(site, version.run) == name for version in versions)
        ),
    }
    return Page("runs.html.j2", name, values, (("Projects", "/"), (name, "")))


def listing(rows: Sequence[RunRow], asked: Asked, project: str) -> dict[str, object]:
    """Return a page of the rows that are asked for, and the links around it."""
    sort = asked.of("sort")
    found = chosen(
        rows,
        project=project,
        verdict=asked.of("verdict"),
        text=asked.of("text"),
        sort=sort,
    )
    pages = max(1, -(-len(found) // PER_PAGE))
    at = min(max(asked.number("page", 1), 1), pages)
    return {
        "rows": found[(at - 1) * PER_PAGE : at * PER_PAGE],
        "found": len(found),
        "total": len(rows),
        "at": at,
        "pages": pages,
        "asked": asked,
        "verdicts": Counter(row.shown for row in rows).most_common(),
        "headings": [_heading(asked, name, sort or "-started") for name in SORTS],
        "path": "/runs",
    }


def _heading(asked: Asked, name: str, sort: str) -> Heading:
    down = sort == f"-{name}"
    order = "descending" if down else "ascending" if sort == name else ""
    wanted = name if down or (not order and name != "started") else f"-{name}"
    return Heading(name, asked.link(sort=wanted, page=""), order)


def _of(site: Site, run: str) -> str:
    row = site.index.runs.rows.get(run)
    return row.project if row else ""


def _gates(site: Site, rows: Sequence[RunRow]) -> list[Figure]:
    """Draw each gate that at least two of the newest runs were judged by."""
    found: dict[str, list[tuple[RunRow, GateResult]]] = {}
    for row in rows[-DRAWN:]:
        if row.decision:
            for gate in get_record(site.workspace.store, row.decision, Decision).gates:
                found.setdefault(gate.name, []).append((row, gate))
    return [_gate(name, points) for name, points in found.items() if len(points) > 1]


def _gate(name: str, points: Sequence[tuple[RunRow, GateResult]]) -> Figure:
    gates = [gate for _, gate in points]
    ends = [v for g in gates for v in (g.low, g.high, g.threshold)]
    last = float(len(gates))
    named = {1.0: _day(points[0][0]), last: _day(points[-1][0])}
    plot = Plot((0.4, last + 0.6), span(ends), "Runs, oldest first", figures.title(gates[0].metric),
                x_names=named)  # fmt: skip
    plot.line(plot.x, (gates[-1].threshold,) * 2, "guide")
    for x, (row, gate) in enumerate(points, 1):
        plot.whisker(x, gate.low, gate.high, gate.verdict)
        plot.dot(x, gate.value, f"{cut(row.run)}: {number(gate.value)}", gate.verdict)
    caption = "Each dot is a run with its 95% interval; the dotted line is the threshold."
    title = figures.gate_name(gates[-1])
    return Figure(name, title, caption, plot.render(title, caption))


def _day(row: RunRow) -> str:
    at = times.epoch(row.started_at)
    return "" if at is None else times.short(at, 10 * times.DAY)
