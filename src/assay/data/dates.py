"""Dates as text: which way of writing each cell follows, and the moment it names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import polars as pl

_TIME = (
    r"(?:[T ]\s*(?P<h>\d{1,2}):(?P<min>\d{2})(?::(?P<s>\d{2}(?:\.\d{1,9})?))?"
    r"\s*(?P<half>[AaPp]\.?[Mm]\.?)?\s*(?P<zone>Z|UTC|GMT|[+-]\d{2}:?\d{2}|[+-]\d{2})?)?$"
)
_MONTH = r"(?P<m>(?i:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec))[A-Za-z]*\.?"
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MAYBE = r"^\s*(?:\d{1,4}\s*[-/. ]|[A-Za-z]{3,9}\.? \d)"
"""What every date starts with: cheap to try on a few cells before anything else."""


@dataclass(frozen=True)
class Form:
    """One way to write a date; `either` when day and month can change places."""

    name: str
    pattern: str
    either: bool = False


FORMS = (
    Form("2020-01-31", r"^(?P<y>\d{4})-(?P<m>\d{1,2})(?:-(?P<d>\d{1,2}))?" + _TIME),
    Form("2020/01/31", r"^(?P<y>\d{4})/(?P<m>\d{1,2})/(?P<d>\d{1,2})" + _TIME),
    Form("2020.01.31", r"^(?P<y>\d{4})\.(?P<m>\d{1,2})\.(?P<d>\d{1,2})" + _TIME),
    Form("31.01.2020", r"^(?P<d>\d{1,2})\.\s?(?P<m>\d{1,2})\.\s?(?P<y>\d{4}|\d{2})" + _TIME),
    Form("1/2/2020", r"^(?P<m>\d{1,2})/(?P<d>\d{1,2})/(?P<y>\d{4}|\d{2})" + _TIME, either=True),
    Form("1-2-2020", r"^(?P<m>\d{1,2})-(?P<d>\d{1,2})-(?P<y>\d{4}|\d{2})" + _TIME, either=True),
    Form(
        "Jan 31, 2020",
        "^" + _MONTH + r" (?P<d>\d{1,2})(?:st|nd|rd|th)?,? (?P<y>\d{4})" + _TIME,
    ),
    Form(
        "31 Jan 2020",
        r"^(?P<d>\d{1,2})(?:st|nd|rd|th|\.)?[- /]" + _MONTH + r"[,]?[- /](?P<y>\d{4})" + _TIME,
    ),
)


@dataclass(frozen=True)
class Dates:
    """How the cells of a column write dates.

    `cells` is parallel to the column: the name of the form, null where there is none. In a
    form whose day and month can change places, the cells that show the order say which
    (`1/2/2020 day first`), and the rest are counted as `undecided`.
    """

    names: pl.Series
    undecided: int
    day_first: bool


def may_be_dates(text: pl.Series) -> bool:
    """Return True when at least half of the cells of a sample start as a date does."""
    found = text.str.contains(_MAYBE).sum()
    return len(text) > 0 and found * 2 >= len(text) - text.null_count()


def recognise(text: pl.Series) -> Dates:
    """Say for each cell how it writes a date, and what the column shows of day and month."""
    names = pl.Series([None], dtype=pl.String).new_from_index(0, len(text))
    undecided, day_first = 0, False
    for form in FORMS:
        if not names.null_count():
            break
        mask = text.str.contains(form.pattern).fill_null(False)
        if not mask.any():
            continue
        label = pl.Series([form.name]).new_from_index(0, len(text))
        if form.either:
            parts = text.str.extract_groups(form.pattern).struct
            day = parts.field("m").cast(pl.Int32, strict=False).fill_null(0) > 12
            month = parts.field("d").cast(pl.Int32, strict=False).fill_null(0) > 12
            if day.any():
                day_first = True
            if day.any() and month.any():
                # Both orders occur, so they count as two ways to write a date.
                label = (label + " day first").zip_with(day, label + " month first")
            elif not day.any() and not month.any():
                undecided += int(mask.sum())
        names = names.zip_with(~mask, label)
    return Dates(names, undecided, day_first)


def parse_dates(text: pl.Series, *, day_first: bool) -> pl.Series:
    """Return moments in UTC (microseconds, no zone); null where a cell names none.

    `day_first` decides 1/2/2020; a part above 12 is the day whatever it says.
    """
    quick = _quick(text)
    if quick is not None:
        return quick
    moments = pl.Series(text.name, [None], pl.Datetime("us")).new_from_index(0, len(text))
    for form in FORMS:
        mask = text.str.contains(form.pattern).fill_null(False) & moments.is_null()
        if mask.all():
            return _moments(text, form, day_first)
        if mask.any():
            found = _moments(text.filter(mask), form, day_first)
            rows = mask.arg_true()
            moments = moments.scatter(rows, found)
    return moments


def _quick(text: pl.Series) -> pl.Series | None:
    """Read a column that is all 2020-01-31 or all 2020-01-31 10:30:00, ten times faster."""
    sizes = text.str.len_bytes()
    pattern = {10: "%Y-%m-%d", 19: "%Y-%m-%d %H:%M:%S"}.get(cast(int, sizes.max() or 0))
    if pattern is None or sizes.min() != sizes.max():
        return None
    moments = text.str.to_datetime(pattern, strict=False, time_unit="us")
    return moments if moments.null_count() == text.null_count() else None


def _moments(text: pl.Series, form: Form, day_first: bool) -> pl.Series:
    parts = text.str.extract_groups(form.pattern).struct.unnest()
    m, d, y = pl.col("m"), pl.col("d").fill_null("1"), pl.col("y")
    if form.pattern.find(_MONTH) >= 0:
        names = {name: str(i) for i, name in enumerate(_MONTHS, 1)}
        m = m.str.to_lowercase().replace_strict(names, default=None)
    if form.either:
        first, second = m.cast(pl.Int32), d.cast(pl.Int32)
        swap = (first > 12) | ((second <= 12) & day_first)
        m, d = pl.when(swap).then(d).otherwise(m), pl.when(swap).then(m).otherwise(d)
    short = y.str.len_bytes() == 2
    century = pl.when(y.cast(pl.Int32) <= 68).then(pl.lit("20")).otherwise(pl.lit("19"))
    y = pl.when(short).then(century + y).otherwise(y)
    day = pl.concat_str([y, pl.lit("-"), m, pl.lit("-"), d]).str.to_date("%Y-%m-%d", strict=False)
    return parts.select((day.cast(pl.Datetime("us")) + _clock()).alias(text.name)).to_series()


def _clock() -> pl.Expr:
    """Return the time since midnight UTC; null for an hour, minute or second that is none."""
    hour = pl.col("h").cast(pl.Int64).fill_null(0)
    half = pl.col("half").str.head(1).str.to_lowercase()
    hour = (
        pl.when(half == "p").then(hour % 12 + 12).when(half == "a").then(hour % 12).otherwise(hour)
    )
    minute = pl.col("min").cast(pl.Int64).fill_null(0)
    second = pl.col("s").cast(pl.Float64).fill_null(0.0)
    sign = pl.when(pl.col("zone").str.starts_with("-")).then(-1).otherwise(1)
    zone_hour = pl.col("zone").str.extract(r"^[+-](\d{2})").cast(pl.Int64).fill_null(0)
    zone_minute = pl.col("zone").str.extract(r"^[+-]\d{2}:?(\d{2})$").cast(pl.Int64).fill_null(0)
    valid = (hour < 24) & (minute < 60) & (second < 61)
    micros = (second * 1e6).round().cast(pl.Int64)
    shift = sign * (zone_hour * 60 + zone_minute)
    total = (hour * 60 + minute - shift) * 60_000_000 + micros
    return pl.when(valid).then(pl.duration(microseconds=total))
