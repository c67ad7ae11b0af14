"""What every record has: a tag with its schema version, a JSON form, and a digest."""

from __future__ import annotations

import hashlib
from typing import Any, TypeVar

import msgspec

from assay.errors import AssayError, Tampered


class Record(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="record"
):
    """A frozen noun; subclasses set `tag="name@schema"` and never change a written field."""

    def blobs(self) -> tuple[str, ...]:
        """Return the digests of the stored bytes that this record is nothing without."""
        return ()


AnyRecord = TypeVar("AnyRecord", bound=Record)

_encoder = msgspec.json.Encoder(order="deterministic")


def digest_of(data: bytes) -> str:
    """Return the SHA-256 of `data` as 64 lower-case hexadecimal characters."""
    return hashlib.sha256(data).hexdigest()


def to_json(value: Any) -> bytes:
    """Encode a record or plain JSON data with sorted keys: equal values give equal bytes.

    Raises AssayError for what JSON cannot hold, such as a file name that is not UTF-8.
    """
    try:
        return _encoder.encode(value)
    except (TypeError, UnicodeEncodeError) as error:
        raise AssayError(
            "RECORD-NOT-JSON",
            f"a value cannot be written to a record: {error}",
            got=type(value).__name__,
            hint="rename files and columns whose names are not UTF-8",
        ) from error


def digest(value: Any) -> str:
    """Return the SHA-256 of the canonical JSON of `value`."""
    return digest_of(to_json(value))


def from_json(data: bytes, kind: type[AnyRecord]) -> AnyRecord:
    """Decode `data` as a record of type `kind`.

    Raises:
        Tampered: the bytes are no JSON, or not the JSON of such a record.
    """
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Tampered(
            "RECORD-UNREADABLE",
            f"these bytes are not a {kind.__name__} record: {error}",
            hint="restore the file from a copy, or run `assay verify` to see what else is damaged",
        ) from error
