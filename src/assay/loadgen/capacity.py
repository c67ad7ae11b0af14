"""The highest rate at which a server keeps its promise: doubling, then bisection."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from assay.loadgen.fired import Fired

ERRORS = 0.001
"""The share of requests that may fail at the capacity."""

START, LEAST = 100.0, 2.0
"""Requests a second: where the search begins, and below what it gives up."""

NEAR = 1.06
"""The search ends when the rate that failed is at most so many times the one that held."""


@dataclass(frozen=True)
class Try:
    """A short run: its rate, the 99th percentile in seconds, the share of errors, and the lateness.

    `late` is the 99th percentile of the generator's own lateness.
    """

    rps: float
    p99: float
    errors: float
    late: float

    @classmethod
    def of(cls, rps: float, fired: Fired) -> Try:
        """Summarise what was fired at a rate."""
        return cls(rps, fired.quantile(0.99).value, fired.errors / fired.requests, fired.late)

    def holds(self, slo: float) -> bool:
        """Return whether the promise of `slo` seconds was kept."""
        return self.p99 <= slo and self.errors < ERRORS


@dataclass(frozen=True)
class Capacity:
    """The highest rate that held twice, 0 when none did, and every try in order.

    `by_generator` says that the generator could not ask faster: the server might take more.
    """

    rps: float
    tries: tuple[Try, ...]
    by_generator: bool = False


Ask = Callable[[float], Awaitable[Try]]
"""Asks at a rate for a short while."""


async def capacity(ask: Ask, slo: float, *, seconds: float, start: float = START) -> Capacity:
    """Look for the highest rate whose 99th percentile keeps `slo` with under 0.1 % errors.

    A rate holds or fails when two tries of it agree, so that a moment of other work on the machine
    decides nothing; while the rate is doubled, one try that holds is enough. After `seconds` only
    the rate that is found is tried once more, if it has to be.
    """
    search, end = _Search(ask, slo), time.monotonic() + seconds
    while time.monotonic() < end and await search.climbs(start):
        start *= 2
    while time.monotonic() < end and not search.settled:
        await search.agrees(search.next)
    if search.held and not search.sure:
        await search.agrees(search.held)
    return Capacity(search.held if search.sure else 0.0, tuple(search.tries), search.by_generator)


class _Search:
    """The tries so far, and the rates between which the capacity lies; `held` is `sure` or not."""

    def __init__(self, ask: Ask, slo: float) -> None:
        self._ask, self._slo = ask, slo
        self.tries: list[Try] = []
        self.held, self.failed = 0.0, float("inf")
        self.sure = self.by_generator = False

    @property
    def settled(self) -> bool:
        """Return whether there is nothing more to find."""
        return self.failed <= LEAST or (self.sure and self.failed <= NEAR * self.held)

    @property
    def next(self) -> float:
        """Return the rate to try: the middle, or the one that held once where that is near."""
        near = self.failed <= NEAR * self.held
        return self.held if near else (self.held + self.failed) / 2

    async def climbs(self, rate: float) -> bool:
        """Return whether a rate holds at the first try, or at two of three."""
        if await self._holds(rate):
            self.held, self.sure = rate, False
            return True
        return await self.agrees(rate)

    async def agrees(self, rate: float) -> bool:
        """Try a rate until two tries of it agree, and return whether it holds."""
        held = sum(t.holds(self._slo) for t in self.tries if t.rps == rate)
        failed = sum(t.rps == rate for t in self.tries) - held
        while held < 2 and failed < 2:
            good = await self._holds(rate)
            held, failed = held + good, failed + (not good)
        if held == 2:
            self.held, self.sure = rate, True
            return True
        self.failed = rate
        if rate == self.held:
            self.held, self.sure = rate / 2, False
        self.by_generator = any(t.late > self._slo / 2 for t in self.tries if t.rps == rate)
        return False

    async def _holds(self, rate: float) -> bool:
        found = await self._ask(rate)
        self.tries.append(found)
        return found.holds(self._slo)
