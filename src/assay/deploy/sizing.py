"""From what was measured to what is asked for: memory, processors, copies, and when to add one."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

WORKER_MB = 150.0
"""Memory of one process of the server where it was not measured."""
HEADROOM = 0.7
"""Part of the measured capacity that a copy is to carry; the rest is for bursts and failures."""
SPARE = 1.5
"""Measured memory times this is the limit."""
STEP_MB = 32
FEWEST = 2
"""Copies, so that one can go without an outage."""
GROWTH = 4
"""Times the first number of copies that autoscaling may reach."""


@dataclass(frozen=True)
class Sizing:
    """What one copy of the server takes and how many there are; `why` says where it comes from.

    `target_rps` is the requests a second that one copy is to carry, None where its capacity was
    not measured.
    """

    cpus: int
    memory_mb: int
    limit_mb: int
    copies: int
    most: int
    target_rps: int | None
    why: str


@dataclass(frozen=True)
class Measured:
    """A load test of so many `workers`: the most requests a second within `slo_ms`, and memory."""

    workers: int
    capacity: float | None
    peak_mb: float | None
    slo_ms: float


def sized(workers: int, rps: float | None, measured: Measured | None) -> Sizing:
    """Size one copy of `workers` processes, and as many copies as `rps` requests a second need.

    What was measured with another number of workers counts in proportion: capacity falls short of
    that where processors are fewer than workers, and memory is less, as workers share pages.
    """
    share = workers / measured.workers if measured is not None else 1.0
    capacity = share * measured.capacity if measured and measured.capacity else None
    peak = share * measured.peak_mb if measured and measured.peak_mb else None
    memory = _whole(WORKER_MB * (workers + 1) if peak is None else peak)
    target = None if capacity is None else max(1, int(HEADROOM * capacity))
    copies = FEWEST if rps is None or target is None else max(FEWEST, ceil(rps / target))
    return Sizing(
        cpus=workers,
        memory_mb=memory,
        limit_mb=_whole(SPARE * memory),
        copies=copies,
        most=GROWTH * copies,
        target_rps=target,
        why=_why(measured),
    )


def _whole(megabytes: float) -> int:
    return STEP_MB * ceil(megabytes / STEP_MB)


def _why(measured: Measured | None) -> str:
    if measured is None or not (measured.capacity or measured.peak_mb):
        return (
            "not measured: sized by defaults; run `assay load-test --capacity`, then deploy again"
        )
    speed, memory = "capacity not measured", "memory not measured"
    if measured.capacity:
        speed = f"{measured.capacity:,.0f} requests/s within {measured.slo_ms:g} ms"
    if measured.peak_mb:
        memory = f"{measured.peak_mb:,.0f} MB at most"
    workers = "1 worker" if measured.workers == 1 else f"{measured.workers} workers"
    return f"measured by `assay load-test` with {workers}: {speed}, {memory}"
