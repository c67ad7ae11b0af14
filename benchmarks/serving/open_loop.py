"""Ask at a rate, whether or not earlier requests were answered: the 99th percentile that counts."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import uvloop
from measure import CLIENT_CORE

from assay.loadgen.open_loop import fire

CONNECTIONS = 32


def at_rate(url: str, bodies: Sequence[bytes], rps: float, seconds: float) -> dict[str, Any]:
    """Return the quantiles of the time from when a request was due, in milliseconds."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {CLIENT_CORE})
    try:
        fired = uvloop.run(
            fire(url, lambda i: bodies[i % len(bodies)], rps, seconds, connections=CONNECTIONS)
        )
    finally:
        os.sched_setaffinity(0, before)
    quantile = {name: 1e3 * fired.quantile(share).value for name, share in QUANTILES.items()}
    return {
        "asked_rps": round(rps, 1),
        "requests": fired.requests,
        "failed": fired.errors,
        "late_ms": round(1e3 * fired.late, 3),
        **{name: round(value, 3) for name, value in quantile.items()},
    }


QUANTILES = {"p50_ms": 0.5, "p99_ms": 0.99}
