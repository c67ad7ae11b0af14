"""Incidents: what was wrong, why, and what was done."""

from __future__ import annotations

from assay.errors import UsageError
from assay.lifecycle.incidents.incidents import Incident
from assay.lifecycle.incidents.postmortem import tell
from assay.report.incident import render_incident
from assay.ui.site import Site
from assay.ui.web.page import Asked, Document, Page, missing

PER_PAGE = 50


def page(site: Site, asked: Asked) -> Page:
    """Return the list of incidents, newest first."""
    every = list(site.index.incidents.all.values())[::-1]
    model, status = asked.of("model"), asked.of("status")
    found = [i for i in every if (not model or i.model == model) and status in ("", i.status)]
    pages = max(1, -(-len(found) // PER_PAGE))
    at = min(max(asked.number("page", 1), 1), pages)
    values = {
        "rows": found[(at - 1) * PER_PAGE : at * PER_PAGE],
        "found": len(found),
        "total": len(every),
        "models": sorted({incident.model for incident in every}),
        "at": at,
        "pages": pages,
        "asked": asked,
        "path": "/incidents",
    }
    return Page("incidents.html.j2", "Incidents", values, (("Incidents", ""),))


def one(site: Site, asked: Asked) -> Page:
    """Return one incident: its timeline, what may have caused it, what was done."""
    incident = _find(site, asked)
    windows = site.index.watched.windows.get(incident.model, {})
    values = {
        "incident": incident,
        "window": windows.get(incident.window),
        "retrains": [r for r in site.index.retrains.all.values() if r.incident == incident.id],
        "path": "/incidents",
    }
    crumbs = (("Incidents", "/incidents"), (incident.id, ""))
    return Page("incident.html.j2", f"Incident {incident.id}", values, crumbs)


def postmortem(site: Site, asked: Asked) -> Document:
    """Return the draft of an incident's postmortem, as `assay incidents` writes it."""
    incident, root = _find(site, asked), site.workspace.root
    return Document(lambda: render_incident(tell(incident.id, store=root)))


def _find(site: Site, asked: Asked) -> Incident:
    """Return the incident that a path names; raises UsageError where there is none."""
    try:
        return site.index.incidents.find(asked.parts["incident"])
    except UsageError as error:
        raise missing("incident", asked.parts["incident"]) from error
