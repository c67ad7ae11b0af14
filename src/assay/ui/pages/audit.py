"""The ledger, newest first: what happened, by whom, and whether the chain is sound."""

from __future__ import annotations

import json
from collections.abc import Sequence

from assay.records.event import Event
from assay.ui.fold.trail import Trail, events_at
from assay.ui.site import Site
from assay.ui.web.page import Asked, Page, link

PER_PAGE = 50
LONGEST = 6_000
"""Characters of an event's data that are shown."""


def page(site: Site, asked: Asked) -> Page:
    """Return a page of the ledger."""
    trail = site.index.trail
    found = _found(trail, asked)
    pages = max(1, -(-len(found) // PER_PAGE))
    at = min(max(asked.number("page", 1), 1), pages)
    numbers = list(found[(at - 1) * PER_PAGE : at * PER_PAGE])
    values = {
        "events": [(event, _data(event), _link(site, event))
                   for event in events_at(site.workspace.ledger, numbers)],
        "found": len(found),
        "total": len(trail),
        "at": at,
        "pages": pages,
        "asked": asked,
        "kinds": sorted(trail.kinds.numbers),
        "actors": sorted(trail.actors.numbers)[:200],
        "verifier": site.verifier,
        "path": "/audit",
    }  # fmt: skip
    return Page("audit.html.j2", "Audit log", values, (("Audit", ""),))


def _found(trail: Trail, asked: Asked) -> Sequence[int]:
    """Return the numbers of the events that are asked for, newest first."""
    query = asked.query
    if "event" in query:
        number = asked.number("event", -1)
        return [number] if 0 <= number < len(trail) else []
    return trail.found(query.get("kind", ""), query.get("subject", ""), query.get("actor", ""))


def _data(event: Event) -> str:
    """Return what an event holds, indented; too long a text is cut."""
    text = json.dumps(event.data, ensure_ascii=False, indent=1)
    return text if len(text) <= LONGEST else text[:LONGEST] + "\n…"


def _link(site: Site, event: Event) -> str:
    """Return the page of what an event is about, "" where it has none."""
    index = site.index
    if event.subject in index.registry.versions and not event.kind.startswith(("run.", "choice.")):
        return link("models", event.subject)
    if event.subject in index.runs.rows:
        return link("runs", event.subject)
    if event.subject in index.runs.projects:
        return link("projects", event.subject)
    return ""
