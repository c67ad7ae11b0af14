"""Which function makes the page at which path."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import unquote

from assay.ui.pages import (
    alerts,
    audit,
    column,
    compare,
    incidents,
    model,
    overview,
    run,
    runs,
    window,
)
from assay.ui.site import Site
from assay.ui.web.page import Asked, Document, Page

Make = Callable[[Site, Asked], Page | Document]

ROUTES: dict[str, Make] = {
    "/": overview.page,
    "/runs": runs.page,
    "/projects/{project}": runs.project,
    "/runs/{run}": run.page,
    "/runs/{run}/report": run.report,
    "/compare": compare.page,
    "/models/{model}": model.page,
    "/models/{model}/columns/{column}": column.page,
    "/models/{model}/windows/{window}": window.page,
    "/incidents": incidents.page,
    "/incidents/{incident}": incidents.one,
    "/incidents/{incident}/postmortem": incidents.postmortem,
    "/alerts": alerts.page,
    "/audit": audit.page,
}

_SHAPES = [(path.split("/"), make) for path, make in ROUTES.items()]


def find(path: str) -> tuple[Make, dict[str, str]] | None:
    """Return what makes the page at a path, and the parts that the path names."""
    if path in ROUTES:
        return ROUTES[path], {}
    steps = path.split("/")
    for shape, make in _SHAPES:
        if len(shape) == len(steps):
            pairs = list(zip(shape, steps, strict=True))
            named = {s[1:-1]: unquote(step) for s, step in pairs if s.startswith("{")}
            if all(s == step or s.startswith("{") for s, step in pairs) and all(named.values()):
                return make, named
    return None
