"""The first page: what is live and how it does, what is wrong, and what ran last."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from assay.alert.fold import Alert
from assay.lifecycle.releasing.releases import Release
from assay.records.package import ModelVersion
from assay.ui.draw.series import spark
from assay.ui.fold.logs import buckets
from assay.ui.fold.watched import Window
from assay.ui.site import Site
from assay.ui.web.page import Asked, Page

RUNS, SPARKS = 10, 40
MOST = 200
"""Models and projects that are listed."""


@dataclass(frozen=True)
class ModelRow:
    """A model on one line; `rows` are all in its log."""

    name: str
    live: ModelVersion | None
    versions: int
    window: Window | None
    release: Release | None
    incidents: int
    alerts: int
    rows: int
    traffic: Markup | None


def page(site: Site, _asked: Asked) -> Page:
    """Return the overview."""
    index = site.index
    models = [model_row(site, name) for name in sorted(index.registry.versions)[:MOST]]
    runs = list(index.runs.rows.values())[: -RUNS - 1 : -1]
    projects = [
        (name, len(rows), rows[-1]) for name, rows in sorted(index.runs.projects.items())[:MOST]
    ]
    firing = [alert for model in index.registry.versions for alert in firing_of(site, model)]
    values = {
        "models": models,
        "runs": runs,
        "projects": projects,
        "total_runs": len(index.runs.rows),
        "incidents": [one for one in reversed(index.incidents.all.values()) if one.open],
        "alerts": firing,
        "events": len(index.trail),
        "verifier": site.verifier,
        "path": "/",
    }
    return Page("overview.html.j2", site.name, values)


def firing_of(site: Site, model: str) -> list[Alert]:
    """Return the alerts of a model that hold now."""
    return list(site.index.alerts.firing(model).values())


def model_row(site: Site, name: str) -> ModelRow:
    """Return what a list says of a model."""
    index = site.index
    live = index.registry.champion(name)
    versions = index.registry.versions[name]
    pieces = site.logs.pieces(name)
    drawn = buckets(pieces, SPARKS)
    return ModelRow(
        name=name,
        live=versions[live - 1] if live else None,
        versions=len(versions),
        window=index.watched.last(name),
        release=index.releases.on(name),
        incidents=len(index.incidents.open(name)),
        alerts=len(index.alerts.firing(name)),
        rows=sum(piece.rows for piece in pieces),
        traffic=spark(drawn, f"Traffic of {name}") if drawn else None,
    )
