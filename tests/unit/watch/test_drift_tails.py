"""Tail probabilities on counts: against exact ones, and against simulated nulls."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom, hypergeom

from assay.watch.drift import tails

SKEWED = (1 / np.arange(1, 41) ** 1.3) / (1 / np.arange(1, 41) ** 1.3).sum()
EVEN = np.full(42, 1 / 42)
MOSTLY_ZERO = np.array([0.002, 0.002, 0.98, 0.01, 0.006])
SIZES = [(20_000, 1_000), (20_000, 100), (500, 20_000), (20_000, 1_000_000)]
DRAWS = 1_000


def most(level: float, draws: int = DRAWS) -> float:
    """Return the share of p-values below a level that a right test stays under."""
    return binom.ppf(0.9999, draws, level) / draws


@pytest.mark.parametrize(("n", "m", "t"), [(20_000, 1_000, 200), (500, 20_000, 900), (9, 5, 7)])
def test_a_share_is_tested_exactly_out_to_one_in_a_million_million(n, m, t):
    for b in range(max(0, t - n), min(t, m) + 1):
        law = hypergeom(n + m, t, m)
        exact = min(law.sf(b - 1), law.cdf(b))
        p = float(tails.shares(np.array([t - b]), n, np.array([b]), m)[0])
        assert p >= min(1.0, 2 * exact) * (1 - 1e-6)
        if 1e-12 < exact < 1e-3:
            assert p < 2.2 * exact


@pytest.mark.parametrize("law", [SKEWED, EVEN, MOSTLY_ZERO], ids=["skewed", "even", "zeros"])
@pytest.mark.parametrize(("n", "m"), SIZES)
def test_nothing_changed_is_seldom_denied(law, n, m):
    rng = np.random.default_rng(1)
    before, now = rng.multinomial(n, law, DRAWS), rng.multinomial(m, law, DRAWS)
    found = []
    for a, b in zip(before, now, strict=True):
        a, b = a[a + b > 0], b[a + b > 0]
        t = a + b
        ranks = (np.cumsum(t) - t / 2) / t.sum() - 0.5
        found.append([
            tails.general(*tails.merged(a, b, ordered=True)),
            tails.linear(ranks, a, b),
            tails.linear(ranks**2, a, b),
            len(a) * tails.shares(a, n, b, m).min(),
        ])  # fmt: skip
    for level in (0.05, 0.01, 0.001):
        assert np.all(np.mean(np.array(found) <= level, axis=0) <= most(1.3 * level))


def test_the_general_test_holds_far_out_where_cells_are_as_small_as_it_lets_them_be():
    rng, draws, cells, m = np.random.default_rng(2), 20_000, 12, 96
    law = np.full(cells, 1 / cells)
    before, now = rng.multinomial(20_000, law, draws), rng.multinomial(m, law, draws)
    p = np.array([tails.general(a, b) for a, b in zip(before, now, strict=True)])
    for level in (0.01, 0.001, 0.0001):
        assert np.mean(p <= level) <= most(1.3 * level, draws)


def test_a_rank_shift_is_right_far_out_where_a_normal_is_not():
    """A rare high cell and a window of 1 % of the rows: skewed, so a normal claims far too much."""
    n, m, t = 20_000, 200, 300
    law = hypergeom(n + m, t, m)
    for b in (10, 12, 15, 20):
        a = np.array([n - t + b, 0, t - b])
        now = np.array([m - b, 0, b])
        p = tails.linear(np.array([0.0, 0.5, 1.0]), a, now) / 2
        assert law.sf(b) * 0.9 < p < law.sf(b - 1) * 1.1


def test_sparse_cells_are_merged_until_each_is_expected_often_enough():
    a, b = np.array([1000, 3, 2, 1, 4, 0, 800]), np.array([20, 0, 1, 0, 0, 1, 15])
    one, other = tails.merged(a, b, ordered=True)
    assert one.sum() == a.sum()
    assert other.sum() == b.sum()
    expected = (one + other) * b.sum() / (a.sum() + b.sum())
    assert expected.min() >= tails.EXPECTED
    unordered, _ = tails.merged(np.array([1, 900, 2, 800]), np.array([0, 20, 1, 15]), ordered=False)
    assert sorted(unordered.tolist()) == [803, 900]


def test_too_few_rows_to_say_anything_are_certain_of_nothing():
    one, none = np.array([1, 0]), np.array([0, 0])
    assert tails.general(one, none) == 1.0
    assert tails.linear(np.array([0.0, 1.0]), one, none) == 1.0
    assert tails.linear(np.array([1.0, 1.0]), np.array([5, 5]), np.array([2, 9])) == 1.0
    assert tails.shares(np.array([3]), 3, np.array([5]), 5).tolist() == [1.0]


def test_all_rows_at_the_far_end_are_beyond_doubt():
    ranks = np.array([-0.5, 0.0, 0.5])
    p = tails.linear(ranks, np.array([300, 300, 300]), np.array([0, 0, 300]))
    assert 0 <= p < 1e-50
