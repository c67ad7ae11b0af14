"""Quantiles, their intervals, and counts of what was fired."""

from __future__ import annotations

import numpy as np
import pytest

from assay.loadgen.fired import KINDS, Fired
from assay.records.deployment import LATENCY_EDGES


def fired(taken, status=None, kind=None, due=None, lag=None) -> Fired:
    taken = np.asarray(taken, dtype=np.float64)
    n = len(taken)
    return Fired(
        0.0,
        np.arange(n) / 100 if due is None else np.asarray(due),
        taken,
        np.full(n, 200, dtype=np.int16) if status is None else np.asarray(status, dtype=np.int16),
        np.zeros(n, dtype=np.int8) if kind is None else np.asarray(kind, dtype=np.int8),
        np.zeros(n) if lag is None else np.asarray(lag),
        np.zeros(n, dtype=np.bool_),
    )


def test_quantiles_are_order_statistics() -> None:
    found = fired(np.random.default_rng(0).permutation(np.arange(1, 1001) / 1000))
    assert found.quantile(0.5).value == pytest.approx(0.5)
    assert found.quantile(0.99).value == pytest.approx(0.99)
    assert found.quantile(0.999).value == pytest.approx(0.999)


def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    rng, inside = np.random.default_rng(1), 0
    for _ in range(400):
        found = fired(rng.exponential(1.0, 1000)).quantile(0.99)
        inside += found.low <= np.log(100) <= found.high
    assert 0.90 <= inside / 400 <= 0.99


def test_latencies_that_hang_together_have_wider_intervals() -> None:
    """A stall makes neighbours slow together; as if independent, the interval would be too sure."""
    rng, inside, naive = np.random.default_rng(2), 0, 0
    for _ in range(200):
        level = np.repeat(rng.exponential(1.0, 40), 50)  # forty stretches, alike within
        found = fired(level + rng.normal(0, 0.001, 2000))
        quantile, mixed = found.quantile(0.9), fired(rng.permutation(found.taken)).quantile(0.9)
        inside += quantile.low <= np.log(10) <= quantile.high
        naive += mixed.low <= np.log(10) <= mixed.high
    assert inside / 200 > 0.85
    assert naive / 200 < 0.5


def test_too_few_requests_for_a_tail() -> None:
    found = fired([0.1, 0.2, 0.3]).quantile(0.999)
    assert (found.value, found.high) == (0.3, 0.3)
    empty = fired([]).quantile(0.99)
    assert np.isnan([empty.value, empty.low, empty.high]).all()


def test_counts_lie_between_the_edges() -> None:
    counts = fired([1e-6, LATENCY_EDGES[0], 0.01, 0.01, 1000.0]).counts()
    assert len(counts) == len(LATENCY_EDGES) + 1
    assert (counts[0], counts[1], counts[-1], sum(counts)) == (1, 1, 1, 5)
    place = next(i for i, edge in enumerate(LATENCY_EDGES) if edge > 0.01)
    assert counts[place] == 2


def test_what_counts_as_what() -> None:
    closed, unanswered = KINDS.index("closed"), KINDS.index("unanswered")
    found = fired([0.1, 0.001, 0.002, 9.0], [200, 503, 0, 0], [0, 0, closed, unanswered])
    assert found.errors == 3
    assert found.statuses == {200: 1, 503: 1}
    assert found.kinds == {"closed": 1, "unanswered": 1}
    assert sum(found.counts()) == 2  # the answer, and what never came
    assert found.quantile(0.99).value == 9.0


def test_the_warm_up_is_left_out() -> None:
    found = fired([1.0] * 100 + [0.01] * 300).since(1.0)
    assert found.requests == 300
    assert found.quantile(0.999).value == 0.01
    assert found.rps == pytest.approx(100, rel=0.01)


def test_what_was_reached_is_less_than_asked_where_answers_come_late() -> None:
    due = np.arange(100) / 100
    assert fired(np.full(100, 0.001), due=due).rps == pytest.approx(100, rel=0.01)
    assert fired(1.0 - due + np.arange(100) / 50, due=due).rps == pytest.approx(
        100 / 2.98, rel=0.02
    )
    assert fired([0.1], [500]).rps == 0.0


def test_lateness_of_the_generator() -> None:
    assert fired([0.1] * 100, lag=[0.0] * 98 + [0.5] * 2).late > 0.1
