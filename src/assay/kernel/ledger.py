"""The ledger: append and read-from-n, hash-chained; everything else is a fold over it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol

from assay.errors import Tampered
from assay.records.event import GENESIS, Draft, Event, event_digest


class Ledger(Protocol):
    """An append-only list of events.

    Any number of threads and processes may append at once; each event gets the next number and
    the digest of the one before it in one atomic step, and is durable when `append` returns.
    """

    def append(self, draft: Draft) -> Event:
        """Add an event; raises StoreError when it cannot be made durable."""
        ...

    def read(self, start: int = 0) -> Iterator[Event]:
        """Yield the events from number `start` (0 is the first) in order."""
        ...


def verify_chain(events: Iterable[Event]) -> int:
    """Check numbers, digests and links of events read from 0, and return how many there are.

    Raises:
        Tampered: an event was changed, removed, added or moved; `where` names the first such one.
    """
    previous, count = GENESIS, 0
    for event in events:
        if event.seq != count or event.previous != previous or event_digest(event) != event.digest:
            raise Tampered(
                "LEDGER-CHAIN",
                "the ledger's chain of digests is broken",
                where=f"event {count}",
                got=event.digest,
                hint="restore the ledger from a copy; events before this one are sound",
            )
        previous, count = event.digest, count + 1
    return count
