"""One translation from the faults of disks and folders to errors that say what to do."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from assay.errors import StoreError

# EFBIG: a limit on the size of files, which stops a write just as a full disk does
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_READ_ONLY = {errno.EROFS, errno.EACCES, errno.EPERM}


def store_full(where: Path) -> StoreError:
    """Return the error for a disk or quota with no room left."""
    return StoreError(
        "STORE-FULL",
        "there is no room left to write to the store",
        where=str(where),
        hint="free some space and run again, or set ASSAY_STORE to a folder on another disk",
    )


def store_read_only(where: Path) -> StoreError:
    """Return the error for a folder or disk that this user may not write to."""
    return StoreError(
        "STORE-READ-ONLY",
        "the store cannot be written to or read with your rights",
        where=str(where),
        hint="make the folder writable, or set ASSAY_STORE to a folder that is",
    )


def store_fault(where: Path, reason: str) -> StoreError:
    """Return the error for any other fault of the disk or file system."""
    return StoreError(
        "STORE-FAULT",
        f"the store failed: {reason}",
        where=str(where),
        hint="check the disk and the folder, then run again; nothing was half-written",
    )


def no_blob(digest: str, where: str = "") -> StoreError:
    """Return the error for a digest that the store does not hold."""
    return StoreError(
        "STORE-NO-BLOB",
        "the store holds nothing under this digest",
        where=where,
        got=digest,
        hint="run `assay run` again to make it, or set ASSAY_STORE to the store that holds it",
    )


@contextmanager
def explained(where: Path) -> Iterator[None]:
    """Raise an OSError of the body as StoreError, told by its errno; `where` is named."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise store_full(where) from error
        if error.errno in _READ_ONLY:
            raise store_read_only(where) from error
        raise store_fault(where, error.strerror or str(error)) from error


def sync_folder(folder: Path) -> None:
    """Make the names in `folder` durable; a new file's name is lost in a power cut without it."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
