"""Latency: counts, order and patience."""

import time

from assay.evaluate import measure


def test_quantiles_are_ordered_and_rest_on_enough_calls():
    found = measure(lambda: sum(range(2000)), seconds=0.02)
    p50, p99 = found["p50"], found["p99"]
    assert p50.n == p99.n >= 400
    assert 0 < p50.low <= p50.value <= p50.high <= p99.high
    assert p99.low <= p99.value <= p99.high
    assert p50.value <= p99.value
    assert p50.method == "order"


def test_milliseconds_are_milliseconds():
    def spin():
        end = time.perf_counter() + 0.002
        while time.perf_counter() < end:
            pass

    assert 2 <= measure(spin, seconds=0.02, at_least=10)["p50"].value < 20


def test_a_slow_call_is_not_waited_for_forever():
    ticks = []

    def slow():
        ticks.append(time.perf_counter())
        while time.perf_counter() < ticks[-1] + 0.01:
            pass

    found = measure(slow, seconds=0.01, at_least=1000)
    assert 1 <= found["p50"].n <= 12
    assert len(ticks) < 20
