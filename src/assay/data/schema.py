"""Which type a column has, judged by all of its values."""

from __future__ import annotations

import re
from dataclasses import dataclass

import polars as pl

from assay.data.coerce import (
    DAY_FIRST,
    DECIMAL_COMMA,
    FALSE,
    TRUE,
    matches_comma,
    matches_point,
)
from assay.data.dates import may_be_dates, parse_dates, recognise
from assay.errors import DataError
from assay.records.snapshot import ColumnType, names_an_id

SAMPLE = 500
"""How many values are looked at before a test that reads them all."""

ID_ROWS = 20
"""Fewer rows than this show nothing about whether a column numbers them."""

_COUNTS_NAME = re.compile(r"year|month|week|day|hour|age|date|time", re.I)
_LEADING_ZERO = r"^0\d"
_CODE = r"^\S*\d\S*$"


@dataclass(frozen=True)
class Inferred:
    """A column's type, the reading that its ambiguous cells need, and what was undecided.

    `note` names the cleaning rule that says how dates were taken.
    """

    type: ColumnType
    reading: str = ""
    note: str = ""


def infer(series: pl.Series, *, is_target: bool = False) -> Inferred:
    """Return the type of a tidy column.

    A target is never text or id, and boolean only where its cells are: yes and no keep the
    spelling they have.

    Raises:
        DataError: its dates are written in too many ways (DATA-DATE-FORMATS).
    """
    found = _infer_typed(series) if series.dtype != pl.String else _infer_text(series)
    if not is_target or found.type in ("number", "datetime") or series.dtype == pl.Boolean:
        return found
    numeric = found.type == "id" and series.cast(pl.Float64, strict=False).null_count() == 0
    return Inferred("number" if numeric else "category")


def _infer_typed(series: pl.Series) -> Inferred:
    if series.dtype == pl.Boolean:
        return Inferred("boolean")
    if isinstance(series.dtype, pl.Datetime):
        return Inferred("datetime")
    return Inferred("id" if numbers_rows(series) else "number")


def _infer_text(text: pl.Series) -> Inferred:
    full = text.drop_nulls()
    sample = full.unique(maintain_order=True) if len(full) <= SAMPLE else spread(full)
    number = _as_number(full, sample)
    if number is not None:
        numbers = number.reading == "" and numbers_rows(text.cast(pl.Float64, strict=False))
        return Inferred("id") if numbers else number
    if _is_boolean(sample) and _is_boolean(full.unique()):
        return Inferred("boolean")
    if may_be_dates(sample):
        dates = _as_dates(full)
        if dates is not None:
            return dates
    return Inferred(_kind_of_text(full, sample))


def spread(series: pl.Series, size: int = SAMPLE) -> pl.Series:
    """Return about `size` values taken at even distances."""
    return series.gather_every(max(1, len(series) // size))


def numbers_rows(series: pl.Series) -> bool:
    """Return True when whole numbers only tell rows apart: 1…n, or a unique key by name.

    A column of measurements is never one, nor is one that counts years, days or hours.
    """
    rows = len(series)
    if rows < ID_ROWS or series.null_count() or _COUNTS_NAME.search(series.name):
        return False
    if series.dtype.is_float():
        sample = spread(series)
        if not (sample.round() == sample).all():
            return False
        low, high = series.min(), series.max()
        if not (_finite(low) and _finite(high)) or not (series.round() == series).all():
            return False
    span = float(series.max()) - float(series.min()) + 1  # type: ignore[arg-type]  # numeric
    named = names_an_id(series.name)
    if span < rows or (not named and span > 2 * rows):
        return False
    return series.n_unique() >= (0.95 if named else 1.0) * rows


def _finite(value: object) -> bool:
    return isinstance(value, float | int) and abs(value) != float("inf")


def _as_number(full: pl.Series, sample: pl.Series) -> Inferred | None:
    """Return how to read the column as numbers, or None when some cell is none.

    Codes with leading zeros, such as postal codes, are not numbers.
    """
    if not _all_numbers(sample):
        return None
    if full.filter(full.str.starts_with("0")).str.contains(_LEADING_ZERO).any():
        return None
    if full.cast(pl.Float64, strict=False).null_count() == 0:
        return Inferred("number")
    distinct = full.unique()
    point, comma = matches_point(distinct), matches_comma(distinct)
    if point.all():
        return Inferred("number")
    return Inferred("number", DECIMAL_COMMA) if comma.all() else None


def _all_numbers(sample: pl.Series) -> bool:
    return bool(len(sample)) and bool(matches_point(sample).all() or matches_comma(sample).all())


def _is_boolean(distinct: pl.Series) -> bool:
    """Return True for both words of one pair, or the long word of one when it stands alone."""
    words = set(distinct.str.to_lowercase().unique().head(13).to_list())
    if not words or not words <= {*TRUE, *FALSE} or words <= {"0", "1"}:
        return False
    pair = any({yes, no} <= words for yes, no in zip(TRUE, FALSE, strict=True))
    return pair or (len(words) == 1 and words <= {"true", "false", "yes", "no"})


def _as_dates(full: pl.Series) -> Inferred | None:
    distinct = full.unique(maintain_order=True)
    dates = recognise(distinct)
    known = dates.names.is_not_null()
    if int(known.sum()) * 2 < len(distinct):
        return None
    ways = dates.names.drop_nulls().unique().sort().to_list()
    if len(ways) > 2 or any(way.endswith("first") for way in ways):
        raise _too_many_ways(distinct, dates.names, ways)
    if parse_dates(distinct, day_first=dates.day_first).null_count():
        return None
    if dates.day_first:
        return Inferred("datetime", DAY_FIRST, DAY_FIRST)
    if dates.undecided:
        return Inferred("datetime", "", "month-first")
    return Inferred("datetime", "", "date-forms" if len(ways) > 1 else "")


def _too_many_ways(distinct: pl.Series, names: pl.Series, ways: list[str]) -> DataError:
    examples = [f"{distinct.filter(names == way)[0]} ({way})" for way in ways]
    return DataError(
        "DATA-DATE-FORMATS",
        f"{distinct.name} writes its dates in {len(ways)} ways, so day and month are not certain",
        where=f"column {distinct.name}",
        got=examples,
        allowed=["one way, best 2020-01-31"],
        hint="write all dates as year-month-day, or keep the words as they are with "
        f'data.types: "{distinct.name}" = "category"',
    )


def _kind_of_text(full: pl.Series, sample: pl.Series) -> ColumnType:
    """Return text for sentences, id for codes that hardly repeat, else category."""
    if not len(full):
        return "category"
    words = (sample.str.count_matches(r"\s+") + 1).mean()
    length = sample.str.len_chars().mean()
    words = words if isinstance(words, float) else 1.0
    unique = full.n_unique() / len(full)
    long = isinstance(length, float) and length > 100
    if long or (words > 4 and unique > 0.5):
        return "text"
    codes = unique >= 0.9 and bool(sample.str.contains(_CODE).all())
    if (unique >= 0.95 or codes) and len(full) >= ID_ROWS:
        return "text" if words >= 2 else "id"
    return "category"
