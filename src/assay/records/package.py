"""A model as files without code, and its place in the registry."""

from __future__ import annotations

from assay.records.base import Record
from assay.records.fitted import Signature
from assay.records.report import Parity


class Code(Record, frozen=True, kw_only=True, tag="code@1"):
    """Python of the project's own that a package needs: where it is and its digest."""

    entry: str
    file: str
    digest: str


class Manifest(Record, frozen=True, kw_only=True, tag="manifest@1"):
    """The table of contents of a package: each file's digest; its own digest names the package."""

    name: str
    engine: str
    family: str
    files: dict[str, str]
    signature: Signature
    parity: Parity
    seal: str
    data: str
    code: Code | None = None


class Profiled(Record, frozen=True, kw_only=True, tag="profiled@1"):
    """What monitoring compares with later: the digest of the stored profile, and what is in it.

    `rows` are training rows; `columns` counts numbers and categories, so a text counts once for
    each of its views.
    """

    profile: str
    bytes: int
    rows: int
    columns: int

    def blobs(self) -> tuple[str, ...]:
        """Return the profile."""
        return (self.profile,)


class Package(Record, frozen=True, kw_only=True, tag="package@1"):
    """A finished package: verified, loaded once in a fresh process, and stored."""

    name: str
    digest: str
    path: str
    bytes: int
    parity: Parity


class ModelVersion(Record, frozen=True, kw_only=True, tag="model_version@1"):
    """One version of a named model."""

    name: str
    version: int
    package: str
    run: str
    verdict: str
    at: str
    aliases: tuple[str, ...] = ()
