"""Columns that carry no signal, too much identity, or mixed content."""

from __future__ import annotations

import re
from collections.abc import Iterator

import polars as pl

from assay.data.audit.subject import Subject, once, percent, records, show
from assay.records.audit import Finding

NEAR_UNIQUE = 0.95
"""Share of distinct values from which text identifies a row."""
LONGEST_ID = 40
"""Characters; longer values are prose."""
MOSTLY_MISSING = 0.5
EXAMPLES = 5

ID_NAME = re.compile(
    r"(^|[_\W])(id|uuid|guid|key|no|nr|num|number|code|index)$|[a-z](ID|Id|No|Nr|Number|Key|Code)$",
)
"""Names that people give to columns that say which, not what."""
ENTITY_NAME = re.compile(
    "^(account|client|customer|device|household|machine|member|patient|person|session|site|speaker"
    "|store|subject|user)$",
    re.IGNORECASE,
)
"""Names of whom or what a row is about."""


def constant_columns(subject: Subject) -> Iterator[Finding]:
    """Find features with the same value in every row."""
    for name in subject.features:
        column = subject.snapshot.column(name)
        if column.unique > 1 or (column.unique == 1 and column.missing):
            continue
        value = subject.table[name][0] if column.unique else None
        yield Finding(
            code="CONSTANT-COLUMN",
            severity="warning",
            where=name,
            message=f"The column {name} has the same value in every row, so no model can use it.",
            evidence={"rows": column.rows, "value": show(value)},
            hint=f"add {name} to data.drop",
        )


def missing_columns(subject: Subject) -> Iterator[Finding]:
    """Find features that are missing in at least half of the rows."""
    for name in subject.features:
        column = subject.snapshot.column(name)
        share = column.missing / max(column.rows, 1)
        if share >= MOSTLY_MISSING:
            yield Finding(
                code="HIGH-MISSING",
                severity="note",
                where=name,
                message=f"The column {name} is missing in {percent(share)} of the rows.",
                evidence={"rows": column.rows, "missing": column.missing, "share": show(share)},
                hint="find out why it is missing, and whether it will be when the model is used",
            )


def id_columns(subject: Subject) -> Iterator[Finding]:
    """Find features that name a row instead of describing it."""
    for name in id_like(subject):
        column = subject.snapshot.column(name)
        yield Finding(
            code="ID-COLUMN",
            severity="warning",
            where=name,
            message=f"The column {name} identifies a row ({column.unique:,} distinct values in "
            f"{column.rows - column.missing:,} rows); a model can only learn it by heart.",
            evidence={
                "distinct_values": column.unique,
                "rows": column.rows - column.missing,
                "examples": [show(value) for value in _examples(subject.table[name])],
            },
            hint=f"add {name} to data.drop, or group the split by it if its values repeat",
        )


@once
def id_like(subject: Subject) -> tuple[str, ...]:
    """Return the features that look like identifiers."""
    return tuple(name for name in subject.features if _is_id(subject, name))


def _is_id(subject: Subject, name: str) -> bool:
    column = subject.snapshot.column(name)
    present = column.rows - column.missing
    if present / 2 <= column.unique < present:  # a copy of a whole row says nothing about it
        present = subject.table[name].filter(subject.first).count()
    if present < 20 or column.unique < NEAR_UNIQUE * present:
        return False
    values = subject.sampled[name].drop_nulls()
    if column.type == "id":
        return True
    if values.dtype == pl.String:
        spaces = values.str.count_matches(" ").max()
        longest = values.str.len_chars().max()
        return bool(isinstance(spaces, int) and spaces < 2) and bool(
            isinstance(longest, int) and longest <= LONGEST_ID
        )
    if not values.dtype.is_numeric() or not bool((values == values.round()).all()):
        return False
    sequence = (column.high or 0) - (column.low or 0) < 1.5 * present
    return column.unique == present and (sequence or ID_NAME.search(name) is not None)


def mixed_columns(subject: Subject) -> Iterator[Finding]:
    """Find text columns most of whose cells are numbers."""
    for name in subject.features:
        values = subject.sampled[name].drop_nulls()
        if values.dtype != pl.String or values.len() == 0:
            continue
        words = values.filter(values.str.strip_chars().cast(pl.Float64, strict=False).is_null())
        share = 1 - words.len() / values.len()
        if not 0.5 <= share < 1:
            continue
        common = words.alias("cell").value_counts(sort=True, name="rows").head(EXAMPLES)
        yield Finding(
            code="MIXED-TYPES",
            severity="warning",
            where=name,
            message=f"{percent(share)} of the cells of {name} are numbers, but the column is read "
            "as text because of the rest.",
            evidence={
                "numbers": show(share),
                **subject.basis,
                "other_cells": records(["cell", "rows"], common.rows()),
            },
            hint=f"name the words that mean missing in data.missing, or set types.{name}",
        )


def _examples(values: pl.Series) -> list[object]:
    return values.drop_nulls().head(EXAMPLES).to_list()
