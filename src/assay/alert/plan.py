"""Which notices an event calls for, which are due again, and which are to be sent now."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar

import msgspec

from assay.alert.channel import label_of
from assay.alert.fold import RAISED, RESOLVED, Alert, Alerts, Delivery, Line
from assay.alert.rules import Condition, Name, Said
from assay.records.event import Event
from assay.records.spec import AlertSpec

FIRST_WAIT, LONGEST_WAIT = 30.0, 3600.0
"""Seconds until a delivery that failed is tried again: they double from first to longest."""

KEPT = 86_400.0
"""Seconds after which a notice that cannot be delivered is given up."""

Wanted = Mapping[str, AlertSpec]
"""The channels of a project file by their labels."""

Thing = TypeVar("Thing")


@dataclass(frozen=True)
class Planned:
    """A notice to write: the kind of its event, and its data."""

    kind: str
    data: dict[str, Any]


def wanted(alerts: Iterable[AlertSpec]) -> dict[str, AlertSpec]:
    """Return the channels by label; one that the file names twice is told what either asks for."""
    found: dict[str, AlertSpec] = {}
    for spec in alerts:
        label = label_of(spec.to)
        before = found.get(label)
        if before is not None:
            repeats = [r for r in (before.repeat, spec.repeat) if r is not None]
            spec = msgspec.structs.replace(
                spec,
                on=tuple(dict.fromkeys(before.on + spec.on)),
                repeat=min(repeats, default=None),
                resolved=before.resolved or spec.resolved,
            )
        found[label] = spec
    return found


def changes(
    book: Alerts, source: Event, said: Said, channels: Wanted, now: datetime
) -> list[Planned]:
    """Return the notices that an event calls for, ends first; none where nothing is new."""
    firing = book.firing(source.subject)
    over = [alert for name, alert in firing.items() if said.ends(name)]
    holds = [c for c in said.holds if c.name not in firing]
    known = {a.name for a in book.alerts.get(source.subject, [])} if said.happened else set()
    happened = [c for c in said.happened if c.name not in known]
    return [
        *ends(over, source.seq, evidence_of(source), channels),
        *_raised(book, source, holds, channels, now, passing=False),
        *_raised(book, source, happened, channels, now, passing=True),
    ]


def evidence_of(source: Event) -> dict[str, Any]:
    """Return where an event, and the record behind it, are found."""
    data = source.data
    known: dict[str, Any] = {
        key: data[key] for key in ("record", "version", "window", "incident") if key in data
    }
    return {"event": source.seq, "digest": source.digest, "kind": source.kind, **known}


def ends(
    over: Iterable[Alert], source: int, evidence: dict[str, Any], channels: Wanted
) -> list[Planned]:
    """Return the notices of alerts that are over: those hear of it that heard of its begin.

    `source` is the number of the event that ended them.
    """
    found = []
    for kind, group in _by_kind(over, lambda alert: alert.condition.kind).items():
        to = [
            label
            for label, spec in channels.items()
            if spec.resolved and kind in spec.on and any(label in alert.told for alert in group)
        ]
        found.append(
            Planned(
                RESOLVED,
                _data(kind, [alert.condition for alert in group], to, evidence)
                | {"source": source, "thread": group[0].notice},
            )
        )
    return found


def again(
    book: Alerts, model: str, channels: Wanted, latest: Mapping[Name, Condition], now: datetime
) -> list[Planned]:
    """Return the notices of what still holds and is to be told once more.

    That is what the file repeats, what was silenced before, and what a channel has not heard of
    since it is in the file. `latest` has the newest words for a condition.
    """
    due: dict[tuple[str, tuple[str, ...]], list[Alert]] = {}
    for alert in book.firing(model).values():
        kind = alert.condition.kind
        to = tuple(
            label
            for label, spec in channels.items()
            if kind in spec.on and _due(alert.told.get(label), spec.repeat, now)
        )
        if to and not book.silenced(model, alert.condition, now):
            due.setdefault((kind, to), []).append(alert)
    return [
        Planned(
            RAISED,
            _data(kind, [latest.get(a.name, a.condition) for a in group], to, group[-1].evidence)
            | {"source": group[-1].evidence["event"], "thread": group[0].notice, "again": True},
        )
        for (kind, to), group in due.items()
    ]


def waiting(book: Alerts, model: str, channels: Wanted, now: datetime) -> dict[str, list[Delivery]]:
    """Return what is to be sent now, by channel, oldest first."""
    found: dict[str, list[Delivery]] = {}
    for delivery in book.waiting(model):
        line = book.lines.get(delivery.to, Line())
        rested = _rested(line.failures, line.at, now) and _rested(delivery.tries, delivery.at, now)
        if delivery.to in channels and rested:
            found.setdefault(delivery.to, []).append(delivery)
    return found


def gives_up(notice: Event, now: datetime) -> bool:
    """Return True where a notice that fails now is not tried again."""
    return now - datetime.fromisoformat(notice.at) >= timedelta(seconds=KEPT)


def _raised(
    book: Alerts,
    source: Event,
    conditions: Sequence[Condition],
    channels: Wanted,
    now: datetime,
    *,
    passing: bool,
) -> list[Planned]:
    """Return the notices of new conditions: one for each kind, and one for nobody if silenced."""
    found = []
    for silenced in (False, True):
        some = [c for c in conditions if book.silenced(source.subject, c, now) is silenced]
        for kind, group in _by_kind(some, lambda condition: condition.kind).items():
            to = [] if silenced else [name for name, spec in channels.items() if kind in spec.on]
            data = _data(kind, group, to, evidence_of(source))
            found.append(Planned(RAISED, data | {"source": source.seq, "passing": passing}))
    return found


def _data(
    kind: str, conditions: Iterable[Condition], to: Iterable[str], evidence: dict[str, Any]
) -> dict[str, Any]:
    """Return the data of a notice's event; `thread` is the notice that it goes on from."""
    return {
        "kind": kind,
        "alerts": [
            {"cause": c.cause, "text": c.text, "severity": c.severity, "column": c.column}
            for c in conditions
        ],
        "to": list(to),
        "evidence": evidence,
        "passing": False,
        "again": False,
        "thread": "",
    }


def _by_kind(things: Iterable[Thing], kind_of: Callable[[Thing], str]) -> dict[str, list[Thing]]:
    found: dict[str, list[Thing]] = {}
    for thing in things:
        found.setdefault(kind_of(thing), []).append(thing)
    return found


def _due(told: str | None, repeat: float | None, now: datetime) -> bool:
    """Return True where a channel has not heard, or long enough ago."""
    if told is None:
        return True
    return repeat is not None and now - datetime.fromisoformat(told) >= timedelta(seconds=repeat)


def _rested(failures: int, at: str, now: datetime) -> bool:
    """Return True where the wait after so many failures, the last at a time, is over."""
    if not failures:
        return True
    wait = min(FIRST_WAIT * 2.0 ** min(failures - 1, 30), LONGEST_WAIT)
    return now - datetime.fromisoformat(at) >= timedelta(seconds=wait)
