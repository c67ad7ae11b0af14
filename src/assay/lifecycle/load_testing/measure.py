"""One measurement: a server, the load, and while it runs, how far it is."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Literal

import msgspec
import uvloop

from assay.errors import UsageError
from assay.lifecycle.load_testing.questions import Checker, Questions
from assay.lifecycle.load_testing.scratch import scratch
from assay.lifecycle.load_testing.served import Served, served
from assay.loadgen.capacity import Capacity, Try, capacity
from assay.loadgen.fired import LATE, Fired
from assay.loadgen.open_loop import Answered, fire
from assay.records.package import ModelVersion
from assay.stores.workspace import Workspace

WARM_UP = 1.0
"""Seconds of load that come first and are not counted."""

SHORT, SEARCH = 1.5, 60.0
"""Seconds of a run of the search for the capacity, and of the whole search."""

EVERY = 0.5
"""Seconds between two words on how far it is."""

Say = Callable[[str], None]


@dataclass(frozen=True)
class Load:
    """What is asked: how often, for how long, over how many connections, rows a request.

    With `url` a server that runs already is asked, else one with so many `workers` is started.
    """

    rps: float = 500.0
    seconds: float = 10.0
    connections: int = 32
    rows: int = 1
    workers: int = 1
    arrivals: Literal["constant", "poisson"] = "constant"
    capacity: bool = False
    url: str = ""
    token: str = ""

    def __post_init__(self) -> None:
        for name in ("rps", "seconds", "connections", "rows", "workers"):
            value = getattr(self, name)
            if not (value > 0 and math.isfinite(value)):
                raise UsageError(
                    "LOAD-NUMBER",
                    "this must be more than zero",
                    where=f"--{name}",
                    got=value,
                    allowed=["a number above 0"],
                )

    @property
    def headers(self) -> dict[str, str]:
        """Return the headers of each request."""
        return {"authorization": f"Bearer {self.token}"} if self.token else {}


@dataclass(frozen=True)
class Measured:
    """What came of the load, the capacity where it was looked for, and the server's memory."""

    fired: Fired
    capacity: Capacity | None = None
    peak_mb: float | None = None

    @property
    def doubtful(self) -> bool:
        """Return whether the generator was late itself, so that the numbers are its own."""
        return self.fired.late > LATE


def measure(
    reference: str,
    workspace: Workspace,
    version: ModelVersion,
    ask: Load,
    asked: Questions,
    slo: float,
    checker: Checker | None,
    say: Say,
) -> Measured:
    """Put a server under load; `slo` in seconds is the promise that the capacity must keep.

    A server of our own answers from a copy of the store, so that nobody's log holds what was asked.

    Raises UsageError: LOAD-REFUSED, LOAD-NO-SERVER, SERVER-NOT-READY.
    """
    with _server(workspace, version, ask, say) as (url, server):
        target = f"{url.rstrip('/')}/models/{reference}/predict"
        fired, found = uvloop.run(_run(target, ask, asked, slo, checker, say))
        return Measured(fired, found, server.peak_mb() if server is not None else None)


@contextmanager
def _server(
    workspace: Workspace, version: ModelVersion, ask: Load, say: Say
) -> Iterator[tuple[str, Served | None]]:
    if ask.url:
        yield ask.url, None
        return
    name, workers = f"{version.name}@{version.version}", str(ask.workers)
    say(f"starting a server for {name}")
    with (
        scratch(workspace, version) as (copy, folder),
        served([name], copy.root, "--workers", workers, folder=folder) as server,
    ):
        yield server.url, server


async def _run(
    url: str, ask: Load, asked: Questions, slo: float, checker: Checker | None, say: Say
) -> tuple[Fired, Capacity | None]:
    await _first(url, ask, asked)
    found = await _capacity(url, ask, asked, slo, say) if ask.capacity else None
    count = 0

    def answered(number: int, status: int, body: bytes) -> None:
        nonlocal count
        count += 1
        if checker is not None:
            checker(number, status, body)

    total = ask.seconds + WARM_UP
    telling = asyncio.create_task(_tell(say, ask.rps * total, lambda: count))
    try:
        fired = await _fire(url, ask, asked, ask.rps, total, answered)
    finally:
        telling.cancel()
        with suppress(asyncio.CancelledError):
            await telling
    return fired.since(WARM_UP), found


async def _fire(
    url: str, ask: Load, asked: Questions, rps: float, seconds: float, on_answer: Answered | None
) -> Fired:
    return await fire(
        url, asked.body, rps, seconds, ask.connections, ask.headers,
        arrivals=ask.arrivals, on_answer=on_answer,
    )  # fmt: skip


async def _first(url: str, ask: Load, asked: Questions) -> None:
    """Ask once; raises UsageError LOAD-REFUSED with the server's words when that fails."""
    said: list[tuple[int, bytes]] = []
    await fire(
        url, asked.body, 1.0, 1.0, 1, ask.headers, patience=30.0,
        on_answer=lambda _, status, body: said.append((status, body)),
    )  # fmt: skip
    status, body = said[0] if said else (0, b"")
    if 200 <= status < 300:
        return
    error = _error(body)
    raise UsageError(
        "LOAD-REFUSED",
        f"the server does not answer a good request: {error.get('message') or 'no answer'}",
        where=url,
        got=f"HTTP {status}" if status else None,
        hint=str(error.get("try") or "see what the server says on its standard error"),
    )


def _error(body: bytes) -> dict[str, Any]:
    try:
        found: dict[str, Any] = msgspec.json.decode(body)["errors"][0]
    except (msgspec.DecodeError, LookupError, TypeError):
        return {}
    return found


async def _capacity(url: str, ask: Load, asked: Questions, slo: float, say: Say) -> Capacity:
    async def once(rps: float) -> Try:
        fired = await _fire(url, ask, asked, rps, SHORT, None)
        found = Try.of(rps, fired.since(SHORT / 5))
        good = "holds" if found.holds(slo) else "does not hold"
        say(f"{rps:,.0f} a second {good}: p99 {1e3 * found.p99:.1f} ms, {found.errors:.2%} errors")
        return found

    return await capacity(once, slo, seconds=SEARCH)


async def _tell(say: Say, total: float, count: Callable[[], int]) -> None:
    while True:
        await asyncio.sleep(EVERY)
        say(f"{count():,} of {total:,.0f} answered")
