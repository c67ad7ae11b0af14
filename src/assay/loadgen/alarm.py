"""A timer finer than the event loop's own, which counts in whole milliseconds."""

from __future__ import annotations

import asyncio
import ctypes
import os
import time
from collections.abc import Callable

_LIBC = ctypes.CDLL(None, use_errno=True)
_FLAGS = os.O_NONBLOCK | os.O_CLOEXEC
_LEAST = 2e-6
"""A timer that is set to zero never rings."""


class _Time(ctypes.Structure):
    """`struct itimerspec` of timerfd_settime(2): no interval, then seconds and nanoseconds."""

    _fields_ = [
        ("every_s", ctypes.c_long),
        ("every_ns", ctypes.c_long),
        ("first_s", ctypes.c_long),
        ("first_ns", ctypes.c_long),
    ]


class Alarm:
    """Calls `ring` on the event loop once, about 50 microseconds after the time it was set to.

    Where the system has no such timers (they are Linux's), the loop's own stand in.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, ring: Callable[[], None]) -> None:
        self._loop, self._ring = loop, ring
        self._fine = hasattr(_LIBC, "timerfd_create")
        if self._fine:
            self._time = _Time()
            self._fd: int = _LIBC.timerfd_create(time.CLOCK_MONOTONIC, _FLAGS)
            loop.add_reader(self._fd, self._rang)

    def set(self, delay: float) -> None:
        """Ring after `delay` seconds; an earlier setting is forgotten."""
        if not self._fine:
            self._loop.call_later(max(delay, 0.0), self._ring)
            return
        seconds, part = divmod(max(delay, _LEAST), 1.0)
        self._time.first_s, self._time.first_ns = int(seconds), int(part * 1e9)
        _LIBC.timerfd_settime(self._fd, 0, ctypes.byref(self._time), None)

    def close(self) -> None:
        """Ring no more."""
        if self._fine:
            self._loop.remove_reader(self._fd)
            os.close(self._fd)

    def _rang(self) -> None:
        os.read(self._fd, 8)
        self._ring()
