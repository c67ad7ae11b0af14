"""What of a person's data goes into the log: nothing, or a keyed digest."""

from __future__ import annotations

import hmac
import os
import secrets
from contextlib import suppress
from datetime import datetime
from difflib import get_close_matches
from pathlib import Path

import polars as pl

from assay.errors import StoreError, UsageError
from assay.records.fitted import Signature
from assay.records.spec import ServeSection

KEY = "key"
_KEY_BYTES, _DIGEST_BYTES = 32, 16


class Masks:
    """Empties the columns that `section` masks and puts digests for those it gives pseudonyms.

    Equal cells have equal digests in every column, model and server of a store; a missing cell
    stays missing. Raises UsageError for a column that the signature lacks (SERVE-LOG-COLUMN).
    """

    def __init__(self, signature: Signature, section: ServeSection, folder: Path) -> None:
        _check(signature, section)
        self._gone, self._named = frozenset(section.mask), frozenset(section.pseudonym)
        self._key = key_of(folder) if self._named - self._gone else b""

    def apply(self, column: pl.Series) -> pl.Series:
        """Return the column as it may be written down."""
        if column.name in self._gone:
            return pl.Series(column.name, [None], column.dtype).new_from_index(0, len(column))
        if column.name in self._named:
            cells = [None if cell is None else self._digest(cell) for cell in column.to_list()]
            return pl.Series(column.name, cells, pl.String)
        return column

    def _digest(self, cell: object) -> str:
        word = cell.isoformat() if isinstance(cell, datetime) else str(cell)
        return hmac.digest(self._key, word.encode(), "sha256")[:_DIGEST_BYTES].hex()


def _check(signature: Signature, section: ServeSection) -> None:
    known = [field.name for field in signature.inputs]
    for key, names in (("mask", section.mask), ("pseudonym", section.pseudonym)):
        for name in names:
            if name not in known:
                close = get_close_matches(name, known, n=1)
                raise UsageError(
                    "SERVE-LOG-COLUMN",
                    f"serve.{key} names a column that the model does not have",
                    where=f"serve.{key}",
                    got=name,
                    allowed=known,
                    hint=f"did you mean {close[0]}?" if close else "",
                )


def key_of(folder: Path) -> bytes:
    """Return the key of the pseudonyms in `folder`, made once for all; raises StoreError."""
    path = folder / KEY
    try:
        if not path.exists():
            _make(path)
        key = path.read_bytes()
    except OSError as error:
        raise StoreError(
            "SERVE-LOG-KEY",
            f"the key for pseudonyms cannot be made or read: {error.strerror}",
            where=str(path),
            hint="free some room, check the rights, or take serve.pseudonym out of the file",
        ) from error
    if len(key) != _KEY_BYTES:
        raise StoreError(
            "SERVE-LOG-KEY",
            "the key for pseudonyms is damaged",
            where=str(path),
            got=f"{len(key)} bytes",
            allowed=[f"{_KEY_BYTES} bytes"],
            hint="put the file back from a copy; without it older pseudonyms cannot be compared",
        )
    return key


def _make(path: Path) -> None:
    """Write a key whole under another name and link it: the first of several processes wins."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{KEY}.{secrets.token_hex(8)}")
    try:
        handle = os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(secrets.token_bytes(_KEY_BYTES))
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):
            os.link(draft, path)
    finally:
        draft.unlink(missing_ok=True)
