"""One line of the ledger."""

from __future__ import annotations

from typing import Any

import msgspec

from assay.records.base import Record, digest
from assay.records.spec import Agency

GENESIS = "0" * 64
"""The `previous` of the first event."""


class Draft(Record, frozen=True, kw_only=True, tag="draft@1"):
    """An event before the ledger gives it a number, a time and a place in the chain."""

    kind: str
    subject: str
    actor: str
    agency: Agency = "default"
    data: dict[str, Any] = {}
    parents: tuple[str, ...] = ()


class Event(Record, frozen=True, kw_only=True, tag="event@1"):
    """What happened, to what, by whom, when, and the digest of the event before it.

    `at` is UTC in ISO 8601 with microseconds. `digest` covers every other field.
    """

    seq: int
    at: str
    kind: str
    subject: str
    actor: str
    agency: Agency
    data: dict[str, Any]
    parents: tuple[str, ...]
    previous: str
    digest: str


def make_event(draft: Draft, *, seq: int, at: str, previous: str) -> Event:
    """Give `draft` its place in the chain."""
    event = Event(
        seq=seq,
        at=at,
        kind=draft.kind,
        subject=draft.subject,
        actor=draft.actor,
        agency=draft.agency,
        data=draft.data,
        parents=draft.parents,
        previous=previous,
        digest="",
    )
    return msgspec.structs.replace(event, digest=digest(event))


def event_digest(event: Event) -> str:
    """Return the digest that `event` must carry."""
    return digest(msgspec.structs.replace(event, digest=""))
