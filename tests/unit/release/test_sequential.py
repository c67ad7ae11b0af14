"""The intervals hold at every look: simulated releases, looked at every 50 requests."""

from __future__ import annotations

import numpy as np
import pytest

from assay.release.sequential import Means, Shares, Shift, stratified

RELEASES = 2000
EVERY = 50
ALPHA = 0.05
EACH = ALPHA / 4  # errors, latency, answers, metric
MORE = 2 * np.sqrt(ALPHA * (1 - ALPHA) / RELEASES)


def split(rng, share, releases=RELEASES):
    """Return how many of the next requests each version gets."""
    new = np.clip(rng.binomial(EVERY, share, releases), 1, EVERY - 1)
    return EVERY - new, new


def hits(rng, live_n, new_n, live_rate, new_rate):
    """Return a block of `Shares` for both versions."""
    live, new = rng.binomial(live_n, live_rate), rng.binomial(new_n, new_rate)
    return np.stack([live, live_n], -1), np.stack([new, new_n], -1)


def shares(limit, alpha=EACH):
    """Return the test with one difference on its grid, so that thousands go at once."""
    test = Shares(alpha, (limit,))
    test.grid = np.array([limit])
    return test


def test_equal_versions_are_rarely_stopped_over_a_whole_release_with_all_guards():
    rng = np.random.default_rng(1)
    errors, latency = shares(0.0), shares(0.01)
    answers, metric = Shift(EACH, 2), Means(EACH)
    alarm = np.zeros(RELEASES, dtype=bool)
    for look in range(100):
        share = (0.05, 0.25, 0.5)[min(look // 34, 2)]
        if look in (34, 68):
            metric.part()
        rate = 0.005 if look < 40 else 0.03  # it gets worse for both: that is no difference
        live_n, new_n = split(rng, share)
        errors.add(*hits(rng, live_n, new_n, rate, rate))
        latency.add(*hits(rng, live_n, new_n, 0.01, 0.01))
        live, new = hits(rng, live_n, new_n, 0.3, 0.3)
        answers.add(*(np.stack([x[:, 0], x[:, 1] - x[:, 0]], -1) for x in (live, new)))
        sold = [rng.binomial(n, 0.1) for n in (live_n, new_n)]
        metric.add(*(np.stack([n, s, s], -1) for n, s in zip((live_n, new_n), sold, strict=True)))
        alarm |= errors.interval().low >= 0.0
        alarm |= latency.interval().low >= 0.01
        alarm |= answers.interval().low > 0.0
        alarm |= metric.interval().low > 0.0
    assert alarm.mean() <= ALPHA + MORE
    assert alarm.any()  # as exact as that: a test that never speaks proves nothing


@pytest.mark.parametrize("limit", [0.0, 0.01])
def test_a_difference_at_the_limit_is_neither_shown_nor_ruled_out(limit):
    rng = np.random.default_rng(2)
    test = shares(limit, alpha=ALPHA)
    above = below = np.zeros(RELEASES, dtype=bool)
    for _ in range(60):
        live_n, new_n = split(rng, 0.3)
        test.add(*hits(rng, live_n, new_n, 0.02, 0.02 + limit))
        found = test.interval()
        above, below = above | (found.low >= limit), below | (found.high <= limit)
    assert above.mean() <= ALPHA + MORE
    assert below.mean() <= ALPHA + MORE


def test_failing_requests_are_shown_within_a_few():
    rng = np.random.default_rng(3)
    test, at = shares(0.0), np.full(RELEASES, np.inf)
    asked = np.zeros(RELEASES)
    for _ in range(40):
        live_n, new_n = split(rng, 0.05)
        test.add(*hits(rng, live_n, new_n, 0.001, 0.3))
        asked += new_n
        at = np.minimum(at, np.where(test.interval().low >= 0.0, asked, np.inf))
    assert np.quantile(at, 0.9) <= 25


def test_thirty_percent_wrong_answers_are_shown_within_600_requests_of_the_new_version():
    """A class for another in 30 of 100 answers, at 5 % of the traffic: 12,000 requests in all."""
    rng = np.random.default_rng(4)
    test, at, asked = Shift(EACH, 2), np.full(RELEASES, np.inf), np.zeros(RELEASES)
    for _ in range(300):
        live_n, new_n = split(rng, 0.05)
        live, new = hits(rng, live_n, new_n, 0.27, 0.27 + 0.3 * 0.73)
        test.add(*(np.stack([x[:, 0], x[:, 1] - x[:, 0]], -1) for x in (live, new)))
        asked += new_n
        at = np.minimum(at, np.where(test.interval().low > 0.1, asked, np.inf))
    assert np.quantile(at, 0.9) <= 600
    assert np.median(at) <= 350


def test_the_interval_of_a_difference_covers_it_and_shrinks():
    rng = np.random.default_rng(5)
    test, widths = Shares(EACH, (0.0, 0.01)), []
    for _ in range(40):
        test.add(*hits(rng, np.array(100), np.array(100), 0.05, 0.09))
        found = test.interval()
        assert found.low <= 0.04 <= found.high
        widths.append(float(found.high - found.low))
    assert widths[0] > widths[-1]
    assert widths[-1] < 0.06
    assert found.value == pytest.approx(0.04, abs=0.02)


def test_the_distance_of_several_kinds_lies_in_its_interval_at_every_look():
    rng = np.random.default_rng(6)
    old, now = np.array([0.5, 0.3, 0.1, 0.1]), np.array([0.3, 0.35, 0.25, 0.1])
    distance, missed = np.abs(old - now).sum() / 2, 0
    for _ in range(200):
        test, wrong = Shift(ALPHA, 4), False
        for _ in range(40):
            test.add(rng.multinomial(30, old), rng.multinomial(10, now))
            found = test.interval()
            wrong |= not found.low <= distance <= found.high
        missed += wrong
    assert missed <= 200 * ALPHA
    assert found.high - found.low < 0.4


def test_without_a_block_nothing_is_known():
    for test, low, high in ((Shares(EACH), -1, 1), (Shift(EACH, 3), 0, 1)):
        found = test.interval()
        assert (found.low, found.high) == (low, high)
    assert np.isinf(Means(EACH).interval().high)


def test_a_test_goes_on_from_what_it_saved():
    rng = np.random.default_rng(7)
    blocks = [hits(rng, np.array(40), np.array(20), 0.1, 0.2) for _ in range(6)]
    for make in (lambda: Shares(EACH), lambda: Shift(EACH, 2)):
        whole, first = make(), make()
        for block in blocks:
            whole.add(*block)
        for block in blocks[:3]:
            first.add(*block)
        second = make()
        second.restore(first.saved())
        for block in blocks[3:]:
            second.add(*block)
        assert second.interval().low == pytest.approx(whole.interval().low)
        assert second.interval().value == pytest.approx(whole.interval().value)


def test_parts_with_other_shares_do_not_pass_for_a_difference():
    """Both earn 1 in the morning and 3 in the evening; the new one has more of the evening."""
    morning = np.array([[900, 900, 1000.0], [100, 100, 111.0]])
    evening = np.array([[500, 1500, 4600.0], [500, 1500, 4600.0]])
    value, _, size = stratified([morning, evening])
    assert value == pytest.approx(0)
    assert size == pytest.approx(90 + 250)
    pooled = (morning + evening)[:, 1] / (morning + evening)[:, 0]
    assert pooled[1] - pooled[0] > 0.9  # what a comparison without parts would say


def test_a_metric_that_moves_is_shown_and_one_that_does_not_is_not():
    rng = np.random.default_rng(8)
    moved, same = Means(EACH, best=1000), Means(EACH, best=1000)
    for _ in range(40):
        old, now = rng.exponential(20, 100), rng.exponential(20, 100)
        live = (100, old.sum(), old @ old)
        same.add(live, (100, now.sum(), now @ now))
        now = now + 4
        moved.add(live, (100, now.sum(), now @ now))
    assert moved.interval().low > 0
    assert same.interval().low < 0 < same.interval().high


def test_a_limit_that_nothing_exceeds_is_never_exceeded():
    test = Shares(EACH, (1.0,))
    for _ in range(20):
        test.add((0.0, 1e9), (50, 50))
    found = test.interval()
    assert np.isfinite(test.wealth).all()
    assert 0.8 < found.low < 1.0 == found.high


def test_a_share_of_one_side_is_bounded_like_a_binomial_one():
    test = Shares(ALPHA, (0.25,))
    for _ in range(20):
        test.add((0.0, 1e9), (10, 100))
    found = test.interval()
    assert 0.06 < found.low < 0.1 < found.high < 0.15
