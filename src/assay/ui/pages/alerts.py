"""Alerts: what is firing, what was, and who was told."""

from __future__ import annotations

from assay.ui.site import Site
from assay.ui.web.page import Asked, Page

PER_PAGE = 50


def page(site: Site, asked: Asked) -> Page:
    """Return every alert, those that fire first, newest first."""
    fold = site.index.alerts
    every = [alert for listed in fold.alerts.values() for alert in listed]
    every.sort(key=lambda alert: (not alert.until, alert.at), reverse=True)
    pages = max(1, -(-len(every) // PER_PAGE))
    at = min(max(asked.number("page", 1), 1), pages)
    values = {
        "rows": every[(at - 1) * PER_PAGE : at * PER_PAGE],
        "found": len(every),
        "firing": sum(not alert.until for alert in every),
        "deliveries": list(fold.deliveries.values())[: -PER_PAGE - 1 : -1],
        "silences": list(fold.silences.values()),
        "notices": fold.notices,
        "at": at,
        "pages": pages,
        "asked": asked,
        "path": "/alerts",
    }
    return Page("alerts.html.j2", "Alerts", values, (("Alerts", ""),))
