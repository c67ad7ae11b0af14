"""Two views of a row, learned from training rows only."""

from __future__ import annotations

import time
from datetime import datetime

import numpy as np
import polars as pl
import pytest
import scipy.sparse
from hypothesis import given
from hypothesis import strategies as st
from tabular_cases import mixed_table

from assay.records.base import from_json, to_json
from assay.tasks.tabular.encode.columns import GAP, LARGEST, fit_category, fit_date, fit_number
from assay.tasks.tabular.encode.encoder import Encoder, fit_encoder
from assay.tasks.tabular.encode.text import CHUNK, FIT_ROWS, count_words, fit_text
from assay.tasks.tabular.models.model import sparse_or_dense

FEATURES = ("number", "income", "city", "member", "since", "review", "constant")


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return fit_encoder(mixed_table(), FEATURES, ["review"])


def test_views_have_their_widths_and_are_tame(encoder: Encoder) -> None:
    frame = mixed_table(seed=1)
    tree, linear = encoder.tree(frame), encoder.linear(frame)
    assert tree.shape == (240, encoder.tree_width) == (240, len(encoder.tree_sources))
    assert linear.shape == (240, encoder.linear_width)
    assert np.isfinite(linear).all()
    assert not np.isinf(tree).any()
    assert np.isnan(tree[:, 0]).sum() == frame["number"].null_count()


def test_a_row_is_encoded_the_same_alone(encoder: Encoder) -> None:
    frame = mixed_table(seed=2)
    for view in (encoder.tree, encoder.linear):
        whole = view(frame)
        for i in (0, 17, 239):
            np.testing.assert_array_equal(view(frame[i : i + 1])[0], whole[i])
        assert view(frame.clear()).shape == (0, whole.shape[1])


def test_is_json(encoder: Encoder) -> None:
    again = from_json(to_json(encoder), Encoder)
    assert again == encoder
    frame = mixed_table(seed=3)
    np.testing.assert_array_equal(again.tree(frame), encoder.tree(frame))


def test_numbers_are_clipped_and_tiny_ones_are_zero() -> None:
    column = pl.Series("x", [1.0, float("inf"), -1e308, 5e-324, -0.0, None, float("nan")])
    plan = fit_number(column)
    tree = np.empty((7, 1))
    plan.tree(column, tree)
    np.testing.assert_array_equal(tree[:, 0], [1.0, LARGEST, -LARGEST, 0.0, 0.0, np.nan, np.nan])
    linear = np.zeros((7, plan.linear_width))
    plan.linear(column, linear)
    assert np.isfinite(linear).all()
    assert linear[:, 1].tolist() == [0, 0, 0, 0, 0, 1, 1]


@pytest.mark.parametrize("values", [[None, None], [3.0, 3.0], [1e308, -1e308], [5e-324, 0.0]])
def test_degenerate_numbers_stay_finite(values: list[float | None]) -> None:
    column = pl.Series("x", values, dtype=pl.Float64)
    plan = fit_number(column)
    out = np.zeros((2, plan.linear_width))
    plan.linear(column, out)
    assert np.isfinite(out).all()


def test_heavy_tails_do_not_squeeze_the_rest() -> None:
    draw = np.random.default_rng(0)
    column = pl.Series("x", draw.pareto(0.7, 5000) * 1e3)
    plan = fit_number(column)
    out = np.zeros((5000, 1))
    plan.linear(column, out)
    assert plan.heavy
    assert abs(out.mean()) < 1e-6
    assert np.diff(np.quantile(out, [0.1, 0.5, 0.9])).min() > 0.2
    assert np.abs(out).max() < 12


