"""What every ledger does alike: number, time and link the next event."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from assay.errors import Tampered
from assay.records.base import from_json, to_json
from assay.records.event import GENESIS, Draft, Event, event_digest, make_event

_TICK = timedelta(microseconds=1)


def next_event(draft: Draft, last: Event | None) -> Event:
    """Return the event that follows `last` (None at the start of a ledger).

    Times strictly increase even when the clock is set back. The draft takes a round trip through
    JSON first, so that what is digested is what a reader will get.

    Raises:
        Tampered: `last` does not have the digest that it carries.
    """
    draft = from_json(to_json(draft), Draft)
    now = datetime.now(UTC)
    if last is None:
        return make_event(draft, seq=0, at=_iso(now), previous=GENESIS)
    if event_digest(last) != last.digest:
        raise damaged(last.seq, "it does not have the digest that it carries")
    now = max(now, datetime.fromisoformat(last.at) + _TICK)
    return make_event(draft, seq=last.seq + 1, at=_iso(now), previous=last.digest)


def damaged(seq: int, reason: str, where: str = "") -> Tampered:
    """Return the error for an event that was changed after it was written."""
    return Tampered(
        "LEDGER-DAMAGED",
        f"event {seq} of the ledger was changed after it was written: {reason}",
        where=f"{where} event {seq}".strip(),
        hint="restore the ledger from a copy; `assay verify` says which events are sound",
    )


def _iso(moment: datetime) -> str:
    return moment.isoformat(timespec="microseconds")
