"""An open-loop load generator: requests leave when they are due, whatever became of earlier ones.

A closed loop waits for an answer before it asks again, so a server that stalls is asked less and
its stall is seen once ("coordinated omission", Tene 2013). Here the clock of a request starts when
it was due, also while it waits for a free connection.
"""

from __future__ import annotations

import asyncio
import gc
import ssl
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlsplit

import numpy as np

from assay.errors import UsageError
from assay.loadgen.alarm import Alarm
from assay.loadgen.connection import IDLE, Connection
from assay.loadgen.fired import KINDS, Fired, Floats

Body = Callable[[int], bytes]
"""Gives the body of a request by its number."""

Answered = Callable[[int, int, bytes], None]
"""Takes the number of a request, the status and the body of its answer."""

AGAIN = 0.02
"""Seconds before a lost connection is tried again."""


@dataclass(frozen=True)
class Aim:
    """Where requests go: the address, and all of a request up to the length of its body."""

    host: str
    port: int
    secure: bool
    head: bytes

    @classmethod
    def at(cls, url: str, headers: Mapping[str, str]) -> Aim:
        """Read a URL; raises UsageError LOAD-URL when it is not one of HTTP."""
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise UsageError(
                "LOAD-URL",
                "this is not the address of a server",
                got=url,
                allowed=["http://HOST:PORT/predict", "https://HOST/predict"],
            )
        secure = parts.scheme == "https"
        sent = {"host": parts.netloc, "content-type": "application/json", **headers}
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        lines = [f"POST {target} HTTP/1.1", *(f"{name}: {value}" for name, value in sent.items())]
        head = "\r\n".join([*lines, "content-length: "]).encode()
        return cls(parts.hostname, parts.port or (443 if secure else 80), secure, head)

    def request(self, body: bytes) -> bytes:
        """Return the bytes of a request with this body."""
        return b"%b%d\r\n\r\n%b" % (self.head, len(body), body)


def schedule(
    rps: float, seconds: float, arrivals: Literal["constant", "poisson"] = "constant", seed: int = 0
) -> Floats:
    """Return when requests are due, in seconds: evenly, or as independent callers would come."""
    if arrivals == "constant":
        return np.arange(max(round(rps * seconds), 1)) / rps
    rng = np.random.default_rng(seed)
    count = int(rps * seconds + 6 * (rps * seconds) ** 0.5) + 10
    due = np.cumsum(rng.exponential(1 / rps, count))
    return due[due < seconds]


async def fire(
    url: str,
    body_of: Body,
    rps: float,
    seconds: float,
    connections: int = 32,
    headers: Mapping[str, str] | None = None,
    *,
    arrivals: Literal["constant", "poisson"] = "constant",
    seed: int = 0,
    patience: float = 2.0,
    on_answer: Answered | None = None,
) -> Fired:
    """Ask `rps` times a second for `seconds`, and wait at most `patience` for the last answers.

    At most `connections` requests are under way; the others wait, their clocks running. Raises
    UsageError: LOAD-URL, or LOAD-NO-SERVER when nothing listens there.
    """
    due = schedule(rps, seconds, arrivals, seed)
    return await fire_at(url, body_of, due, connections, headers, patience, on_answer)


async def fire_at(
    url: str,
    body_of: Body,
    due: Floats,
    connections: int = 32,
    headers: Mapping[str, str] | None = None,
    patience: float = 2.0,
    on_answer: Answered | None = None,
) -> Fired:
    """Ask at the times `due`, (n,) in seconds and in order; else as `fire`."""
    firing = _Firing(Aim.at(url, headers or {}), body_of, due.tolist(), on_answer)
    try:
        await firing.connect(connections)
        with _undisturbed():
            await firing.run(patience)
    finally:
        firing.close()
    return firing.result()


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Collect no garbage meanwhile: a pause of ours would look like one of the server's."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


