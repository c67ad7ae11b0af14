"""A model: what is live, where it comes from, how it does over time, and what moves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from assay.records.package import ModelVersion
from assay.records.watch import Measured, WatchVerdict
from assay.release.decide import stages
from assay.report.figure import Figure
from assay.ui.draw import heat, lineage, series
from assay.ui.fold.logs import buckets
from assay.ui.fold.watched import Window
from assay.ui.pages.overview import firing_of, model_row
from assay.ui.site import Site
from assay.ui.web.page import Asked, Crumb, Page, link, missing

WINDOWS = 60
"""Windows on one page."""

LISTED, STRIPS = 12, 40
Seen = Sequence[tuple[Window, WatchVerdict]]


@dataclass(frozen=True)
class Shown:
    """The windows on a page, and the numbers to page by; "" where there are no more."""

    windows: list[Window]
    older: str
    newer: str


def page(site: Site, asked: Asked) -> Page:
    """Return the page of a model."""
    name = known(site, asked.parts["model"])
    index = site.index
    row, shown = model_row(site, name), windows(site, name, asked)
    drawn, seen = buckets(site.logs.pieces(name)), verdicts(site, shown.windows)
    pictures = heat.strips(seen) if seen else []
    versions = [v for v in index.registry.listing() if v.name == name]
    values = {
        "row": row,
        "versions": versions[::-1],
        "moves": index.registry.moves.get(name, [])[::-1],
        "spells": index.served.spells(name, site.workspace.root)[::-1],
        "release": index.releases.on(name),
        "stages": _stages(site, name),
        "released": list(index.released.get(name, {}).values())[::-1],
        "chain": lineage.chain(site, row.live) if row.live else None,
        "figures": [figure for figure in (series.traffic(drawn), series.latency(drawn)) if figure],
        "performance": performance(seen),
        "retrains": index.retrains.of(name)[::-1][:LISTED],
        "strips": pictures[:STRIPS],
        "strips_left": max(len(pictures) - STRIPS, 0),
        "shown": shown,
        "listed": shown.windows[: -LISTED - 1 : -1],
        "alerts": firing_of(site, name),
        "incidents": [i for i in reversed(index.incidents.all.values()) if i.model == name][
            :LISTED
        ],
        "path": "/",
    }
    return Page("model.html.j2", name, values, (*CRUMBS, (name, "")))


CRUMBS: tuple[Crumb, ...] = (("Models", "/#models"),)


def known(site: Site, name: str) -> str:
    """Return the name of a model; raises UsageError where there is none."""
    if name not in site.index.registry.versions:
        raise missing("model", name)
    return name


def windows(site: Site, name: str, asked: Asked) -> Shown:
    """Return the newest windows, or those that end with `until` in the query."""
    every = site.index.watched.of(name)
    end = len(every)
    if "until" in asked.query:
        last = asked.number("until")
        end = sum(window.number <= last for window in every)
    start = max(end - WINDOWS, 0)
    older = str(every[start - 1].number) if start else ""
    newer = str(every[min(end + WINDOWS, len(every)) - 1].number) if end < len(every) else ""
    return Shown(every[start:end], older, newer)


def verdicts(site: Site, found: Sequence[Window]) -> list[tuple[Window, WatchVerdict]]:
    """Return the windows whose whole verdict is stored, with it."""
    pairs = ((window, site.verdict(window)) for window in found)
    return [(window, verdict) for window, verdict in pairs if verdict is not None]


def performance(seen: Seen) -> list[Figure]:
    """Return a figure for each metric, those that a gate asks for first."""
    found: dict[str, list[series.Point]] = {}
    for window, verdict in seen:
        for measured in _one_each(verdict.performance):
            found.setdefault(measured.metric, []).append(series.Point(window, measured))
    gated = sorted(found.values(), key=lambda ps: all(p.found.threshold is None for p in ps))
    return [series.performance(points) for points in gated]


def _one_each(performance_: Sequence[Measured]) -> list[Measured]:
    """Return each metric over all rows once: measured where it was, else estimated."""
    found: dict[str, Measured] = {}
    for measured in performance_:
        before = found.get(measured.metric)
        if not measured.slice and (before is None or (before.estimated and not measured.estimated)):
            found[measured.metric] = measured
    return list(found.values())


def _stages(site: Site, name: str) -> list[tuple[str, str]]:
    """Return each stage of the release that is on, and whether it is over."""
    release = site.index.releases.on(name)
    if release is None:
        return []
    state = ("done", "now", "next")
    return [
        ("shadow" if stage.shadow else f"{stage.share:.0%}",
         state[(place >= release.stage) + (place > release.stage)])
        for place, stage in enumerate(stages(release.section))
    ]  # fmt: skip


def window_link(name: str, window: Window) -> str:
    """Return where a window has its page."""
    return link("models", name, "windows", window.number)


def version_of(site: Site, name: str, number: int) -> ModelVersion | None:
    """Return a version by its number, None where there is none."""
    versions = site.index.registry.versions[name]
    return versions[number - 1] if 0 < number <= len(versions) else None
