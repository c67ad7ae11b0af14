"""Pooled answers: means, and softmax of weighted logarithms."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.metrics.pool import FLOOR, pool
from assay.records.fitted import Pool

LOG = Pool(scale="log")


def shares(seed: int, n: int = 20, k: int = 3) -> np.ndarray:
    odds = np.exp(np.random.default_rng(seed).normal(0, 2, (n, k)))
    return odds / odds.sum(axis=1, keepdims=True)


def test_the_linear_pool_is_the_weighted_mean_of_numbers_with_a_bias():
    numbers = pool(Pool(bias=(1.0,)), [(np.array([2.0, 4.0]), 0.5), (np.array([6.0, 0.0]), 0.5)])
    assert numbers.tolist() == [5.0, 3.0]


@given(seed=st.integers(0, 999), weight=st.floats(0.1, 3))
@settings(max_examples=30, deadline=None)
def test_the_log_pool_gives_probabilities_and_one_member_of_weight_one_is_itself(seed, weight):
    values = shares(seed)
    found = pool(LOG, [(values, weight), (shares(seed + 1), 0.4)])
    np.testing.assert_allclose(found.sum(axis=1), 1)
    np.testing.assert_allclose(pool(LOG, [(values, 1.0)]), values, rtol=1e-9)
    # a weight is one over a temperature: it never changes the order of the classes
    alone = pool(LOG, [(values, weight)])
    assert (alone.argmax(axis=1) == values.argmax(axis=1)).all()


def test_bags_that_share_a_weight_answer_as_their_geometric_mean():
    one, two = shares(1), shares(2)
    mean = np.sqrt(one * two)
    np.testing.assert_allclose(
        pool(LOG, [(one, 0.5), (two, 0.5)]), mean / mean.sum(axis=1, keepdims=True)
    )


def test_a_bias_tips_the_scale_and_certainty_stays_finite():
    values = np.array([[1.0, 0.0], [0.5, 0.5]])
    found = pool(Pool(scale="log", bias=(0.0, 1.0)), [(values, 1.0)])
    assert found[1, 1] == pytest.approx(np.e / (1 + np.e))
    assert 0 < found[0, 1] < 10 * FLOOR


def test_a_row_without_an_answer_stays_without():
    values = shares(0)
    values[3] = np.nan
    for how in (LOG, Pool()):
        found = pool(how, [(values, 0.5), (shares(1), 0.5)])
        assert np.isnan(found[3]).all()
        assert np.isfinite(np.delete(found, 3, axis=0)).all()
