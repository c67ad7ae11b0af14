"""The alerts of a store: list, try, silence and end them, and write the files of other tools."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from assay.alert.channel import label_of
from assay.alert.dashboard import dashboard
from assay.alert.fold import SILENCED, Alert, Alerts, Silence, stamp
from assay.alert.notice import Notice
from assay.alert.prometheus import rules_file
from assay.errors import AssayError, UsageError
from assay.kernel.store import get_record
from assay.lifecycle.alerting.telling import Teller, attempt, write
from assay.lifecycle.serving.settings import RUN_STARTED
from assay.lifecycle.watching.settings import watching_of
from assay.records.package import ModelVersion
from assay.records.seal import Seal
from assay.registry.fold import Registry, fold
from assay.stores.faults import explained
from assay.stores.workspace import find_workspace

Where = str | Path | None

FOREVER = "9999"


@dataclass(frozen=True)
class Standing:
    """An alert as it stands: firing, silenced or resolved."""

    alert: Alert
    state: str

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        alert, condition = self.alert, self.alert.condition
        return {
            "id": alert.notice,
            "model": alert.model,
            "state": self.state,
            "kind": condition.kind,
            "cause": condition.cause,
            "column": condition.column,
            "severity": condition.severity,
            "text": condition.text,
            "since": alert.at,
            "until": alert.until,
            "told": sorted(alert.told),
            "evidence": alert.evidence,
        }


@dataclass(frozen=True)
class Tried:
    """A channel that a test alert was sent to, and why it was not taken."""

    model: str
    to: str
    error: AssayError | None

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        error = None if self.error is None else self.error.to_dict()
        return {"model": self.model, "to": self.to, "delivered": error is None, "error": error}


def alerts(name: str = "", *, store: Where = None) -> list[Standing]:
    """Return the alerts of a model, or of all: what holds first, then the newest.

    Raises UsageError for a model that is not there.
    """
    events = list(find_workspace(store).ledger.read())
    book, registry, now = Alerts(events), fold(events), datetime.now(UTC)
    names = _names(registry, name)
    found = [
        Standing(alert, _state(book, alert, now)) for model in names
        for alert in book.alerts.get(model, [])
    ]  # fmt: skip
    found.sort(key=lambda one: one.alert.at, reverse=True)
    return sorted(found, key=lambda one: one.state == "resolved")


def try_out(name: str = "", *, store: Where = None) -> list[Tried]:
    """Send a test alert to every channel of a model's project file, or of all models'.

    Raises UsageError where no file names a channel, and for a model that is not there.
    """
    events = list(find_workspace(store).ledger.read())
    registry = fold(events)
    found = []
    for model in _names(registry, name):
        channels = {spec.to for spec in watching_of(events, _version(registry, model)).alerts}
        found += [Tried(model, label_of(to), attempt(to, _trial(model))) for to in sorted(channels)]
    if not found:
        raise UsageError(
            "ALERT-NO-CHANNEL",
            "no project file says who is told",
            got=name,
            hint='add [[alerts]] with to = "mail:ADDRESS", "webhook:URL" or "command:WORDS"',
        )
    return found


def silence(
    name: str,
    seconds: float,
    reason: str,
    *,
    kind: str | None = None,
    column: str | None = None,
    store: Where = None,
) -> str:
    """Tell nobody of a model, of a kind or a column of it, for a time; return until when.

    0 seconds ends the silence of the same kind and column. Raises UsageError without a reason, and
    for a model that is not there.
    """
    require_reason(name, reason)
    workspace = find_workspace(store)
    _names(fold(workspace.ledger.read()), name)
    until = stamp(datetime.now(UTC) + timedelta(seconds=seconds))
    about = {"column": column, "until": until, "reason": reason.strip()}
    write(workspace, SILENCED, name, {"kind": kind, **about}, agency="user")
    return until


def resolve(
    name: str,
    reason: str,
    *,
    kind: str | None = None,
    column: str | None = None,
    store: Where = None,
) -> list[Alert]:
    """End what holds of a model, of a kind or a column of it, by hand, and return it.

    It is raised again by the next verdict that says so. Raises UsageError without a reason, and for
    a model that is not there.
    """
    workspace = find_workspace(store)
    require_reason(name, reason)
    events = list(workspace.ledger.read())
    registry = fold(events)
    _names(registry, name)
    channels = watching_of(events, _version(registry, name)).alerts
    chosen = Silence(name, kind, column, until=FOREVER, reason=reason.strip(), actor="")
    return Teller(workspace, name, channels).end(chosen)


def files(name: str, folder: Path, *, store: Where = None) -> list[Path]:
    """Write the alerting rules for Prometheus and the dashboard for Grafana; return their paths.

    Raises UsageError for a model that is not there.
    """
    workspace = find_workspace(store)
    events = list(workspace.ledger.read())
    registry = fold(events)
    _names(registry, name)
    version = _version(registry, name)
    watch, stem = watching_of(events, version).watch, re.sub(r"[^\w.-]+", "-", name)
    started = next(e for e in events if e.kind == RUN_STARTED and e.subject == version.run)
    seal = get_record(workspace.store, started.data["given"]["seal"], Seal)
    texts = {
        f"{stem}-rules.yml": rules_file(name, watch, seal.gates),
        f"{stem}-dashboard.json": dashboard(name),
    }
    with explained(folder):
        folder.mkdir(parents=True, exist_ok=True)
        for file, text in texts.items():
            (folder / file).write_text(text)
    return [folder / file for file in texts]


def require_reason(name: str, reason: str) -> None:
    """Raise UsageError where a person gives no reason for what others will not hear of."""
    if not reason.strip():
        raise UsageError(
            "ALERT-REASON",
            "this needs a reason: it goes to the ledger under your name",
            got=name,
            hint='--reason "the feed is being moved until Monday"',
        )


def _names(registry: Registry, name: str) -> list[str]:
    """Return the models meant: one that has to be there, or all."""
    if name and name not in registry.versions:
        registry.resolve(name)
    return [name] if name else sorted(registry.versions)


def _version(registry: Registry, name: str) -> ModelVersion:
    """Return the live version, or else the newest: its project file counts."""
    versions = registry.versions[name]
    return versions[(registry.champion(name) or len(versions)) - 1]


def _state(book: Alerts, alert: Alert, now: datetime) -> str:
    if alert.until:
        return "resolved"
    return "silenced" if book.silenced(alert.model, alert.condition, now) else "firing"


def _trial(model: str) -> Notice:
    """Return a notice that says it is none."""
    own, at = secrets.token_hex(8), stamp(datetime.now(UTC))
    told = {
        "cause": "does this arrive?",
        "text": "This is a test: nothing is wrong.",
        "severity": "note",
        "column": "",
    }
    return Notice(own, own, "test", False, "test", model, (told,), at, {})
