"""A listener: one socket, its connections, the sweep that ends slow ones, and its own end."""

from __future__ import annotations

import asyncio
import dataclasses
import resource
import socket
import ssl
from time import perf_counter

from assay.serve.http.connection import Connection
from assay.serve.http.limits import Limits
from assay.serve.http.message import Route
from assay.serve.http.shared import Shared
from assay.serve.http.wire import date_line

_BACKLOG = 1024
_FILES = 192  # that a process keeps for other things than the connections it serves
_LAST_CALL = 0.05  # seconds in which requests on the wire arrive when a listener is drained


class Listener:
    """A server that answers on one socket until it is drained; made by `listen`."""

    def __init__(self, shared: Shared, server: asyncio.Server) -> None:
        self._shared, self._server = shared, server
        self._sweep()

    @property
    def connections(self) -> int:
        """How many connections are open."""
        return len(self._shared.connections)

    @property
    def total(self) -> int:
        """How many connections were opened so far."""
        return self._shared.total

    @property
    def refused(self) -> int:
        """How many connections were turned away because there were too many."""
        return self._shared.refused

    @property
    def timed_out(self) -> int:
        """How many connections were ended for being slow."""
        return self._shared.timed_out

    async def drain(self, seconds: float) -> int:
        """Accept no more, answer what is asked, and close; return how many had to be cut off.

        Requests already on the wire are answered too, with `connection: close`; connections that
        ask nothing are closed at once. What is not answered after `seconds` is cut off.
        """
        shared = self._shared
        self._server.close()
        shared.draining = True
        end = perf_counter() + seconds
        await asyncio.sleep(min(_LAST_CALL, seconds))
        for connection in list(shared.connections):
            connection.drain()
        while shared.connections and perf_counter() < end:
            await asyncio.sleep(0.01)
        cut = list(shared.connections)
        for connection in cut:
            connection.abort()
        while shared.connections:
            await asyncio.sleep(0)
        self._sweeper.cancel()
        return len(cut)

    def _sweep(self) -> None:
        shared, now = self._shared, perf_counter()
        shared.date = date_line()
        for connection in list(shared.connections):
            connection.expire(now)
        loop = asyncio.get_running_loop()
        self._sweeper = loop.call_later(shared.limits.sweep_seconds, self._sweep)


async def listen(
    route: Route, sock: socket.socket, limits: Limits, ssl: ssl.SSLContext | None = None
) -> Listener:
    """Answer what comes in on a bound socket by `route`, on the event loop that runs now.

    There are never more connections than the process may have files open, less some for others.
    """
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if files != resource.RLIM_INFINITY:
        most = min(limits.connections, max(files - _FILES, 1))
        limits = dataclasses.replace(limits, connections=most)
    shared = Shared(route, limits)
    loop = asyncio.get_running_loop()
    patience = None if ssl is None else limits.head_seconds
    server = await loop.create_server(
        lambda: Connection(shared),
        sock=sock,
        ssl=ssl,
        backlog=_BACKLOG,
        ssl_handshake_timeout=patience,
        ssl_shutdown_timeout=None if ssl is None else limits.linger_seconds,
    )
    return Listener(shared, server)
