"""A store and a ledger that live as long as the process: for tests and trials."""

from __future__ import annotations

from collections.abc import Iterator
from threading import Lock

from assay.records.base import digest_of, from_json, to_json
from assay.records.event import Draft, Event
from assay.stores.chain import next_event
from assay.stores.faults import no_blob


class MemoryStore:
    """A `kernel.store.Store` in a dictionary, safe for threads."""

    def __init__(self) -> None:
        self._blobs: dict[str, bytes] = {}

    def put(self, data: bytes) -> str:
        """Keep `data` and return its digest."""
        digest = digest_of(data)
        self._blobs[digest] = bytes(data)
        return digest

    def get(self, digest: str) -> bytes:
        """Return the bytes of `digest`; raises StoreError when there are none."""
        data = self._blobs.get(digest)
        if data is None:
            raise no_blob(digest)
        return data

    def has(self, digest: str) -> bool:
        """Return True when a blob of this digest is stored."""
        return digest in self._blobs

    def digests(self) -> list[str]:
        """Return the digests of all blobs, in sorted order."""
        return sorted(self._blobs)


class MemoryLedger:
    """A `kernel.ledger.Ledger` in a list, safe for threads.

    Events are kept as JSON, so no caller can change one through a reference it holds.
    """

    def __init__(self) -> None:
        self._rows: list[bytes] = []
        self._lock = Lock()

    def append(self, draft: Draft) -> Event:
        """Add an event."""
        with self._lock:
            last = from_json(self._rows[-1], Event) if self._rows else None
            event = next_event(draft, last)
            self._rows.append(to_json(event))
        return event

    def read(self, start: int = 0) -> Iterator[Event]:
        """Yield the events from number `start` in order."""
        for row in self._rows[start:]:
            yield from_json(row, Event)
