"""A listener in a thread, as a client on the loopback interface meets it."""

from __future__ import annotations

import asyncio
import hashlib
import socket
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec
import uvloop

from assay.serve.http.limits import Limits
from assay.serve.http.listen import Listener, listen
from assay.serve.http.message import Reply, Request, Response, Route

QUICK = Limits(
    body=1_000_000,
    head_seconds=0.3,
    body_seconds=0.3,
    reply_seconds=0.3,
    idle_seconds=0.3,
    write_seconds=0.3,
    linger_seconds=0.3,
    sweep_seconds=0.02,
)
"""Limits with times that a test can wait for."""

PATIENT = Limits(body=1_000_000, sweep_seconds=0.05)


def echo(request: Request, reply: Reply) -> None:
    """Answer with what was understood of the request."""
    reply(Response(200, msgspec.json.encode(understood(request))))


def understood(request: Request) -> dict[str, Any]:
    return {
        "method": request.method,
        "path": request.path,
        "query": request.query,
        "length": len(request.body),
        "digest": hashlib.sha256(request.body).hexdigest(),
        "headers": [name.decode("latin-1") for name in request.headers],
    }


class Running:
    """A listener on a free port; `with` ends it."""

    def __init__(
        self, route: Route = echo, limits: Limits = PATIENT, tls: ssl.SSLContext | None = None
    ) -> None:
        self._sock = socket.socket()
        self._sock.bind(("127.0.0.1", 0))
        self.port: int = self._sock.getsockname()[1]
        self._route, self._limits, self._tls = route, limits, tls
        self._ready = threading.Event()
        self.loop = uvloop.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        self.loop.run_until_complete(self._listen())
        self._ready.set()
        self.loop.run_forever()
        self.loop.close()

    async def _listen(self) -> None:
        self.listener: Listener = await listen(self._route, self._sock, self._limits, self._tls)

    def __enter__(self) -> Running:
        self._thread.start()
        assert self._ready.wait(5)
        return self

    def __exit__(self, *_: object) -> None:
        self.drain(0)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(5)
        assert not self._thread.is_alive()

    def drain(self, seconds: float) -> int:
        """Drain the listener from outside of its thread; return how many were cut off."""
        return self.start_drain(seconds)()

    def start_drain(self, seconds: float) -> Callable[[], int]:
        ends = asyncio.run_coroutine_threadsafe(self.listener.drain(seconds), self.loop)
        return lambda: ends.result(seconds + 5)

    def connect(self) -> Client:
        """Return a new connection to the listener."""
        return Client(socket.create_connection(("127.0.0.1", self.port), timeout=5))

    def waits_for(self, condition: Callable[[Listener], bool], seconds: float = 5) -> None:
        """Wait until something is true of the listener."""
        until(lambda: condition(self.listener), seconds)


class Client:
    """A connection, from a client's side."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self._read = sock.makefile("rb")

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self._read.close()
        self.sock.close()

    def send(self, *pieces: bytes, pause: float = 0) -> None:
        """Send bytes, with pauses between the pieces."""
        for piece in pieces:
            self.sock.sendall(piece)
            time.sleep(pause)

    def end(self) -> None:
        """Say that nothing more will be sent."""
        self.sock.shutdown(socket.SHUT_WR)

    def answer(self, *, head: bool = False) -> Answer:
        """Read one response; to HEAD, its head only."""
        line = self._read.readline()
        version, _, rest = line.partition(b" ")
        assert version == b"HTTP/1.1", line
        headers = {}
        while (line := self._read.readline()) != b"\r\n":
            assert line.endswith(b"\r\n"), line
            name, _, value = line[:-2].partition(b": ")
            assert name not in headers, name
            headers[name.decode()] = value.decode()
        length = 0 if head else int(headers.get("content-length", 0))
        return Answer(int(rest[:3]), headers, self._read.read(length))

    def rest(self) -> bytes:
        """Return what comes until the other side closes; fails when it does not."""
        try:
            return self._read.read()
        except ConnectionResetError:
            return b"(reset)"


@dataclass(frozen=True)
class Answer:
    """One response, as it came."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return msgspec.json.decode(self.body)

    @property
    def problem(self) -> dict[str, Any]:
        """The first error of the envelope, on a connection that ends."""
        assert self.headers["connection"] == "close"
        assert self.headers["content-type"] == "application/json"
        assert self.json["ok"] is False
        return self.json["errors"][0]  # type: ignore[no-any-return]


def until(condition: Callable[[], bool], seconds: float = 5) -> None:
    """Wait until something is true, and fail when it does not become so."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.001)


def post(body: bytes, path: str = "/predict", extra: bytes = b"") -> bytes:
    """Return a request of the plainest kind."""
    return b"POST %b HTTP/1.1\r\nHost: x\r\n%bContent-Length: %d\r\n\r\n%b" % (
        path.encode(),
        extra,
        len(body),
        body,
    )
