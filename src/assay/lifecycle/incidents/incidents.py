"""Incidents as the ledger tells them: opened by a verdict, noted while they last, resolved."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from assay.errors import UsageError
from assay.kernel.stage import Context
from assay.lifecycle.incidents.symptoms import Area, of_key
from assay.records.event import Event

JUDGED = "watch.judged"
OPENED, NOTED, RESOLVED = "incident.opened", "incident.noted", "incident.resolved"

CALM = 2
"""Windows in a row without any symptom of an incident after which it is over."""

SEEN = "seen"
"""The action of a note that a window still shows the incident."""


@dataclass(frozen=True)
class Entry:
    """One line of an incident's history: the event's number and time, what was done, in words.

    `record` is the digest of the verdict that led to it, "" for what a person did.
    """

    seq: int
    at: str
    actor: str
    agency: str
    action: str
    text: str
    record: str = ""
    data: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Incident:
    """One thing that is wrong with a model, from the first window that shows it to its end.

    `since` and `until` are the times of the first row of the first such window and of the last row
    of the last one, `found` the last row of the window that it was opened for; they are on the
    clock of the rows, "" where rows have no times. `rows` were answered meanwhile. `calm` counts
    windows in a row without a symptom, `calm_since` is when the first of them began.
    """

    id: str
    model: str
    cause: str
    symptoms: tuple[str, ...]
    version: int
    reason: str
    opened_at: str
    window: int
    since: str = ""
    found: str = ""
    until: str = ""
    last: int = 0
    rows: int = 0
    windows: int = 1
    calm: int = 0
    calm_since: str = ""
    resolved_at: str = ""
    resolution: str = ""
    causes: tuple[dict[str, Any], ...] = ()
    versions: tuple[int, ...] = ()
    history: tuple[Entry, ...] = ()

    @property
    def open(self) -> bool:
        """Return True while it is not resolved."""
        return not self.resolved_at

    @property
    def status(self) -> str:
        """Return open or resolved."""
        return "open" if self.open else "resolved"

    @property
    def area(self) -> Area:
        """Return what it is about."""
        return of_key(self.symptoms[0]).area

    @property
    def severity(self) -> str:
        """Return degraded where the model or the service broke a promise, else drift."""
        kinds = {of_key(key).kind for key in self.symptoms}
        return "degraded" if kinds & {"degraded", "objective"} else "drift"

    @property
    def detected_s(self) -> float | None:
        """Return the seconds from the first row that shows it to the window that found it."""
        return between(self.since or self.opened_at, self.found or self.opened_at)

    @property
    def recovered_s(self) -> float | None:
        """Return the seconds from the first row that shows it to the first calm one, once over."""
        if self.open:
            return None
        return between(self.since or self.opened_at, self.calm_since or self.resolved_at)

    def actions(self, action: str) -> tuple[Entry, ...]:
        """Return what was done of one kind, in order."""
        return tuple(entry for entry in self.history if entry.action == action)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        plain = {k: v for k, v in vars(self).items() if k != "history"}
        return {
            **plain,
            "status": self.status,
            "severity": self.severity,
            "detected_s": self.detected_s,
            "recovered_s": self.recovered_s,
            "history": [vars(entry) for entry in self.history],
        }


class Incidents:
    """A fold over the ledger: every incident by its id."""

    def __init__(self, events: Iterable[Event] = ()) -> None:
        self.all: dict[str, Incident] = {}
        for event in events:
            self.take(event)

    def open(self, model: str) -> list[Incident]:
        """Return the incidents of a model that are not resolved, the newest first."""
        return [i for i in reversed(self.all.values()) if i.model == model and i.open]

    def take(self, event: Event) -> None:
        """Read the next event of the ledger."""
        if event.kind == JUDGED:
            for incident in self.open(event.subject):
                self.all[incident.id] = _looked(incident, event.data)
            return
        known = self.all.get(event.data.get("incident", ""))
        if event.kind == OPENED:
            self.all[event.data["incident"]] = _opened(event)
        elif known is not None and event.kind in (NOTED, RESOLVED):
            self.all[known.id] = _noted(known, event)
        elif known is not None:  # a retraining, which names the incident that asked for it
            text = event.data.get("reason") or event.data.get("stage", "")
            entry = replace(_entry(event), action=event.kind, text=text)
            self.all[known.id] = replace(known, history=(*known.history, entry))

    def find(self, reference: str) -> Incident:
        """Return the incident whose id starts with `reference`; raises UsageError."""
        hits = [i for name, i in self.all.items() if name.startswith(reference)]
        if len(hits) == 1 and reference:
            return hits[0]
        raise UsageError(
            "INCIDENT-UNKNOWN",
            f"{'several incidents match' if hits else 'no incident matches'} {reference}",
            got=reference,
            allowed=[i.id for i in (hits or list(self.all.values()))[-10:]],
            hint="`assay incidents` lists them",
        )


def incidents(events: Iterable[Event]) -> Incidents:
    """Read the incidents off the events of a ledger."""
    return Incidents(events)


def note(
    context: Context, incident: Incident, action: str, text: str, *, by_hand: bool = False,
    record: str = "", **data: Any,
) -> None:  # fmt: skip
    """Write a line to the history of an incident."""
    context.append(
        NOTED,
        incident.model,
        agency="user" if by_hand else "default",
        parents=(record,) if record else (),
        incident=incident.id,
        action=action,
        text=text,
        record=record,
        **data,
    )


def resolve(
    context: Context, incident: Incident, reason: str, *, by_hand: bool = False, record: str = ""
) -> None:
    """End an incident."""
    context.append(
        RESOLVED,
        incident.model,
        agency="user" if by_hand else "default",
        parents=(record,) if record else (),
        incident=incident.id,
        action="resolved",
        text=reason,
        record=record,
    )


def between(one: str, other: str) -> float | None:
    """Return the seconds from one time (ISO 8601) to another, at least 0; None without both."""
    if not one or not other:
        return None
    seconds = (datetime.fromisoformat(other) - datetime.fromisoformat(one)).total_seconds()
    return max(0.0, round(seconds, 6))


def _looked(incident: Incident, judged: dict[str, Any]) -> Incident:
    """Count a window that was judged; a note says afterwards if it still showed the incident."""
    window = int(judged["window"])
    if window <= incident.last or judged["verdict"] == "unknown":
        return incident
    first = judged.get("since", "") if not incident.calm else incident.calm_since
    return replace(incident, calm=incident.calm + 1, calm_since=first, last=window)


def _opened(event: Event) -> Incident:
    data = event.data
    opening = replace(_entry(event), action="opened", text=data["reason"])
    return Incident(
        id=data["incident"],
        model=event.subject,
        cause=data["cause"],
        symptoms=tuple(data["symptoms"]),
        version=data["version"],
        reason=data["reason"],
        opened_at=event.at,
        window=data["window"],
        since=data["since"],
        found=data["until"],
        until=data["until"],
        last=data["window"],
        rows=data["rows"],
        causes=tuple(data["causes"]),
        versions=(data["version"],),
        history=(opening,),
    )


def _noted(known: Incident, event: Event) -> Incident:
    data = event.data
    entry = _entry(event)
    if entry.action == SEEN:
        version = data["version"]
        more = () if version in known.versions else (version,)
        known = replace(
            known,
            rows=known.rows + data["rows"],
            windows=known.windows + 1,
            until=data["until"] or known.until,
            last=max(known.last, data["window"]),
            calm=0,
            calm_since="",
            symptoms=tuple(dict.fromkeys((*known.symptoms, *data["symptoms"]))),
            versions=(*known.versions, *more),
        )
    if event.kind == RESOLVED:
        known = replace(known, resolved_at=event.at, resolution=entry.text)
    return replace(known, history=(*known.history, entry))


def _entry(event: Event) -> Entry:
    data = event.data
    own = ("incident", "action", "text", "record")
    return Entry(
        seq=event.seq,
        at=event.at,
        actor=event.actor,
        agency=event.agency,
        action=data.get("action", ""),
        text=data.get("text", ""),
        record=data.get("record", ""),
        data={k: v for k, v in data.items() if k not in own},
    )
