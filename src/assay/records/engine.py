"""The software that trains: part of the key of every fit."""

from __future__ import annotations

from assay.records.base import Record


class Engine(Record, frozen=True, kw_only=True, tag="engine@1"):
    """Versions of Assay, of the family, of Python and of the libraries that decide the numbers."""

    assay: str
    family: str
    python: str
    libraries: dict[str, str]
