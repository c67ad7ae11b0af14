"""What is live: which versions of a model answer, and how requests are shared among them."""

from __future__ import annotations

from typing import Literal

from assay.records.base import Record


class Arm(Record, frozen=True, kw_only=True, tag="arm@1"):
    """One version that answers a share of the requests; a shadow's answers are only recorded."""

    version: int
    package: str
    share: float = 1.0
    shadow: bool = False


class Deployment(Record, frozen=True, kw_only=True, tag="deployment@1"):
    """The versions of one model that a server answers with; the shares add up to 1.

    Requests with an equal `sticky` value stay with one arm as long as `salt` is the same.
    `release` names the release that decided this, "" for the champion alone or a pinned version.
    """

    model: str
    arms: tuple[Arm, ...]
    sticky: str = ""
    salt: str = ""
    release: str = ""
    fallback: str = ""


class Traffic(Record, frozen=True, kw_only=True, tag="traffic@1"):
    """What one version answered since its server started; every number only grows.

    `latency` counts requests between the edges of `LATENCY_EDGES`, `answers` rows by class, or by
    bin of the answered number. `failed` are answers that were a fault of ours.
    `fed` is count, sum and sum of squares of the numbers sent as feedback, by the metric's name.
    Of the rows that live and this version were both asked, `compared`, they `differed` in some.
    """

    model: str
    version: int
    requests: int = 0
    rows: int = 0
    failed: int = 0
    refused: int = 0
    warned: int = 0
    latency: tuple[int, ...] = ()
    answers: tuple[int, ...] = ()
    fed: dict[str, tuple[float, float, float]] = {}
    compared: int = 0
    differed: int = 0


LATENCY_EDGES: tuple[float, ...] = tuple(1e-5 * 2 ** (i / 3) for i in range(64))
"""Seconds: 10 microseconds to 21 seconds, three steps to a doubling."""

ANSWERS = 64
"""Classes or bins of answers that are told apart; what is beyond counts with the last."""

Fault = Literal["rollback", "bad-model", "kill-worker", "overload", "disk-full"]


class Drill(Record, frozen=True, kw_only=True, tag="drill@1"):
    """A fault that was put into a running server on purpose, and what came of it.

    Times are seconds since the fault was put in, None for what did not happen; from a fault that
    lasts, recovery counts from its end. `failed` and `wrong` count answers among `requests`;
    `timeline` has seconds and what happened, in order, `checks` each rule and whether it held.
    """

    kind: Fault
    model: str
    detect_s: float | None
    recover_s: float | None
    failed: int
    wrong: int
    requests: int
    passed: bool
    checks: tuple[tuple[str, bool], ...] = ()
    timeline: tuple[tuple[float, str], ...] = ()


class LoadTest(Record, frozen=True, kw_only=True, tag="load_test@1"):
    """An open-loop load test: requests leave on time whether or not earlier ones were answered.

    Latencies are milliseconds from when a request was due. `capacity_rps` is the highest rate whose
    99th percentile kept `slo_ms` without errors, None where it was not looked for.
    """

    model: str
    rps: float
    seconds: float
    requests: int
    errors: int
    p50_ms: float
    p99_ms: float
    latency: tuple[int, ...] = ()
    slo_ms: float
    capacity_rps: float | None = None
    cost_per_million: float | None = None
    peak_mb: float | None = None
