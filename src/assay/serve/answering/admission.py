"""How much is taken on: what waits for one turn of the event loop is bounded by the SLO.

A request waits at most for the turn it arrived in and for its own. Each may take `PART` of the
SLO, so what is accepted is answered in time; what is above is refused at once, which costs little.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import lru_cache
from time import perf_counter

from assay.serve.http.message import Response
from assay.serve.problems import Rejected, envelope

PART = 0.4
"""Of the SLO, what the work of one turn may take."""
SPARE = 1.5
"""What a fallback may take of that: it answers when the model itself can take no more."""
EACH, TINY = 3e-5, 1e-6
"""Seconds that a request takes beside the model, until it is known; and the least of any cost."""
SLACK, LEAST = 0.25, 0.25
"""Of what a turn may take: what refusing may take on top, and what is taken on however much that
takes."""
BURST, AGAIN = 2.5, 30.0
"""What may be taken on beyond that in a single turn, and after how many seconds again as much."""
_RETRY = ((b"retry-after", b"1"),)


class Turn:
    """The work of one turn of the loop: how much was taken on, which is done when it ends.

    Work is counted by what it is known to cost, not by the clock of this turn: a moment in which
    the machine did something else is no reason to refuse. What comes in a burst after such a moment
    is taken on as well, up to `BURST` and not again soon. Refusing costs time, too, and where it
    costs much, less is taken on.
    """

    def __init__(self, end: Callable[[], None]) -> None:
        self._end = end
        self._began = self._taken = self._beside = self._refusing = 0.0
        self._limit = 1.0
        self._count, self._refused = 0, False
        self._each = Estimate(EACH)
        self._burst = BURST

    def full(self, limit: float) -> bool:
        """Say, before anything of a request is read, that this turn can take no more."""
        if self._count and self._over(self._each.value, limit):
            self._refuse()
        return self._refused

    def admits(self, cost: float, limit: float) -> bool:
        """Take on a request that the model needs `cost` seconds for, or say no.

        The first of a turn is always taken: what alone is slower than the SLO is still answered.
        """
        cost += self._each.value
        if not self._count:
            self._begin(limit)
        elif self._over(cost, limit):
            self._refuse()
            return False
        self._taken += cost
        self._count += 1
        return True

    def spares(self, cost: float, limit: float) -> bool:
        """Take on an answer that nobody waits for, or say no; neither has a request refused."""
        if not self._count or self._taken + self._beside + cost > limit * self._part:
            return False
        self._beside += cost
        return True

    def _begin(self, limit: float) -> None:
        now = perf_counter()
        self._burst = min(BURST, self._burst + (now - self._began) * BURST / AGAIN)
        self._began, self._limit = now, limit
        asyncio.get_running_loop().call_soon(self._close)

    @property
    def _part(self) -> float:
        """What may be taken on in a turn: less where refusing takes much of it."""
        return min(1.0, max(LEAST, 1.0 + SLACK - self._refusing))

    def _over(self, cost: float, limit: float) -> bool:
        return self._taken + cost > limit * (self._part + self._burst)

    def _refuse(self) -> None:
        """Answer what was accepted before more is refused."""
        self._refused = True
        self._end()

    def _close(self) -> None:
        self._end()
        seconds = perf_counter() - self._began - self._beside
        self._burst = max(0.0, self._burst - max(0.0, self._taken / self._limit - self._part))
        if self._refused:
            self._refusing = (seconds - self._taken) / self._limit
        else:
            known = self._taken - self._count * self._each.value
            self._each.learn(max(0.0, seconds - known) / self._count)
        self._taken, self._beside, self._count, self._refused = 0.0, 0.0, 0, False


class Queue:
    """Work for a thread, by its size in bytes: bounded by how long it will take."""

    def __init__(self) -> None:
        self._waiting = 0.0

    def admits(self, seconds: float, limit: float) -> bool:
        """Take on work of so many seconds, or say no; the first is always taken."""
        if self._waiting and self._waiting + seconds > limit:
            return False
        self._waiting += seconds
        return True

    def done(self, seconds: float) -> None:
        """Take note that work which was taken on as so many seconds is done."""
        self._waiting = max(0.0, self._waiting - seconds)


class Estimate:
    """What something costs, learned as it goes: a mean in which late costs count most.

    A cost counts as twice the mean at most, so that one odd moment does not change it much.
    """

    WEIGHT = 0.1

    def __init__(self, first: float) -> None:
        self.value = first

    def learn(self, cost: float) -> None:
        """Take note of what it cost this time."""
        self.value += self.WEIGHT * (min(cost, 2 * self.value + TINY) - self.value)


def overloaded(model: str) -> Rejected:
    """Return the error that says that there is too much to do now."""
    return Rejected(
        "SERVE-OVERLOADED",
        "there is more to do than can be done in time; nothing of this request was done",
        where=model,
        hint="wait as long as Retry-After says, then send it again",
    ).at(503, *_RETRY)


def busy(model: str) -> Response:
    """Return the response for `overloaded`, made once: refusing must cost little."""
    return Response(503, _busy(model), headers=_RETRY)


@lru_cache(256)
def _busy(model: str) -> bytes:
    return envelope([overloaded(model)])
