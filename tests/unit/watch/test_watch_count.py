"""Windows counted over the cells of a profile: each value in its cell; parts add up."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from profiled import fields_of, plainly

from assay.watch.columns import count as counting
from assay.watch.columns.build import profile_columns
from assay.watch.columns.count import absent, codes, count
from assay.watch.columns.form import NEVER_SEEN, RARE, Counts

NUMBERS = st.one_of(
    st.none(),
    st.floats(),
    st.integers(-3, 3).map(float),
    st.sampled_from([0.1, 0.1 + 2**-55, 1e308, -1e308, 5e-324, -0.0]),
)
WORDS = st.one_of(
    st.none(), st.sampled_from(["a", "b", "ä", "", "日本", "a "]), st.text(max_size=3)
)


def table(numbers, words):
    return pl.DataFrame({"x": numbers, "w": words}, schema={"x": pl.Float64, "w": pl.String})


def same(one: Counts, other: Counts) -> bool:
    return (
        one.rows == other.rows
        and one.cells.keys() == other.cells.keys()
        and all(np.array_equal(one.cells[n], other.cells[n]) for n in one.cells)
    )


@given(st.lists(NUMBERS, max_size=60), st.lists(NUMBERS, max_size=60))
def test_each_number_falls_into_its_bin(seen, now):
    frame = pl.DataFrame({"x": pl.Series(seen, dtype=pl.Float64)})
    (column,) = profile_columns(frame, fields_of(frame))
    window = pl.DataFrame({"x": pl.Series([*now, *column.edges], dtype=pl.Float64)})
    wanted = plainly(column, window["x"].to_list())
    assert count([column], window).cells["x"].tolist() == wanted
    found = codes([column], window)[:, 0]
    assert np.bincount(found, minlength=len(column.counts)).tolist() == wanted
    assert list(column.counts) == plainly(column, seen)


@given(st.lists(WORDS, max_size=40), st.lists(WORDS, max_size=40))
def test_each_word_falls_into_its_cell(seen, now):
    frame = pl.DataFrame({"w": pl.Series(seen, dtype=pl.String)})
    (column,) = profile_columns(frame, fields_of(frame))
    window = pl.DataFrame({"w": pl.Series(now, dtype=pl.String)})
    cells = dict(zip(column.labels, count([column], window).cells["w"].tolist(), strict=True))
    known = set(seen) - {None}
    for name in column.values:
        assert cells[name] == now.count(name)
    assert cells.get(RARE, 0) == sum(w in known and w not in column.values for w in now)
    assert cells[NEVER_SEEN] == sum(w is not None and w not in known for w in now)
    found = codes([column], window)[:, 0]
    assert np.bincount(found, minlength=len(cells)).tolist() == list(cells.values())


@given(
    st.lists(st.tuples(NUMBERS, WORDS), max_size=60),
    st.lists(st.integers(0, 60), max_size=4),
    st.sampled_from([1, 3, 1 << 15]),
)
def test_parts_add_up_to_the_whole(rows, cuts, chunk):
    numbers, words = [row[0] for row in rows], [row[1] for row in rows]
    frame = table(numbers, words)
    columns = profile_columns(frame, fields_of(frame))
    ends = [0, *sorted(min(cut, len(rows)) for cut in cuts), len(rows)]
    parts = [frame[a:b] for a, b in pairwise(ends)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(counting, "CHUNK", chunk)
        whole = count(columns, frame)
        merged = sum((count(columns, part) for part in parts), Counts())
    assert same(merged, whole)
    finite = [x for x in numbers if x is not None and math.isfinite(x)]
    n, total, _, low, high = merged.moments["x"].tolist()
    assert n == len(finite)
    if finite:
        assert (low, high) == (min(finite), max(finite))
        most = max(map(abs, finite))
        if most < 1e300:
            assert total == pytest.approx(math.fsum(finite), rel=1e-9, abs=1e-6 * most)


def test_counts_of_one_column_are_kept_beside_those_of_both():
    one = Counts(1, {"a": np.array([1])}, {"a": np.array([1.0, 2.0, 4.0, 2.0, 2.0])})
    other = Counts(2, {"a": np.array([2]), "b": np.array([5])}, {"a": np.array([2.0, 2, 2, 1, 1])})
    both = one + other
    assert (both.rows, both.cells["a"].tolist(), both.cells["b"].tolist()) == (3, [3], [5])
    assert both.moments["a"].tolist() == [3.0, 4.0, 6.0, 1.0, 2.0]


def test_a_column_that_is_not_there_is_missing_in_every_row():
    frame = table([1.0, 2.0, 3.0], ["a", "a", "b"])
    columns = profile_columns(frame, fields_of(frame))
    window = frame.drop("x").with_columns(other=1)
    found = count(columns, window)
    assert absent(columns, window) == ("x",)
    assert found.cells["x"].tolist() == [0] * (len(columns[0].counts) - 1) + [3]
    assert codes(columns, window)[:, 0].tolist() == [columns[0].bins + 1] * 3
    assert "other" not in found.cells
    assert absent(columns, frame) == ()


@pytest.mark.parametrize("rows", [0, 1])
def test_a_window_of_hardly_any_row(rows):
    frame = table([1.0, 2.0, 2.0], ["a", "a", None])
    columns = profile_columns(frame, fields_of(frame))
    found = count(columns, frame[:rows])
    assert found.rows == rows
    assert [int(cells.sum()) for cells in found.cells.values()] == [rows, rows]
    assert codes(columns, frame[:rows]).shape == (rows, 2)


def test_dates_are_counted_by_the_moment_whatever_zone_they_are_written_in():
    days = [datetime(2024, 1, 1) + timedelta(days=d) for d in range(40)]
    naive = pl.DataFrame({"at": days})
    (column,) = profile_columns(naive, fields_of(naive, at="datetime"))
    assert column.kind == "number"
    assert column.low == datetime(2024, 1, 1, tzinfo=UTC).timestamp()
    zoned = naive.with_columns(
        pl.col("at").dt.replace_time_zone("UTC").dt.convert_time_zone("Asia/Tokyo")
    )
    whole = pl.DataFrame({"at": [day.date() for day in days]})
    for window in (zoned, whole, naive.with_columns(pl.col("at").cast(pl.Datetime("ms")))):
        assert count([column], window).cells["at"].tolist() == list(column.counts)
    later = pl.DataFrame({"at": [date(2030, 1, 1), None]})
    assert count([column], later).cells["at"].tolist()[-3:] == [1, 0, 1]


def test_booleans_are_two_categories():
    frame = pl.DataFrame({"b": [True, False, None, True, False]})
    (column,) = profile_columns(frame, fields_of(frame))
    assert column.labels == ("false", "true", NEVER_SEEN, "missing")
    words = pl.DataFrame({"b": ["true", "false", "maybe", None]})
    assert count([column], words).cells["b"].tolist() == [1, 1, 1, 1]


def test_text_in_a_column_of_numbers_fits_no_bin():
    frame = pl.DataFrame({"x": [1.0, 2.0, 3.0]})
    (column,) = profile_columns(frame, fields_of(frame))
    window = pl.DataFrame({"x": ["1", "1.5", "twelve", None]})
    found = count([column], window).cells["x"].tolist()
    assert found == plainly(column, [1.0, 1.5, float("inf"), None])


def test_enums_and_categoricals_count_as_their_words():
    frame = pl.DataFrame({"w": ["a", "b", "a", None]})
    (column,) = profile_columns(frame, fields_of(frame))
    wanted = count([column], frame).cells["w"].tolist()
    for dtype in (pl.Categorical(), pl.Enum(["b", "a"])):
        assert count([column], frame.cast(dtype)).cells["w"].tolist() == wanted
