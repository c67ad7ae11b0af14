"""Write a package: whole, or not at all."""

from __future__ import annotations

import os
import shutil
import time
import uuid
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from assay.errors import StoreError
from assay.package.manifest import MANIFEST, SEAL, package_digest
from assay.records.base import to_json
from assay.records.package import Manifest

STALE_SECONDS = 3600


def build(
    packages: Path,
    manifest: Manifest,
    files: Mapping[str, bytes],
    check: Callable[[Path], None],
) -> Path:
    """Write `files` and `manifest` under `packages`/DIGEST and return that folder.

    The folder appears under its name only when every byte is on disk and `check` has found
    nothing wrong with it; a package that is there already is left as it is.

    Raises:
        StoreError: there is no room or no right to write.
    """
    final = packages / package_digest(manifest)
    if final.exists():
        return final
    _sweep(packages)
    draft = packages / f".draft-{uuid.uuid4().hex}"
    try:
        seal = package_digest(manifest).encode()
        for name, data in {**files, MANIFEST: to_json(manifest), SEAL: seal}.items():
            _write(draft / name, data)
        check(draft)
        try:
            draft.rename(final)
        except OSError:
            if not final.exists():  # else another process finished the same package first
                raise
    except OSError as error:
        raise StoreError(
            "PACKAGE-NOT-WRITTEN",
            f"the package could not be written: {error.strerror or error}",
            where=str(packages),
            hint="free some room or check the rights, then run again: nothing is fitted twice",
        ) from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return final


def size_of(path: Path) -> int:
    """Return the bytes of all files of a package."""
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())


def _sweep(packages: Path) -> None:
    """Remove drafts that a killed process left behind."""
    for draft in packages.glob(".draft-*"):
        with suppress(OSError):
            if time.time() - draft.stat().st_mtime > STALE_SECONDS:
                shutil.rmtree(draft, ignore_errors=True)


def _write(file: Path, data: bytes) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("wb") as handle:
        handle.write(data)
        handle.flush()
        os.fsync(handle.fileno())
