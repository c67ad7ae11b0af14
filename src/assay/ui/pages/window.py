"""One window of a model: the whole verdict."""

from __future__ import annotations

from assay.records.watch import Measured
from assay.report import figures
from assay.report.strips import Bar, intervals
from assay.ui.pages.model import CRUMBS, known, window_link
from assay.ui.site import Site
from assay.ui.web.page import Asked, Page, link, missing

STYLES = {"kept": "accepted", "broken": "rejected", "unclear": "inconclusive", "unsaid": "neutral"}


def page(site: Site, asked: Asked) -> Page:
    """Return the page of a window."""
    name, text = known(site, asked.parts["model"]), asked.parts["window"]
    every = site.index.watched.windows.get(name, {})
    number = int(text) if text.isdecimal() and text.isascii() and len(text) < 10 else -1
    if number not in every:
        raise missing("window", text)
    verdict = site.verdict(every[number])
    values = {
        "model": name,
        "window": every[number],
        "verdict": verdict,
        "measured": [_row(m) for m in verdict.performance] if verdict else [],
        "before": window_link(name, every[number - 1]) if number - 1 in every else "",
        "after": window_link(name, every[number + 1]) if number + 1 in every else "",
        "path": "/",
    }
    crumbs = (*CRUMBS, (name, link("models", name)), (f"Window {number}", ""))
    return Page("window.html.j2", f"Window {number} of {name}", values, crumbs)


def _row(found: Measured) -> dict[str, object]:
    """Return a metric with its interval as a picture, the threshold in it."""
    svg = None
    if found.value is not None and found.low is not None and found.high is not None:
        ends = [found.low, found.high, *([] if found.threshold is None else [found.threshold])]
        style = STYLES.get(found.standing, "champion")
        bar = Bar(found.low, found.value, found.high, style)
        domain = figures.domain(found.metric, min(ends), max(ends))
        svg = intervals([bar], domain, title=figures.title(found.metric), threshold=found.threshold)
    return {"found": found, "svg": svg}
