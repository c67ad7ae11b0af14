"""What is asked for, and a page before its template is filled."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

from assay.errors import UsageError

LONGEST = 200
"""Characters of a value in a query; no name is longer."""

Crumb = tuple[str, str]
"""What a step of the way says, and where it leads; "" for where one is."""


@dataclass(frozen=True)
class Asked:
    """A request for a page: the named parts of its path, and its query."""

    path: str
    parts: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)

    def of(self, name: str) -> str:
        """Return a value of the query, "" without one."""
        return self.query.get(name, "")

    def number(self, name: str, otherwise: int = 0) -> int:
        """Return a whole number of the query, at least 0."""
        text = self.query.get(name, "")
        return int(text) if text.isdecimal() and text.isascii() and len(text) < 10 else otherwise

    def link(self, **changes: object) -> str:
        """Return this address with other values in its query; "" leaves one out."""
        values = {**self.query, **{name: str(value) for name, value in changes.items()}}
        kept = {name: value for name, value in values.items() if value}
        return f"{self.path}?{urlencode(kept)}" if kept else self.path


@dataclass(frozen=True)
class Page:
    """A template, what it is filled with, and where it stands among the pages."""

    template: str
    title: str
    values: Mapping[str, Any]
    crumbs: tuple[Crumb, ...] = ()
    status: int = 200


@dataclass(frozen=True)
class Document:
    """A page with its own style inside, such as a report.

    `make` returns its HTML; it reads records and the log, but not the index, and may take long.
    """

    make: Callable[[], str]


def query_of(text: str) -> dict[str, str]:
    """Return the first value of each name in a query; one that is overdone counts as none."""
    try:
        pairs = parse_qsl(text, max_num_fields=40)
    except ValueError:
        return {}
    found: dict[str, str] = {}
    for name, value in pairs:
        found.setdefault(name, value.strip()[:LONGEST])
    return found


def link(*parts: object) -> str:
    """Return a path of these segments, each quoted whole."""
    return "/" + "/".join(quote(str(part), safe="") for part in parts)


def missing(what: str, got: str) -> UsageError:
    """Return the error for something that is not in the store."""
    return UsageError(
        "UI-NOT-FOUND",
        f"there is no such {what} in this store",
        got=got[:LONGEST],
        hint="the lists show what there is",
    )
