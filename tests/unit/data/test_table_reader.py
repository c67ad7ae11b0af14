"""A table read column by column: what `conform` makes of it, or no answer at all."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.data.columns import TableReader
from assay.data.conform import conform
from assay.data.raw import to_polars
from assay.data.row import RowReader, Unread
from assay.errors import AssayError
from assay.records.fitted import Field

KINDS = ("number", "boolean", "datetime", "category", "text", "id")
WORDS = st.sampled_from(
    ["", " ", "?", "n/a", "3", " 4.50 ", "1,234", "-7", "1e3", "inf", "nan", "yes", "NO", "True",
     "2024-02-29", "2024-02-30", "2024-01-01 10:00:00", "Île", "a.0", "12.0", "\x00", "-1", "x"]
)  # fmt: skip
PLAIN = {
    "number": st.none() | st.floats(allow_nan=False) | st.integers(-(2**70), 2**70) | WORDS,
    "boolean": st.none() | st.booleans() | st.integers(0, 2) | WORDS,
    "datetime": st.none() | WORDS,
    "category": st.none() | WORDS | st.booleans() | st.integers(-5, 5) | st.floats(-9, 9),
    "text": st.none() | WORDS,
    "id": st.none() | WORDS | st.integers(-5, 5),
}


def fields(kind: str) -> list[Field]:
    return [Field(name="x", type=kind, missing=True)]


def expected(cells: list[Any], kind: str, missing: list[str]) -> pl.DataFrame | None:
    """Return what `conform` makes of each cell alone, None where it refuses one."""
    try:
        parts = [conform(to_polars({"x": [cell]}), fields(kind), missing=missing) for cell in cells]
    except AssayError:
        return None
    return pl.concat(parts)


@settings(max_examples=400, deadline=None)
@given(st.data(), st.sampled_from(KINDS), st.sampled_from([[], ["-1", "x"]]))
def test_lists_of_cells_are_read_as_each_cell_is(data, kind, missing):
    cells = data.draw(st.lists(PLAIN[kind], min_size=1, max_size=8))
    wanted = expected(cells, kind, missing)
    reader = TableReader(fields(kind), missing)
    try:
        found = reader.read({"x": cells, "more": cells})
    except Unread:
        return  # `conform` is asked for all of it
    assert wanted is not None
    assert found.equals(wanted), (cells, found, wanted)
    assert found.schema == wanted.schema


FRAMES = {
    "floats": pl.Series([1.5, 2.0, -0.0]),
    "gaps": pl.Series([1.5, None, float("nan")]),
    "small": pl.Series([1, 2, 3], dtype=pl.UInt8),
    "large": pl.Series([2**62, 3, -1]),
    "text": pl.Series(["3", " 4 ", "n/a"]),
    "truth": pl.Series([True, False, None]),
    "days": pl.Series([date(2024, 1, 1), None]),
    "times": pl.Series([datetime(2024, 1, 1, 3)]).dt.replace_time_zone("Europe/Paris"),
    "levels": pl.Series(["a", "b", None], dtype=pl.Categorical),
    "empty": pl.Series([], dtype=pl.Float64),
    "nothing": pl.Series([None, None]),
    "decimals": pl.Series(["1.5", "2.25"]).cast(pl.Decimal(10, 2)),
}


@pytest.mark.parametrize("name", FRAMES)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("missing", [[], ["3"]])
def test_typed_columns_are_read_as_conform_reads_them(name, kind, missing):
    frame = pl.DataFrame({"x": FRAMES[name]})
    try:
        wanted = conform(frame, fields(kind), missing=missing)
    except AssayError:
        with pytest.raises(Unread):
            TableReader(fields(kind), missing).read(frame)
        return
    found = TableReader(fields(kind), missing).read(frame)
    assert found.equals(wanted)
    assert found.schema == wanted.schema


def test_a_column_that_is_not_there_is_not_read():
    with pytest.raises(Unread):
        TableReader(fields("number"), []).read({"y": [1]})


def test_columns_come_in_the_order_of_the_fields():
    two = [Field(name=name, type="number", missing=False) for name in ("a", "b")]
    assert TableReader(two, []).read({"b": [1], "more": [[]], "a": [2]}).columns == ["a", "b"]


@pytest.mark.parametrize("cells", [[[1], [2]], [{"a": 1}], [b"x"], [object()], [1, [2]]])
@pytest.mark.parametrize("kind", KINDS)
def test_cells_of_other_kinds_are_left_to_conform(cells, kind):
    with pytest.raises(Unread):
        TableReader(fields(kind), []).read({"x": cells})


def test_a_decimal_comma_is_read_as_training_read_it():
    field = Field(name="x", type="number", missing=False, reading="decimal-comma")
    found = TableReader([field], []).read({"x": ["1,5", "1.234", "7"]})
    assert found["x"].to_list() == [1.5, 1234.0, 7.0]
    row = RowReader([field], [])
    assert [row.read({"x": text})[0] for text in ("1,5", "1.234", "7")] == [1.5, 1234.0, 7.0]


LISTED = ("a", "x", "12.0", " b", "?", "True", "Île", "")


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.none() | st.sampled_from(LISTED) | WORDS, min_size=1, max_size=8),
    st.sampled_from([[], ["x"]]),
)
def test_a_column_of_known_categories_is_read_as_any_other(cells, missing):
    field = Field(name="x", type="category", missing=True, categories=LISTED)
    frame = pl.DataFrame({"x": pl.Series(cells, dtype=pl.String)})
    found = TableReader([field], missing).read(frame)
    assert found.equals(conform(frame, [field], missing=missing)), cells


@pytest.mark.parametrize("kind", KINDS)
def test_a_column_of_text_without_any_has_the_type_of_its_field(kind):
    frame = pl.DataFrame({"x": pl.Series([None, None], dtype=pl.String)})
    found = TableReader(fields(kind), []).read(frame)
    assert found.schema == conform(frame, fields(kind), missing=[]).schema
