"""Requests that wait until the ledger has something new."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

WAIT = 25.0
"""Seconds after which a request that waits is answered anyway."""

MOST = 200
"""Requests that wait at the same time; the one that waits longest is answered for a new one."""

Tell = Callable[[int], None]
"""Answers a request with the number that the next event will have."""


class News:
    """Requests that wait, and what they are told; on the loop's thread."""

    def __init__(self, next_: int = 0) -> None:
        self.next = next_
        self._waiting: dict[int, tuple[Tell, asyncio.TimerHandle]] = {}
        self._number = 0

    def ask(self, seen: int, tell: Tell) -> None:
        """Tell at once what is new to somebody who has seen the events up to `seen`, or wait."""
        if seen != self.next:
            tell(self.next)
            return
        if len(self._waiting) >= MOST:
            self._answer(next(iter(self._waiting)))
        self._number += 1
        timer = asyncio.get_running_loop().call_later(WAIT, self._answer, self._number)
        self._waiting[self._number] = (tell, timer)

    def set(self, next_: int) -> None:
        """Answer everybody where there is something new."""
        if next_ != self.next:
            self.next = next_
            self.close()

    def close(self) -> None:
        """Answer everybody."""
        for number in list(self._waiting):
            self._answer(number)

    def _answer(self, number: int) -> None:
        tell, timer = self._waiting.pop(number)
        timer.cancel()
        tell(self.next)