@given(
    known=st.lists(st.floats(width=32) | st.none() | st.sampled_from([0.0, 1.0]), min_size=1),
    asked=st.lists(st.floats() | st.none(), min_size=1),
    bins=st.integers(1, 32),
)
def test_bins_of_any_number_fill_one_after_the_other(
    known: list[float | None], asked: list[float | None], bins: int
) -> None:
    plan = fit_number(pl.Series("x", known, dtype=pl.Float64), bins)
    column = pl.Series("x", asked, dtype=pl.Float64)
    whole = np.zeros((len(asked), plan.spline_width))
    plan.spline(column, whole)
    shares = whole[:, plan.linear_width :]
    assert shares.shape[1] <= bins
    assert ((shares >= 0.0) & (shares <= 1.0)).all()
    assert (np.diff(shares, axis=1) <= 0.0).all()
    assert ((shares[:, :-1] == 1.0) | (shares[:, 1:] == 0.0)).all()  # one is filled at a time
    alone = np.zeros((1, plan.spline_width))
    plan.spline(column[:1], alone)
    np.testing.assert_array_equal(alone[0], whole[0])
    linear = np.zeros((len(asked), plan.linear_width))
    plan.linear(column, linear)
    np.testing.assert_array_equal(linear, whole[:, : plan.linear_width])


def test_knots_divide_the_rows_that_no_single_value_fills() -> None:
    draw = np.random.default_rng(0)
    column = pl.Series("x", np.r_[np.zeros(900), draw.normal(5.0, 1.0, 100)])
    knots = np.array(fit_number(column, 8).knots)
    assert len(knots) == 9
    assert (np.diff(knots) > GAP).all()
    few = pl.Series("x", [1.0, 2.0, 2.0, 5.0] * 25)
    assert len(fit_number(few, 8).knots) == 3
    for flat in ([7.0] * 50, [0.0, 1.0] * 25):
        assert fit_number(pl.Series("x", flat), 8).knots == ()


def test_dates_have_bins_and_the_rest_keeps_its_columns(encoder: Encoder) -> None:
    frame = mixed_table(seed=4)
    spline = encoder.spline(frame)
    assert spline.shape == (240, encoder.spline_width)
    for plan in encoder.plans:
        extra = plan.spline_width - plan.linear_width
        assert (extra > 0) == (plan.name in ("number", "income", "since"))
    np.testing.assert_array_equal(encoder.spline(frame[7:8])[0], spline[7])


def test_more_rows_make_more_bins_and_more_numbers_fewer() -> None:
    draw = np.random.default_rng(0)

    def bins(rows: int, columns: int) -> int:
        frame = pl.DataFrame({f"x{i}": draw.normal(size=rows) for i in range(columns)})
        plan = fit_encoder(frame, frame.columns).plans[0]
        return plan.spline_width - plan.linear_width

    assert [bins(rows, 2) for rows in (20, 500, 5_000, 60_000)] == [4, 8, 16, 32]
    assert bins(5_000, 50) == 6


def test_the_scale_of_a_long_column_is_learned_from_a_part(monkeypatch: pytest.MonkeyPatch) -> None:
    column = pl.Series("x", [*np.random.default_rng(0).normal(size=10_000), None])
    whole = fit_number(column)
    monkeypatch.setattr("assay.tasks.tabular.encode.columns.FIT_ROWS", 1_000)
    part = fit_number(column)
    assert part.missing
    assert part != whole
    assert part.std == pytest.approx(whole.std, rel=0.1)


def test_categories_are_coded_by_frequency_rare_and_unseen_alike() -> None:
    column = pl.Series("c", ["b"] * 60 + ["a"] * 30 + ["z"] * 30 + ["once", None])
    plan = fit_category(column)
    assert plan.levels == ("b", "a", "z")
    codes = plan.codes(pl.Series("c", ["b", "a", "z", "once", "never", "", None]))
    assert codes.tolist() == [0, 1, 2, 3, 3, 3, -1]
    linear = np.zeros((3, plan.linear_width))
    plan.linear(pl.Series("c", ["b", "never", None]), linear)
    assert linear.tolist() == [[1, 0, 0, 0, 0], [0, 0, 0, 1, 0], [0, 0, 0, 0, 1]]


def test_many_levels_add_how_frequent_they_are() -> None:
    column = pl.Series("c", [f"{i % 40}" for i in range(400)] + ["0"] * 5)
    plan = fit_category(column)
    out = np.zeros((3, plan.tree_width))
    plan.tree(pl.Series("c", ["0", "no", None]), out)
    np.testing.assert_allclose(out[:, 1], [np.log1p(15), 0, 0])


