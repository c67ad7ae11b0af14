"""Cells that are hardly what they seem: default values, mixed units, and far outliers."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import numpy as np
import polars as pl

from assay.data.audit.score import LARGEST, Floats
from assay.data.audit.subject import Subject, percent, records, show
from assay.data.audit.values.units import Mixture, unit_mixture
from assay.records.audit import Finding

FEWEST = 30
"""Filled cells below which a column shows nothing unusual."""
SPIKE = 3
"""Cells from which a default value is more than a slip."""
SENTINELS = frozenset(
    sign * number
    for sign in (1.0, -1.0)
    for number in (*(10.0**digits - 1 for digits in range(2, 13)), 32767.0, 2147483647.0)
) | {-32768.0, -2147483648.0}
"""Numbers that people write for "unknown" because no measurement comes near them."""
NEGATIVES = frozenset({-1.0, -2.0, -8.0, -9.0}) | {number for number in SENTINELS if number < 0}
DATES = tuple(
    datetime(*day, tzinfo=UTC)
    for day in (
        (1, 1, 1), (1753, 1, 1), (1899, 12, 30), (1899, 12, 31), (1900, 1, 1), (1901, 1, 1),
        (1904, 1, 1), (1970, 1, 1), (1980, 1, 1), (2000, 1, 1), (2099, 12, 31), (2100, 1, 1),
        (9999, 12, 31),
    )
)  # fmt: skip
"""The first and last days of calendars of computers and forms."""
HALF_YEAR = 182 * 86_400 * 1_000_000
WORDS = (
    "missing", "unknown", "undefined", "unspecified", "not available", "not applicable",
    "not provided", "not specified", "not known", "no answer", "no data", "tbd", "todo", "dummy",
    "xx", "xxx", "xxxx", "k.a.", "keine angabe", "unbekannt", "inconnu", "non renseigné",
    "desconocido", "sconosciuto",
)  # fmt: skip
"""Words that stand for no answer, in small letters, beside those that are read as missing."""
MOST_ZEROS = 0.35
NARROW = 6.0
"""A column is near its middle when its 95th percentile is at most so many times its 5th."""
STEPS = 4
"""Usual steps between values that the lowest of them must be away from 0."""
EXAMPLES = 5
LIMIT = 0.1
"""Cells expected beyond the fence if the tail goes on as a power law."""
FEWEST_SIDE = 100
LEAST_RATIO = 1.2


def unusual(subject: Subject) -> Iterator[Finding]:
    """Find default values, mixed units and far outliers, column by column.

    A column of mixed units has no outliers of its own, and default values are neither.
    """
    names = subject.features
    if not subject.problem.classes:
        names = (*names, subject.problem.target)
    for name in names:
        values = subject.sampled[name].drop_nulls()
        if len(values) < FEWEST:
            continue
        if values.dtype.is_numeric():
            yield from _numbers(subject, name, values.cast(pl.Float64).to_numpy())
        elif values.dtype.is_temporal():
            yield from _dates(subject, name, values)
        elif values.dtype == pl.String:
            yield from _words(subject, name, values)


def _numbers(subject: Subject, name: str, values: Floats) -> Iterator[Finding]:
    values = values[np.abs(values) < LARGEST]
    defaults = default_numbers(values)
    for value in defaults:
        yield _default(subject, name, value, impossible=value == 0)
    rest = values[~np.isin(values, defaults)]
    if len(rest) < FEWEST:
        return
    mixture = unit_mixture(rest)
    if mixture is not None:
        yield _units(subject, name, mixture, defaults)
        return
    yield from _outliers(subject, name, rest, defaults)


def default_numbers(values: Floats) -> list[float]:
    """Return the values of a column (n,) that look like a stand-in for "unknown".

    Sentinels such as 999 that stand alone at an end; a negative number at the foot of a column
    without others, with a spike of its own or far from the rest; zeros where all the rest is far.
    """
    found = []
    distinct, counts = np.unique(values, return_counts=True)
    peeled = True
    while peeled and len(distinct) > 3:
        peeled = False
        for end, near, keep in ((-1, -2, slice(None, -1)), (0, 1, slice(1, None))):
            if len(distinct) > 3 and _stands_alone(distinct, counts, end, near):
                found.append(float(distinct[end]))
                distinct, counts = distinct[keep], counts[keep]
                peeled = True
    if len(distinct) > 10 and counts[0] >= SPIKE:
        far = _far_from_zero(distinct[1:], counts[1:], int(counts[0]))
        lonely = distinct[0] in NEGATIVES and distinct[1] >= 0
        spike = counts[0] >= 2 * np.median(counts[1:6])
        if (lonely and (far or spike)) or (distinct[0] == 0 and far):
            found.append(float(distinct[0]))
    return found


def _stands_alone(distinct: Floats, counts: Any, end: int, near: int) -> bool:
    """Return True for a sentinel farther from the rest than half of what the rest spans."""
    others = distinct[:-1] if end == -1 else distinct[1:]
    gap = abs(float(distinct[end] - distinct[near]))
    return bool(
        distinct[end] in SENTINELS
        and counts[end] >= SPIKE
        and gap > 0.5 * float(others[-1] - others[0])
    )


def _far_from_zero(distinct: Floats, counts: Any, others: int) -> bool:
    """Return True when sorted values are narrow and far from 0, and the other cells are few."""
    low, middle, high = np.quantile(np.repeat(distinct, counts), [0.05, 0.5, 0.95])
    few = others <= MOST_ZEROS * (others + counts.sum())
    far = distinct[0] >= max(0.25 * middle, STEPS * np.median(np.diff(distinct)))
    return bool(few and far and high <= NARROW * low)


def _default(subject: Subject, name: str, value: float, *, impossible: bool) -> Finding:
    column = subject.table[name]
    rest = column.filter(column != value)
    cells = int((column == value).sum())
    why = "although all other values are far from 0" if impossible else "far from what else it has"
    if not impossible and value in NEGATIVES and rest.min() >= 0:  # type: ignore[operator]  # a number
        why = "although no other value is negative"
    return Finding(
        code="DEFAULT-VALUE",
        severity="note" if impossible else "warning",
        where=name,
        message=f"{cells:,} cells of {name} ({percent(cells / max(column.count(), 1))}) are "
        f"exactly {value:g}, {why}: it may stand for an unknown value.",
        evidence={
            "value": show(value),
            "cells": cells,
            "lowest_other": show(rest.min()),
            "highest_other": show(rest.max()),
        },
        hint=f'if {value:g} means that nothing is known, add "{value:g}" to data.missing (it holds '
        "for all columns), or correct it in the source",
    )


def _dates(subject: Subject, name: str, values: pl.Series) -> Iterator[Finding]:
    stamps = values.cast(pl.Datetime("us")).to_physical().to_numpy()
    distinct, counts = np.unique(stamps, return_counts=True)
    known = {int(day.timestamp()) * 1_000_000 for day in DATES}
    usual = float(np.median(counts))
    for end, near in ((0, 1), (-1, -2)) if len(distinct) > 3 else ():
        alone = abs(int(distinct[end]) - int(distinct[near])) > HALF_YEAR
        if distinct[end] in known and alone and counts[end] >= max(SPIKE, 2 * usual):
            day = pl.Series([int(distinct[end])]).cast(pl.Datetime("us"))[0].date()
            column = subject.table[name].cast(pl.Datetime("us"))
            cells = int((column.to_physical() == int(distinct[end])).sum())
            rest = column.filter(column.to_physical() != int(distinct[end]))
            yield Finding(
                code="DEFAULT-VALUE",
                severity="warning",
                where=name,
                message=f"{cells:,} cells of {name} ({percent(cells / max(column.count(), 1))}) "
                f"are {day}, far from all other dates: it may stand for an unknown date.",
                evidence={
                    "value": str(day),
                    "cells": cells,
                    "earliest_other": show(rest.min()),
                    "latest_other": show(rest.max()),
                },
                hint=f'if {day} means that nothing is known, add "{day}" to data.missing',
            )


def _words(subject: Subject, name: str, values: pl.Series) -> Iterator[Finding]:
    tidy = values.str.strip_chars().str.to_lowercase()
    hits = values.filter(tidy.is_in(WORDS))
    if len(hits) < SPIKE:
        return
    words = hits.alias("word").value_counts(sort=True, name="rows").head(EXAMPLES)
    yield Finding(
        code="DEFAULT-VALUE",
        severity="note",
        where=name,
        message=f"{percent(len(hits) / len(values))} of the cells of {name} hold a word such as "
        f'"{show(words["word"][0])}" that stands for no answer; a model takes it for a category.',
        evidence={
            **subject.basis,
            "cells": len(hits),
            "words": records(["word", "rows"], words.rows()),
        },
        hint="if it only means that nothing is known, add the word to data.missing; if having no "
        "answer tells something, leave it",
    )


def _units(subject: Subject, name: str, mixture: Mixture, defaults: list[float]) -> Finding:
    column = subject.table[name].cast(pl.Float64)
    column = column.set(column.is_in(defaults), None) if defaults else column
    inside = column > mixture.cut if mixture.above else column < mixture.cut
    inside = inside & (column > 0) if mixture.positive else inside
    rows = inside.fill_null(False).arg_true()
    cells = column[rows.head(EXAMPLES)]
    return Finding(
        code="UNIT-MIX",
        severity="warning",
        where=name,
        message=f"{len(rows):,} cells of {name} ({percent(len(rows) / max(column.count(), 1))}) "
        f"seem to be in another unit than the rest: {mixture.unit.words}. Converted, they are "
        "spread like the others.",
        evidence={
            "conversion": mixture.unit.name,
            "cells": len(rows),
            "typical_of_the_rest": show(mixture.typical),
            "typical_of_these": show(mixture.typical_other),
            "examples": records(
                ["row", name, "converted"],
                zip(
                    (rows.head(EXAMPLES) + 1).to_list(),
                    cells,
                    map(mixture.convert, cells),
                    strict=True,
                ),
            ),
        },
        hint="bring all cells to one unit in the source, or with features.transform",
    )


def _outliers(
    subject: Subject, name: str, values: Floats, defaults: list[float]
) -> Iterator[Finding]:
    low, high = fences(values)
    column = subject.table[name].cast(pl.Float64)
    outside = ((column < low) | (column > high)) & column.is_finite()
    if defaults:
        outside = outside & ~column.is_in(defaults)
    rows = outside.fill_null(False).arg_true()
    if not len(rows):
        return
    middle = float(np.median(values))
    cells = column[rows]
    worst = (cells - middle).abs().arg_sort(descending=True)[:EXAMPLES]
    far = bool(((cells < 10 * low - 9 * middle) | (cells > 10 * high - 9 * middle)).any())
    usual = np.quantile(values, [0.01, 0.99])
    yield Finding(
        code="OUTLIERS",
        severity="warning" if far else "note",
        where=name,
        message=f"{len(rows):,} {'cell' if len(rows) == 1 else 'cells'} of {name} "
        f"({percent(len(rows) / max(column.count(), 1))}) {'lies' if len(rows) == 1 else 'lie'} "
        "far outside the rest, farther than its tail leads one to expect.",
        evidence={
            "cells": len(rows),
            "usual_from": show(float(usual[0])),
            "usual_to": show(float(usual[1])),
            "expected_from": show(low) if np.isfinite(low) else "no limit",
            "expected_to": show(high) if np.isfinite(high) else "no limit",
            "farthest": records(
                ["row", name], zip((rows[worst] + 1).to_list(), cells[worst], strict=True)
            ),
        },
        hint="look whether they are slips (a lost decimal point, another unit) and correct them in "
        "the source; true extremes may stay",
    )


def fences(values: Floats) -> tuple[float, float]:
    """Return the ends beyond which less than 0.1 cell of a column (n,) is expected.

    The tail on each side of the median is taken as a power law, the heaviest there is in practice,
    through the 90th and 97.5th percentile of the distances on that side, so heavy tails have far
    fences and up to 2.5 % of wild cells do not move them. A side with few cells has no fence.
    Source: Hill 1975, Annals of Statistics 3, with two quantiles in place of the mean.
    """
    middle = np.median(values)
    ends = []
    for side in (-1, 1):
        distance = side * (values - middle)
        distance = distance[distance > 0]
        if len(distance) < FEWEST_SIDE or len(np.unique(distance[:1000])) < 10:
            ends.append(side * np.inf)
            continue
        near, far = np.quantile(distance, [0.9, 0.975])
        slope = np.log(max(far / near, LEAST_RATIO)) / np.log(4)
        reach = far * (0.025 * len(distance) / LIMIT) ** slope
        ends.append(middle + side * max(float(reach), float(far)))
    return float(ends[0]), float(ends[1])