@dataclass
class _Firing:
    """The requests under way, and those that wait for a connection."""

    aim: Aim
    body_of: Body
    due: list[float]
    on_answer: Answered | None
    free: deque[Connection] = field(default_factory=deque)
    waiting: deque[int] = field(default_factory=deque)
    opened: set[Connection] = field(default_factory=set)
    tasks: set[asyncio.Task[None]] = field(default_factory=set)
    next: int = 0
    left: int = 0
    closed: bool = False

    def __post_init__(self) -> None:
        n = self.left = len(self.due)
        self.taken, self.lag = [0.0] * n, [0.0] * n
        self.status, self.kind, self.told = [0] * n, [0] * n, [False] * n

    async def connect(self, connections: int) -> None:
        """Open the connections before the clock starts."""
        try:
            await asyncio.gather(*(self._open() for _ in range(connections)))
        except OSError as error:
            raise UsageError(
                "LOAD-NO-SERVER",
                f"nothing answers at this address: {error.strerror or error}",
                got=f"{self.aim.host}:{self.aim.port}",
                hint="start it with `assay serve NAME`, or leave --url out",
            ) from error

    async def run(self, patience: float) -> None:
        """Send every request at its time; come back when all are answered or given up."""
        loop = asyncio.get_running_loop()
        self.done: asyncio.Future[None] = loop.create_future()
        self.alarm = Alarm(loop, self._ring)
        self.started = time.perf_counter()
        self.due = [self.started + at for at in self.due]
        try:
            self._ring()
            last = self.due[-1] + patience - time.perf_counter() if self.due else 0.0
            await asyncio.wait([self.done], timeout=last)
        finally:
            self.alarm.close()
        now = time.perf_counter()
        for number, kind in enumerate(self.kind):
            if not kind and not self.status[number]:
                self._fail(number, "unanswered", now)

    def close(self) -> None:
        """Close every connection."""
        self.closed = True
        for task in self.tasks:
            task.cancel()
        for connection in list(self.opened):
            connection.close()

    def result(self) -> Fired:
        """Return what came of the requests."""
        return Fired(
            self.started,
            np.array(self.due) - self.started,
            np.array(self.taken),
            np.array(self.status, dtype=np.int16),
            np.array(self.kind, dtype=np.int8),
            np.array(self.lag),
            np.array(self.told, dtype=np.bool_),
        )

    def _ring(self) -> None:
        """Send what is due, and set the alarm for what is next."""
        now, number, due = time.perf_counter(), self.next, self.due
        while number < len(due) and due[number] <= now:
            self.lag[number] = now - due[number]
            if self.free:
                self._send(self.free.popleft(), number)
            else:
                self.waiting.append(number)
            number += 1
        self.next = number
        if number < len(due):
            self.alarm.set(due[number] - time.perf_counter())

    def _send(self, connection: Connection, number: int) -> None:
        connection.send(number, self.aim.request(self.body_of(number)))

    def answered(self, connection: Connection, number: int, body: bytes) -> None:
        """Note an answer, and use the connection for the next that waits."""
        self.taken[number] = time.perf_counter() - self.due[number]
        self.status[number], self.told[number] = connection.status, connection.told
        self._one_less()
        if self.on_answer is not None:
            self.on_answer(number, connection.status, body)
        if not connection.closing:
            self._use(connection)

    def lost(self, connection: Connection, number: int, kind: str) -> None:
        """Note the request that was under way, and open another connection."""
        if self.closed:
            return
        self.opened.discard(connection)
        if connection in self.free:
            self.free.remove(connection)
        if number != IDLE:
            self._fail(number, kind, time.perf_counter())
        task = asyncio.get_running_loop().create_task(self._open_again())
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    def _use(self, connection: Connection) -> None:
        if self.waiting:
            self._send(connection, self.waiting.popleft())
        else:
            self.free.append(connection)

    def _fail(self, number: int, kind: str, now: float) -> None:
        self.taken[number], self.kind[number] = now - self.due[number], KINDS.index(kind)
        self._one_less()

    def _one_less(self) -> None:
        self.left -= 1
        if self.left == 0 and not self.done.done():
            self.done.set_result(None)

    async def _open(self) -> None:
        context = ssl.create_default_context() if self.aim.secure else None
        _, connection = await asyncio.get_running_loop().create_connection(
            lambda: Connection(self), self.aim.host, self.aim.port, ssl=context
        )
        self.opened.add(connection)
        self._use(connection)

    async def _open_again(self) -> None:
        while not self.closed:
            try:
                await self._open()
            except OSError:
                while self.waiting and not self.opened:  # nobody listens at all
                    self._fail(self.waiting.popleft(), "refused", time.perf_counter())
                await asyncio.sleep(AGAIN)
            else:
                return
