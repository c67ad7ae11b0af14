"""A finding's evidence, which is any plain JSON, as pairs and tables that a person can read."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from assay.report.text import number

MOST_ROWS = 12
MOST_COLUMNS = 8
_FIGURE = re.compile(
    r"[\d.,]+\s?(%|[A-Za-z]{1,2}\b)?|\b(to|and|of|yes|no|between)\b", re.IGNORECASE
)
_WORD = re.compile(r"[^\W\d_]")


@dataclass(frozen=True)
class Table:
    """A small table under a name; `more` counts the rows that are not shown."""

    name: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    more: int = 0


@dataclass(frozen=True)
class Evidence:
    """Single facts first, then tables."""

    pairs: tuple[tuple[str, str], ...]
    tables: tuple[Table, ...]


def readable(evidence: Mapping[str, Any]) -> Evidence:
    """Sort each entry into a fact (one value, or a short list) or a table."""
    pairs, tables = [], []
    for key, value in evidence.items():
        name = name_of(key)
        rows = rows_of(value)
        if rows is None:
            pairs.append((name, cell(value)))
        elif rows:
            tables.append(table_of(name, rows))
    return Evidence(tuple(pairs), tuple(tables))


def name_of(key: object) -> str:
    """Return the name of an entry as a person reads it."""
    return str(key).replace("_", " ")


def rows_of(value: Any) -> list[dict[str, Any]] | None:
    """Return a value as rows by column name, or None when it is not tabular."""
    if isinstance(value, Mapping):
        if value and all(isinstance(v, Mapping) for v in value.values()):
            return [{"": key, **row} for key, row in value.items()]
        return [{"": key, " ": v} for key, v in value.items()]
    if isinstance(value, Sequence) and not isinstance(value, str) and value:
        if all(isinstance(v, Mapping) for v in value):
            return [dict(v) for v in value]
        if all(isinstance(v, Sequence) and not isinstance(v, str) for v in value):
            return [{" " * i: v for i, v in enumerate(row)} for row in value]
    return None


def table_of(
    name: str,
    rows: list[dict[str, Any]],
    most: int = MOST_ROWS,
    widest: int = MOST_COLUMNS,
    *,
    ordered: bool = False,
) -> Table:
    """Return lines, each a mapping from heading to plain value, as a table.

    Of them `most` are shown, and `widest` of their columns; `ordered` columns stay where they are.
    """
    columns = list(dict.fromkeys(key for row in rows for key in row))
    if not ordered:
        # Evidence sorts its keys; a reader wants what a row is about before its numbers.
        columns.sort(key=lambda key: _rank(key, [row.get(key) for row in rows]))
    del columns[widest:]
    shown = tuple(tuple(cell(row[c]) if c in row else "" for c in columns) for row in rows[:most])
    header = tuple(str(c).replace("_", " ").strip() for c in columns)
    return Table(name, header if any(header) else (), shown, max(len(rows) - most, 0))


def _rank(key: object, values: list[Any]) -> int:
    """Return 0 for the number of a row, 1 for words, 2 for numbers, also such as `0.1 to 12 %`."""
    if str(key).lower() == "row":
        return 0
    texts = [value for value in values if isinstance(value, str)]
    return 1 if any(_WORD.search(_FIGURE.sub("", text)) for text in texts) else 2


def cell(value: Any) -> str:
    """Return one JSON value as text."""
    if value is None:
        return "missing"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return number(value)
    if isinstance(value, Sequence) and not isinstance(value, str):
        more = f" and {len(value) - MOST_ROWS} more" if len(value) > MOST_ROWS else ""
        return ", ".join(cell(v) for v in value[:MOST_ROWS]) + more
    if isinstance(value, Mapping):
        return ", ".join(f"{key}: {cell(v)}" for key, v in value.items())
    return str(value)
