"""What the profile keeps of a column: cells, names, ends; and what it does not keep."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from profiled import fields_of, plainly

from assay.errors import Tampered
from assay.records.fitted import Field
from assay.watch.columns.build import Detail, profile_columns
from assay.watch.columns.count import count
from assay.watch.columns.form import NEVER_SEEN, RARE, ColumnProfile
from assay.watch.columns.grid import edges_of
from assay.watch.drift.columns import compare
from assay.watch.profile import Profile, read_profile, write_profile


def profiled(values, **types) -> ColumnProfile:
    frame = pl.DataFrame({"x": values})
    return profile_columns(frame, fields_of(frame, **types))[0]


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=200), st.integers(2, 12))
def test_edges_rise_and_hold_every_value_between_them(values, bins):
    edges = edges_of(np.array(values), bins)
    assert all(low < high for low, high in pairwise(edges))
    assert np.isfinite(edges).all()
    if values:
        assert edges[0] <= min(values)
        assert edges[-1] > max(values) or max(values) == np.finfo(float).max
    if len(set(values)) <= bins:
        assert len(set(np.searchsorted(edges, sorted(set(values)), "right"))) == len(set(values))


def test_bins_hold_about_as_many_values_each():
    values = np.random.default_rng(0).lognormal(0, 2, 10_000)
    column = profiled(values)
    inner = column.counts[1:-3]
    assert len(inner) == 32
    assert (min(inner), max(inner)) == (312, 313)
    assert column.counts[0] == column.counts[-3] == 0
    assert max(len(f"{edge}") for edge in column.edges[1:-1]) <= 8


def test_a_value_that_fills_a_bin_stands_alone_and_leaves_the_others_their_bins():
    rest = np.random.default_rng(0).uniform(1, 2, 1_000)
    column = profiled(np.concatenate([np.zeros(9_000), rest]))
    assert column.counts[1] == 9_000
    inner = column.counts[2:-3]
    assert len(inner) > 20
    assert max(inner) <= 50


def test_few_whole_numbers_get_a_bin_each():
    column = profiled([0.0, 1.0, 1.0, 5.0, 5.0, 5.0])
    assert column.edges == (0.0, 1.0, 5.0, 5.000005)
    assert column.counts == (0, 1, 2, 3, 0, 0, 0)
    assert column.labels[:2] == ("below 0", "0 to 1")
    assert column.labels[-3:] == ("above 5", "not finite", "missing")


def test_moments_are_of_finite_numbers():
    column = profiled([1.0, 3.0, float("inf"), float("nan"), None])
    assert (column.low, column.high, column.mean, column.std) == (1.0, 3.0, 2.0, 1.0)
    assert column.counts[-2:] == (1, 2)
    huge = profiled([1e308, -1e308, 1e308, 1e308])
    assert huge.std is None
    assert sum(huge.counts) == 4


@pytest.mark.parametrize("values", [[None, None], [float("nan")] * 2, [float("inf")] * 2])
def test_a_column_without_a_number(values):
    column = profiled(pl.Series(values, dtype=pl.Float64))
    assert column.edges == ()
    assert sum(column.counts) == 2
    assert len(column.labels) == len(column.counts)
    assert (column.low, column.mean) == (None, None)
    frame = pl.DataFrame({"x": [1.0, None]})
    assert count([column], frame).cells["x"].tolist() == [1, 0, 1]


def test_a_category_that_one_row_had_is_known_without_its_name():
    column = profiled(["a", "a", "a", "b", "b", "once", None])
    assert column.values == ("a", "b")
    assert dict(zip(column.labels, column.counts, strict=True)) == {
        "a": 3, "b": 2, RARE: 1, NEVER_SEEN: 0, "missing": 1,
    }  # fmt: skip
    window = pl.DataFrame({"x": ["once", "new"]})
    assert count([column], window).cells["x"].tolist() == [0, 0, 1, 1, 0]


def test_new_categories_come_as_often_as_the_profile_says():
    """A long tail: the share of values that n rows have not shown is foretold, not called new."""
    draw = np.random.default_rng(1)
    shares = 1 / np.arange(1, 5_001)
    words = draw.choice(5_000, 40_000, p=shares / shares.sum()).astype(str)
    column = profiled(words[:20_000])
    found = count([column], pl.DataFrame({"x": words[20_000:]})).cells["x"]
    then, now = column.counts[column.bins], int(found[column.bins]) * column.rows / 20_000
    assert then > 300
    assert abs(now - then) < 4 * (now + then) ** 0.5


@pytest.mark.parametrize(("rows", "values"), [(300, 100), (2_000, 1_000), (10_000, 5_000)])
def test_values_that_were_chosen_for_being_frequent_are_no_drift(rows, values):
    """Each value as likely as the others, and more of them than rows can tell: nothing moved."""
    draw = np.random.default_rng(2)
    column = profiled(draw.integers(0, values, rows).astype(str).tolist())
    window = pl.DataFrame({"x": draw.integers(0, values, rows).astype(str)})
    assert compare(column, count([column], window).cells["x"]).p > 0.01


def test_a_wide_table_keeps_less_of_each_column():
    narrow, wide = Detail.of(30), Detail.of(1_000)
    assert (narrow.bins, narrow.values, narrow.known) == (32, 200, 2_000)
    assert (wide.bins, wide.values, wide.known) == (12, 20, 200)


def test_thirty_mixed_columns_take_less_than_300_kilobytes():
    draw, rows = np.random.default_rng(0), 5_000
    frame = pl.DataFrame(
        {f"n{i}": draw.normal(size=rows) for i in range(20)}
        | {f"c{i}": draw.integers(0, 400, rows).astype(str) for i in range(10)}
    )
    columns = profile_columns(frame, fields_of(frame))
    assert len(write_profile(Profile(rows=rows, test_rows=0, columns=columns))) < 100_000


def test_profiles_read_back_as_they_were_written():
    frame = pl.DataFrame({"x": [1.0, None, 2.5], "w": ["a", "a", "ß"], "t": ["one two", "", None]})
    columns = profile_columns(frame, fields_of(frame, t="text"))
    profile = Profile(rows=3, test_rows=0, columns=columns, primary="roc_auc")
    assert read_profile(write_profile(profile)) == profile
    assert write_profile(profile) == write_profile(read_profile(write_profile(profile)))


@pytest.mark.parametrize("data", [b"", b"{}", b"\xff\xfe", b'{"type": "other"}'])
def test_what_is_no_profile_is_refused(data):
    with pytest.raises(Tampered) as caught:
        read_profile(data)
    assert caught.value.code == "WATCH-PROFILE-UNREADABLE"


def test_no_cell_of_a_row_is_in_the_profile():
    """But ends of numbers, and names of categories that several rows have."""
    draw = np.random.default_rng(0)
    secret = [f"Zaphod-{i:04d}" for i in range(500)]
    frame = pl.DataFrame(
        {
            "x": draw.normal(size=500).round(9),
            "name": secret,
            "kind": ["often"] * 499 + ["lonely"],
            "note": [f"call {word} about secretword{i}" for i, word in enumerate(secret)],
        }
    )
    columns = profile_columns(frame, fields_of(frame, note="text"))
    written = write_profile(Profile(rows=500, test_rows=0, columns=columns)).decode()
    assert "Zaphod" not in written
    assert "lonely" not in written
    assert "secretword" not in written
    assert "often" in written
    values = [repr(x) for x in frame["x"]]
    assert sum(value in written for value in values) <= 2  # the least and the greatest


def test_profiling_is_the_same_each_time():
    frame = pl.DataFrame({"x": np.arange(50.0), "w": ["b", "a"] * 25, "t": ["dog cat", "cat"] * 25})
    fields = fields_of(frame, t="text")
    assert profile_columns(frame, fields) == profile_columns(frame, fields)


def test_values_of_the_profile_are_counted_as_the_profile_has_them():
    values = np.random.default_rng(3).gamma(1, 2, 3_000).round(2).tolist()
    column = profiled(values)
    assert list(column.counts) == plainly(column, values)
    assert column.rows == sum(column.counts) == 3_000


def test_an_id_is_a_category_of_values_never_seen():
    frame = pl.DataFrame({"key": [f"k{i}" for i in range(100)]})
    (column,) = profile_columns(frame, [Field(name="key", type="id", missing=False)])
    assert column.values == ()
    assert column.counts == (0, column.rows, 0)
