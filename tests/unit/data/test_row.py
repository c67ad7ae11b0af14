"""One row read without a frame is what `conform` makes of it, or is left to `conform`."""

from __future__ import annotations

import math
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.data.conform import conform
from assay.data.raw import to_polars
from assay.data.row import RowReader, Unread
from assay.errors import AssayError
from assay.records.fitted import Field

TYPES = ("number", "category", "boolean", "datetime", "text")
ODD = [
    None, True, False, 0, 1, -1, 3, 2**53 + 1, 2**70, 0.0, -0.0, 1.0, 0.5, -9.0, 1e16, 1e-7, 1e300,
    math.nan, math.inf, "", " ", "?", "NA", "n.a.", "none", "-9", "unknown", "3", "3.0", "+3.0",
    " 3 ", "1,234.5", "1.234,5", "1e5", "1e999", "€ 12", "12%", "٣", "٣.0", "1_000", ".5",
    "5.", "inf", "-0",
    "000123", "12345678901234567890.5", "0.1234567890123456789", "TRUE", "False", "yes", "No",
    "ON", "t",
    "Łódź", "\u00a0x", "x\u2003", "\x1cx", "a\x00b", "İ", "ﬁ", "2020-01-31", "2020-02-30",
    "0000-01-01",
    "2020-01-31 10:30:00", "2020-01-31T10:30:00Z", "2020-01-31 25:00:00", "1/2/2020",
    "31.1.2020", "Jan 31, 2020", "2020-W01-1",
    datetime(2020, 1, 31, 10, 30, 0, 123456), datetime(1, 1, 1), datetime(9999, 12, 31),
    datetime(2020, 1, 31, tzinfo=UTC), datetime(2020, 1, 31, tzinfo=timezone(timedelta(hours=5.5))),
    date(1969, 7, 20), timedelta(hours=1), Decimal("1.5"), np.float64(2.0), np.float32(0.1),
    np.int8(3), np.bool_(True), np.float64(-9.0), np.float64("nan"), np.int64(-9), np.int64(2**60),
    [1], (), {"a": 1}, b"x",
]  # fmt: skip
MISSING = ("-9", "unknown")


def field(kind: str, reading: str = "") -> Field:
    return Field(name="x", type=kind, missing=True, reading=reading)


def framed(row: dict[str, Any], fields: list[Field]) -> list[object]:
    """Return what `conform` makes of a row, in the form of `Predictor.row`."""
    readings = {f.name: f.reading for f in fields}
    frame = conform(to_polars(row), fields, missing=MISSING, readings=readings)
    assert frame.height == 1
    cells: list[object] = []
    for f in fields:
        cell = frame[f.name]
        found = cell.cast(pl.Int64).item() if f.type == "datetime" else cell.item()
        cells.append(math.nan if f.type == "number" and found is None else found)
    return cells


def same(one: list[object], other: list[object]) -> bool:
    return [(type(x), repr(x)) for x in one] == [(type(x), repr(x)) for x in other]


def check(row: dict[str, Any], fields: list[Field]) -> None:
    reader = RowReader(fields, MISSING)
    try:
        found = reader.read(row)
    except Unread:
        return
    assert same(found, framed(row, fields)), row
    assert same(reader.read(row), found)  # from memory too


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("value", ODD, ids=repr)
def test_every_odd_cell_is_read_as_in_a_frame(kind: str, value: object) -> None:
    for reading in ("", "decimal-comma", "day-first"):
        check({"x": value}, [field(kind, reading)])


def test_most_odd_cells_are_read_at_all() -> None:
    """The comparisons pass over what is left to a frame, so that must be the exception."""
    read, fine = 0, 0
    for kind in TYPES:
        for value in ODD:
            with suppress(AssayError, AssertionError):
                framed({"x": value}, [field(kind)])
                fine += 1
                with suppress(Unread):
                    RowReader([field(kind)], MISSING).read({"x": value})
                    read += 1
    assert read > fine / 2 > 0


def test_plain_cells_are_read_without_a_frame() -> None:
    fields = [Field(name=kind, type=kind, missing=True) for kind in TYPES]
    row = {
        "number": "12.5", "category": 3, "boolean": "yes", "datetime": "2020-01-31", "text": " hi "
    }  # fmt: skip
    moment = 1_580_428_800_000_000
    assert RowReader(fields, ()).read(row) == [12.5, "3", True, moment, "hi"]


@pytest.mark.parametrize("rest", ["T10:30", "T10:30:00", "T10:30:00.000Z", " 11:30:00+01:00"])
def test_a_time_as_json_has_it_is_read_without_a_frame(rest: str, monkeypatch: Any) -> None:
    reader = RowReader([field("datetime")], ())
    monkeypatch.setattr("assay.data.row.conform", None)
    assert reader.read({"x": f"2020-01-31{rest}"}) == [1_580_466_600_000_000]


@pytest.mark.parametrize("row", [{}, {"x": [1, 2]}, {"x": 1, "y": [1, 2]}, {"x": "word"}])
def test_what_is_not_one_row_of_these_columns_is_left_alone(row: dict[str, Any]) -> None:
    with pytest.raises(Unread):
        RowReader([field("number")], ()).read(row)


cells = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=8),
    st.from_regex(r"\s?[+-]?[0-9]{0,3}[.,]?[0-9]{0,3}(e[+-]?[0-9]{1,3})?\s?", fullmatch=True),
    st.from_regex(r"[0-9]{4}-[0-9]{2}-[0-9]{2}( [0-9]{2}:[0-9]{2}:[0-9]{2})?", fullmatch=True),
    st.from_regex(
        r"20[0-9]{2}-0[1-9]-[0-2][0-9][ T][0-2][0-9]:[0-5][0-9](:[0-6][0-9](\.[0-9]{1,7})?)?"
        r"(Z|[+-][0-2][0-9]:[0-6][0-9])?",
        fullmatch=True,
    ),
    st.sampled_from(["nan", "NaN", "true", "TRUE", "False", "1.0", "-1.0", "off", "na", "N/A"]),
    st.datetimes(),
    st.dates(),
)


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(TYPES), cells)
def test_any_cell_is_read_as_in_a_frame(kind: str, value: object) -> None:
    check({"x": value}, [field(kind)])


def test_what_conform_refuses_is_never_read() -> None:
    for kind in TYPES:
        for value in ODD:
            try:
                framed({"x": value}, [field(kind)])
            except (AssayError, AssertionError):
                with pytest.raises(Unread):
                    RowReader([field(kind)], MISSING).read({"x": value})
