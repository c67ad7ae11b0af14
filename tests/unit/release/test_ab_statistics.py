"""Sizes, effects and the split of A/B tests, against simulation and closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from assay.errors import UsageError
from assay.records.spec import ReleaseSection
from assay.release.ab import (
    cuped,
    effect,
    mismatch,
    planned_end,
    size_for_means,
    size_for_rates,
    smallest,
    sums,
)


def test_the_size_for_rates_is_the_textbook_one_and_has_its_power():
    size = size_for_rates(0.1, 0.02, 0.5, 0.05)
    z = stats.norm.isf(0.025) + stats.norm.ppf(0.8)
    assert size.new == size.live == np.ceil(z**2 * (0.1 * 0.9 + 0.12 * 0.88) / 0.02**2)
    rng = np.random.default_rng(1)
    live = rng.binomial(size.live, 0.1, 20_000) / size.live
    new = rng.binomial(size.new, 0.12, 20_000) / size.new
    error = np.sqrt(live * (1 - live) / size.live + new * (1 - new) / size.new)
    found = np.abs(new - live) > stats.norm.isf(0.025) * error
    assert found.mean() == pytest.approx(0.8, abs=0.01)


def test_the_size_for_means_grows_where_the_split_is_uneven():
    even, uneven = (size_for_means(10, 1, share, 0.05) for share in (0.5, 0.1))
    assert even.new == pytest.approx(2 * 7.849 * 100, rel=0.001)
    assert uneven.total == pytest.approx(even.total / (4 * 0.1 * 0.9), rel=0.001)
    assert uneven.new == pytest.approx(uneven.total / 10, abs=1)


@pytest.mark.parametrize(("rate", "effect_"), [(0.1, 0.0), (0.95, 0.1), (0.1, -0.2)])
def test_what_no_test_can_find_has_no_size(rate, effect_):
    with pytest.raises(UsageError) as error:
        size_for_rates(rate, effect_, 0.5, 0.05)
    assert error.value.code == "RELEASE-PLAN"


def test_equal_versions_are_told_apart_at_the_planned_end_as_rarely_as_planned():
    section = ReleaseSection(strategy="ab", metric="paid", alpha=0.05)
    rng = np.random.default_rng(2)
    wrong = 0
    for _ in range(2000):
        outcome, is_new = rng.exponential(5, 400), np.arange(400) % 2 == 1
        end = planned_end(section, [sums(outcome, is_new)])
        wrong += end.harmful or end.clear
    assert wrong / 2000 == pytest.approx(0.03, abs=2.5 * np.sqrt(0.03 * 0.97 / 2000))


def test_a_lower_number_can_be_better():
    section = ReleaseSection(strategy="ab", metric="seconds", better="lower")
    rng = np.random.default_rng(3)
    is_new = np.arange(2000) % 2 == 1
    outcome = rng.normal(10, 2, 2000) - 2 * is_new
    assert planned_end(section, [sums(outcome, is_new)]).clear
    assert planned_end(
        ReleaseSection(strategy="ab", metric="paid"), [sums(outcome, is_new)]
    ).harmful


def test_a_split_that_lost_units_is_found_and_a_fair_one_is_not():
    assert not mismatch([(5050, 4950, 0.5), (700, 310, 0.3)]).found
    lost = mismatch([(5300, 4700, 0.5)])
    assert lost.found
    assert lost.p == pytest.approx(stats.chisquare([5300, 4700]).pvalue)
    assert mismatch([(0, 0, 0.5)]).p == 1


def test_an_effect_has_both_intervals_and_the_always_valid_one_is_wider():
    rng = np.random.default_rng(4)
    is_new = rng.random(5000) < 0.4
    outcome = rng.gamma(2, 5, 5000) + 1.5 * is_new
    found = effect([sums(outcome, is_new)], 0.05, 2000)
    oracle = stats.ttest_ind(outcome[is_new], outcome[~is_new], equal_var=False)
    assert found.p == pytest.approx(oracle.pvalue, rel=0.05)
    assert found.fixed[0] == pytest.approx(oracle.confidence_interval().low, abs=0.01)
    assert found.always[0] < found.fixed[0] < 1.5 < found.fixed[1] < found.always[1]
    assert smallest(found, 0.05) == pytest.approx(2.80 * found.error, rel=0.001)


def test_cuped_takes_away_what_the_covariate_explains():
    rng = np.random.default_rng(5)
    before = rng.normal(50, 10, 6000)
    is_new = rng.random(6000) < 0.5
    outcome = 2 * before + rng.normal(0, 10, 6000) + 3 * is_new
    found = cuped(outcome, before, is_new, 0.05, 3000)
    assert found.theta == pytest.approx(2, abs=0.05)
    assert found.reduction == pytest.approx(400 / 500, abs=0.02)  # the squared correlation
    assert found.fixed[0] < 3 < found.fixed[1]
    plain = effect([sums(outcome, is_new)], 0.05, 3000)
    assert found.error < 0.5 * plain.error


def test_a_covariate_that_does_not_vary_changes_nothing():
    rng = np.random.default_rng(6)
    outcome, is_new = rng.normal(0, 1, 400), np.arange(400) % 2 == 1
    found = cuped(outcome, np.ones(400), is_new, 0.05, 200)
    assert (found.theta, found.reduction) == (0, pytest.approx(0))
