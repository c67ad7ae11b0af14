"""Alerts as the ledger tells them: what is raised, silenced and ended, and what was delivered.

Every notice is an event of its own, written before it is sent, and named by that event's digest: a
process that is killed in between sends it again under the same name.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from assay.alert.rules import Condition, Name
from assay.records.event import Event

RAISED, RESOLVED = "alert.raised", "alert.resolved"
SENT, FAILED, SILENCED = "alert.sent", "alert.failed", "alert.silenced"

ID = 16
"""Characters of an event's digest that name its notice."""


@dataclass
class Alert:
    """A condition from when it was raised until it ended (`until` is "" while it holds).

    `notice` raised it, `evidence` says where the event and the record behind it are, and `told`
    when each channel was last told of it.
    """

    model: str
    condition: Condition
    notice: str
    at: str
    evidence: dict[str, Any]
    until: str = ""
    told: dict[str, str] = field(default_factory=dict)

    @property
    def name(self) -> Name:
        """Return the kind and the cause of its condition."""
        return self.condition.name


@dataclass(frozen=True)
class Silence:
    """Nobody is told of a kind, a column or all of a model until a time; None stands for all."""

    model: str
    kind: str | None
    column: str | None
    until: str
    reason: str
    actor: str

    def covers(self, condition: Condition, now: str) -> bool:
        """Return True where it keeps a condition quiet at a time."""
        return (
            now < self.until
            and self.kind in (None, condition.kind)
            and self.column in (None, condition.column)
        )


@dataclass(frozen=True)
class Delivery:
    """A notice on its way to one channel: how often it was tried, when last, what came of it."""

    notice: str
    to: str
    tries: int = 0
    at: str = ""
    error: str = ""
    state: str = "waiting"
    """waiting, sent, or lost: given up."""


@dataclass(frozen=True)
class Line:
    """How a channel does: how often in a row it could not be reached, and when last."""

    failures: int = 0
    at: str = ""


class Alerts:
    """A fold over the ledger: the alerts of every model, and the notices of them."""

    def __init__(self, events: Iterable[Event] = ()) -> None:
        self.alerts: dict[str, list[Alert]] = {}
        self.silences: dict[tuple[str, str | None, str | None], Silence] = {}
        self.notices: dict[str, Event] = {}
        self.deliveries: dict[tuple[str, str], Delivery] = {}
        self.lines: dict[str, Line] = {}
        self._firing: dict[str, dict[Name, Alert]] = {}
        self._waiting: dict[str, dict[tuple[str, str], Delivery]] = {}
        self.seen: dict[str, int] = {}
        for event in events:
            self.take(event)

    def firing(self, model: str) -> dict[Name, Alert]:
        """Return what holds of a model, by kind and cause; silenced ones are among it."""
        return dict(self._firing.get(model, {}))

    def silenced(self, model: str, condition: Condition, now: datetime) -> bool:
        """Return True where nobody is to be told of a condition at a time."""
        at = stamp(now)
        return any(
            silence.covers(condition, at)
            for silence in self.silences.values()
            if silence.model == model
        )

    def waiting(self, model: str) -> list[Delivery]:
        """Return what is still to be delivered, oldest first."""
        return list(self._waiting.get(model, {}).values())

    def take(self, event: Event) -> None:
        """Read the next event of the ledger."""
        if event.kind in (RAISED, RESOLVED):
            self._noticed(event)
        elif event.kind in (SENT, FAILED):
            self._delivered(event)
        elif event.kind == SILENCED:
            data = event.data
            made = Silence(
                event.subject, data["kind"], data["column"], data["until"], data["reason"],
                event.actor,
            )  # fmt: skip
            self.silences[(made.model, made.kind, made.column)] = made

    def _noticed(self, event: Event) -> None:
        data, notice = event.data, event.digest[:ID]
        self.notices[notice] = event
        self.seen[event.subject] = max(self.seen.get(event.subject, 0), data["source"])
        for label in data["to"]:
            self._keep(event.subject, Delivery(notice, label))
        listed = self.alerts.setdefault(event.subject, [])
        firing = self._firing.setdefault(event.subject, {})
        for told in data["alerts"]:
            condition = Condition(kind=data["kind"], **told)
            alert = firing.get(condition.name)
            if alert is None:
                alert = Alert(event.subject, condition, notice, event.at, data["evidence"])
                listed.append(alert)
                firing[alert.name] = alert
            alert.condition = condition
            if event.kind == RESOLVED or data["passing"]:
                alert.until = event.at
                del firing[alert.name]
            alert.told |= dict.fromkeys(data["to"], event.at)

    def _delivered(self, event: Event) -> None:
        data, key = event.data, (event.data["notice"], event.data["to"])
        before = self.deliveries.get(key)
        if before is None or before.state == "sent":
            return
        error, state, line = "", "sent", Line()
        if event.kind == FAILED:
            error, state = data["error"], "lost" if data["final"] else "waiting"
            line = self.lines.get(before.to, line)
            line = Line(line.failures + 1, event.at) if data["down"] else line
        self.lines[before.to] = line
        tries = before.tries + 1
        self._keep(
            event.subject, replace(before, tries=tries, at=event.at, error=error, state=state)
        )

    def _keep(self, model: str, delivery: Delivery) -> None:
        key = delivery.notice, delivery.to
        self.deliveries[key] = delivery
        open_ones = self._waiting.setdefault(model, {})
        if delivery.state == "waiting":
            open_ones[key] = delivery
        else:
            open_ones.pop(key, None)


def stamp(at: datetime) -> str:
    """Return a time as the ledger writes it."""
    return at.isoformat(timespec="microseconds")