def test_far_dates_are_encoded() -> None:
    column = pl.Series("d", [datetime(1, 1, 1), datetime(2020, 5, 17, 13), datetime(9999, 12, 31)])
    encoder = fit_encoder(pl.DataFrame([column]), ["d"])
    tree = encoder.tree(pl.DataFrame([column]))
    assert tree[1, 1:].tolist() == [2020, 5, 17, 7, 13]
    beyond = pl.Series("d", [2**63 - 1, -(2**63) + 1, None]).cast(pl.Datetime("us"))
    assert not np.isinf(encoder.tree(pl.DataFrame([beyond]))).any()
    assert np.isfinite(encoder.linear(pl.DataFrame([beyond]))).all()


def test_words_hash_the_same_everywhere() -> None:
    column = pl.Series("t", ["Hello, hello wörld", "", None])
    rows, buckets, counts = count_words(column, 4096)
    assert rows.tolist() == [0, 0]
    # the last twelve bits of the CRC-32 of each word
    assert dict(zip(buckets.tolist(), counts.tolist(), strict=True)) == {1670: 2, 579: 1}


def test_rows_of_words_have_length_one_and_rare_words_weigh_more() -> None:
    column = pl.Series("t", ["the cat", "the dog", "the bird", ""])
    plan = fit_text(column)
    out = np.zeros((4, plan.linear_width))
    plan.linear(column, out)
    np.testing.assert_allclose((out**2).sum(axis=1), [1, 1, 1, 0])
    common = out[:3].min(axis=0).argmax()
    assert out[0].max() > out[0, common]


def test_words_are_counted_in_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same plan and views however few rows are held at a time."""
    column = pl.Series("t", [f"word{i % 7} and word{i % 11}" for i in range(50)])
    plan = fit_text(column)
    found = []
    for size in (CHUNK, 7):
        monkeypatch.setattr("assay.tasks.tabular.encode.text.CHUNK", size)
        assert fit_text(column) == plan
        views = np.zeros((50, plan.tree_width)), np.zeros((50, plan.linear_width))
        plan.tree(column, views[0])
        plan.linear(column, views[1])
        found.append(np.hstack(views))
    assert (found[0] == found[1]).all()


def test_rarity_is_learned_from_a_sample_that_is_always_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    column = pl.Series("t", ["rare" if i % 10 == 0 else "common" for i in range(3000)])
    whole = fit_text(column)
    monkeypatch.setattr("assay.tasks.tabular.encode.text.FIT_ROWS", 1000)
    plan = fit_text(column)
    assert plan == fit_text(column)
    assert plan.idf != whole.idf
    np.testing.assert_allclose(plan.idf, whole.idf, rtol=0.6)
    assert FIT_ROWS == 100_000


def test_many_cells_of_mostly_zeros_are_kept_sparse(monkeypatch: pytest.MonkeyPatch) -> None:
    draw = np.random.default_rng(0)
    monkeypatch.setattr("assay.tasks.tabular.models.model.DENSE_CELLS", 5_000)
    words = pl.DataFrame({"c": draw.integers(0, 30, 500).astype(str)})
    numbers = pl.DataFrame({str(i): draw.normal(size=500) for i in range(30)})
    for frame, sparse in ((words, True), (words.head(100), False), (numbers, False)):
        encoder = fit_encoder(frame, frame.columns)
        found = sparse_or_dense(encoder, "linear", frame)
        assert scipy.sparse.issparse(found) == sparse
        dense = scipy.sparse.csr_matrix(found).toarray()
        assert (dense == encoder.linear(frame)).all()


def test_encoding_is_fast() -> None:
    draw = np.random.default_rng(0)
    n = 200_000
    frame = pl.DataFrame({"x": draw.normal(size=n), "c": draw.integers(0, 50, n).astype(str)})
    encoder = fit_encoder(frame, frame.columns)
    start = time.process_time()
    encoder.tree(frame)
    assert time.process_time() - start < 1.0


@pytest.mark.parametrize(
    ("hours", "timed"),
    [((0,), False), ((22, 23, None), False), ((9, 17), False), ((8, 12, 17, None), True)],
)
def test_hours_count_where_there_are_three(hours: tuple[int | None, ...], timed: bool) -> None:
    days = [None if h is None else datetime(2024, 1, 1, h, minute) for h in hours
            for minute in (0, 30)]  # fmt: skip
    assert fit_date(pl.Series("t", days, dtype=pl.Datetime("us"))).timed is timed
