"""How long one call takes, with intervals that assume no distribution."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from assay.metrics.intervals.estimates import order_interval
from assay.records.report import Estimate

WARM_UP = 20
PATIENCE = 10
"""A slow call is given so many times `seconds` to reach `at_least`."""


def measure(
    call: Callable[[], object], *, seconds: float = 0.5, at_least: int = 400
) -> dict[str, Estimate]:
    """Return the median (`p50`) and 99th percentile (`p99`) of a call's milliseconds.

    Calls for `seconds`, and on until there are `at_least` (369 are the fewest whose largest is an
    upper limit of the 99th percentile), after a warm-up that does not count.
    """
    start = time.perf_counter()
    for _ in range(WARM_UP):
        call()
        if time.perf_counter() - start > seconds:
            break
    taken: list[float] = []
    start = now = time.perf_counter()
    while now - start < seconds or (len(taken) < at_least and now - start < PATIENCE * seconds):
        call()
        before, now = now, time.perf_counter()
        taken.append((now - before) * 1000)
    return {"p50": _quantile(taken, 0.5), "p99": _quantile(taken, 0.99)}


def _quantile(taken: list[float], quantile: float) -> Estimate:
    ranked = np.sort(taken)
    value = float(np.quantile(ranked, quantile))
    low, high = order_interval(ranked, quantile, 0.95)
    return Estimate(
        value=value,
        low=min(low, value),
        high=max(high, value),
        n=len(ranked),
        method="order",
    )
