"""The files of a package and where they lie."""

from __future__ import annotations

from pathlib import Path

from assay.errors import Tampered
from assay.records.base import digest, digest_of, from_json
from assay.records.package import Manifest

MANIFEST = "manifest.json"
SIGNATURE = "signature.json"
SEAL = "manifest.sha256"
"""Holds the digest of the manifest, so that a package is whole under any folder name."""

CODE = "code"
"""Folder of the project's own Python, laid out as in the project."""


def package_digest(manifest: Manifest) -> str:
    """Return the digest that names a package that is about to be written."""
    return digest(manifest)


def read_files(path: Path) -> tuple[Manifest, dict[str, bytes]]:
    """Read a package whole, each file checked against the manifest before anything uses it.

    Raises:
        Tampered: a file is missing, changed, or not in the manifest; `where` names it.
    """
    try:
        written = (path / MANIFEST).read_bytes()
        manifest = from_json(written, Manifest)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise Tampered(
            "PACKAGE-NO-MANIFEST",
            "this folder is not a package: it has no manifest.json",
            where=str(path),
            hint="`assay models` lists the packages of a store",
        ) from error
    except Tampered as error:  # no manifest any more
        raise _changed(path / MANIFEST) from error
    # over the bytes: a record that has gained a field since would be written otherwise today
    name = digest_of(written)
    if read_seal(path) != name:
        raise _changed(path / MANIFEST)
    if len(path.resolve().name) == 64 and path.resolve().name != name:
        raise _changed(path / MANIFEST)
    present = {p.relative_to(path).as_posix() for p in path.rglob("*") if not p.is_dir()}
    extra = present - set(manifest.files) - {MANIFEST, SEAL}
    if extra:
        raise Tampered(
            "PACKAGE-EXTRA-FILE",
            "the package holds a file that its manifest does not name",
            where=str(path / sorted(extra)[0]),
            hint="remove the file, or restore the package from a copy",
        )
    return manifest, {name: _read(path / name, want) for name, want in manifest.files.items()}


def read_seal(path: Path) -> str:
    """Return the digest that names the package in the folder `path`; raises Tampered."""
    file = path / SEAL
    try:
        return file.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise _changed(file) from error


def _read(file: Path, want: str) -> bytes:
    try:
        data = file.read_bytes()
    except OSError as error:
        raise Tampered(
            "PACKAGE-FILE-MISSING",
            "a file of the package cannot be read",
            where=str(file),
            hint="restore the package from a copy, or run the project again",
        ) from error
    if digest_of(data) != want:
        raise _changed(file)
    return data


def _changed(file: Path) -> Tampered:
    return Tampered(
        "PACKAGE-CHANGED",
        "the content of this file is not what the package was built with",
        where=str(file),
        hint="restore the package from a copy, or run the project again",
    )
