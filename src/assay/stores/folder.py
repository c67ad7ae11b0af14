"""Content-addressed blobs in a folder."""

from __future__ import annotations

import os
import re
import uuid
from contextlib import suppress
from pathlib import Path

from assay.errors import Tampered
from assay.records.base import digest_of
from assay.stores.faults import explained, no_blob, sync_folder

_DIGEST = re.compile(r"[0-9a-f]{64}")


class FolderStore:
    """A `kernel.store.Store` under `root/objects`, one file `ab/cdef…` for each digest.

    A blob is written to a temporary file beside its place, synced, and renamed, so it is there
    whole or not at all; what a killed process leaves behind is a temporary file that nobody reads.
    """

    def __init__(self, root: Path) -> None:
        self._objects = root / "objects"

    def put(self, data: bytes) -> str:
        """Keep `data` and return its digest; raises StoreError when there is no room or right."""
        digest = digest_of(data)
        path = self._path(digest)
        with explained(path):
            if not path.exists():
                _write(path, data)
        return digest

    def get(self, digest: str) -> bytes:
        """Return the bytes of `digest`.

        Raises:
            StoreError: no such blob, or it cannot be read.
            Tampered: the file does not have this digest; `where` names it.
        """
        path = self._path(digest)
        if not self.has(digest):
            raise no_blob(digest, str(path))
        with explained(path):
            data = path.read_bytes()
        if digest_of(data) != digest:
            raise Tampered(
                "STORE-TAMPERED",
                "a stored file was changed after it was written",
                where=str(path),
                got=digest_of(data),
                allowed=[digest],
                hint="restore the file from a copy, or delete it and run again to make it anew",
            )
        return data

    def has(self, digest: str) -> bool:
        """Return True when a blob of this digest is stored (its content is not checked)."""
        path = self._path(digest)
        with explained(path):
            return _DIGEST.fullmatch(digest) is not None and path.is_file()

    def digests(self) -> list[str]:
        """Return the digests of all blobs, in sorted order; raises StoreError."""
        with explained(self._objects):
            names = (path.parent.name + path.name for path in self._objects.glob("??/*"))
            return sorted(name for name in names if _DIGEST.fullmatch(name))

    def _path(self, digest: str) -> Path:
        return self._objects / digest[:2] / digest[2:]


def _write(path: Path, data: bytes) -> None:
    """Write a file that appears whole or not at all, and survives a power cut."""
    folder = path.parent
    if not folder.is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        sync_folder(folder.parent)
    temporary = folder / f".{uuid.uuid4().hex}.tmp"
    try:
        with temporary.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise
    sync_folder(folder)
