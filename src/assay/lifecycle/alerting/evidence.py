"""Where the evidence of an alert is shown: a command, and a page where one is open."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any
from urllib.parse import quote

from assay.alert.rules import JUDGED
from assay.errors import UsageError
from assay.kernel.store import get_record
from assay.records.event import Event
from assay.records.watch import WatchVerdict
from assay.stores.workspace import find_workspace

PAGE = "ui.url"
"""File of a store with the address of its page while `assay ui` runs."""


def links(root: Path, event: Event) -> dict[str, str]:
    """Return the `command` that shows what a notice rests on, and its `url` where a page is open.

    `root` is the folder of the store.
    """
    command, path = _places(event.subject, event.data["evidence"])
    try:
        page = (root / PAGE).read_text().strip().rstrip("/")
    except OSError:
        return {"command": command}
    return {"command": command, "url": page + path}


def past(name: str, window: int, *, store: str | Path | None = None) -> WatchVerdict:
    """Return the verdict on a window that was judged; raises UsageError where there is none."""
    workspace = find_workspace(store)
    judged = [e for e in workspace.ledger.read() if e.kind == JUDGED and e.subject == name]
    found = [event for event in judged if event.data["window"] == window]
    if not found:
        known = [event.data["window"] for event in judged]
        raise UsageError(
            "WATCH-NO-WINDOW",
            f"no window of {name} with this number was judged",
            got=window,
            allowed=[f"{min(known)} to {max(known)}"] if known else [],
            hint=f"assay watch {name} --once",
        )
    return get_record(workspace.store, found[-1].data["record"], WatchVerdict)


def _places(model: str, evidence: dict[str, Any]) -> tuple[str, str]:
    word, name = shlex.quote(model), quote(model, safe="")
    if "incident" in evidence:
        incident = evidence["incident"]
        return f"assay incidents show {incident}", f"/incidents/{quote(incident, safe='')}"
    if "window" in evidence:
        window = evidence["window"]
        return f"assay watch {word} --window {window}", f"/models/{name}/windows/{window}"
    if evidence["kind"].startswith("release."):
        return f"assay release {word}", f"/models/{name}"
    return f"assay alerts list {word}", f"/models/{name}"
