"""Content-addressed bytes."""

from __future__ import annotations

from typing import Protocol

from assay.errors import AssayError
from assay.records.base import AnyRecord, Record, from_json, to_json


class Store(Protocol):
    """Bytes under the SHA-256 of their content.

    Safe for many threads and processes at once: content never changes under a digest, a blob is
    visible whole or not at all, and putting the same bytes twice is one blob.
    """

    def put(self, data: bytes) -> str:
        """Keep `data` and return its digest; raises StoreError when there is no room or right."""
        ...

    def get(self, digest: str) -> bytes:
        """Return the bytes of `digest`.

        Raises:
            StoreError: no such blob.
            Tampered: the stored bytes do not have this digest.
        """
        ...

    def has(self, digest: str) -> bool:
        """Return True when a blob of this digest is stored (its content is not checked)."""
        ...

    def digests(self) -> list[str]:
        """Return the digests of all blobs, in sorted order."""
        ...


def put_record(store: Store, record: Record) -> str:
    """Store a record as canonical JSON and return its digest.

    Raises AssayError for a record that would read back as another one (an int where a float is
    declared, say): its digest would not be its own.
    """
    data = to_json(record)
    if to_json(from_json(data, type(record))) != data:
        raise AssayError("RECORD-UNSTABLE", f"this {type(record).__name__} reads back differently")
    return store.put(data)


def get_record(store: Store, digest: str, kind: type[AnyRecord]) -> AnyRecord:
    """Read back a record of type `kind`; raises StoreError or Tampered."""
    return from_json(store.get(digest), kind)
