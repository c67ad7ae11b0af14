"""Two views of a row, learned from training rows only."""

from __future__ import annotations

import time
from datetime import datetime

import numpy as np
import polars as pl
import pytest
import scipy.sparse
from tabular_cases import mixed_table

from assay.records.base import from_json, to_json
from assay.tasks.tabular.encode.columns import LARGEST, fit_category, fit_number
from assay.tasks.tabular.encode.encoder import Encoder, fit_encoder
from assay.tasks.tabular.encode.text import CHUNK, FIT_ROWS, count_words, fit_text
from assay.tasks.tabular.models.model import linear_matrix

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
        found = linear_matrix(encoder, frame)
        assert scipy.sparse.issparse(found) == sparse
        dense = found.toarray() if sparse else found
        assert (dense == encoder.linear(frame)).all()


def test_encoding_is_fast() -> None:
    draw = np.random.default_rng(0)
    n = 200_000
    frame = pl.DataFrame({"x": draw.normal(size=n), "c": draw.integers(0, 50, n).astype(str)})
    encoder = fit_encoder(frame, frame.columns)
    start = time.process_time()
    encoder.tree(frame)
    assert time.process_time() - start < 1.0
