"""Small real servers whose delays are known."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator

import httptools
import pytest

OK = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}"

Act = Callable[["Server", "Talk", bytes], None]


class Talk(asyncio.Protocol):
    """A connection to the server; `act` decides what becomes of each request."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.parser = httptools.HttpRequestParser(self)
        self.body = b""

    def connection_made(self, transport) -> None:
        self.transport = transport
        self.server.connections += 1
        self.server.talks.add(self)

    def connection_lost(self, exc) -> None:
        self.server.talks.discard(self)

    def data_received(self, data: bytes) -> None:
        self.parser.feed_data(data)

    def on_message_begin(self) -> None:
        self.body = b""

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        self.server.requests += 1
        self.server.act(self.server, self, self.body)

    def answer(self, data: bytes = OK) -> None:
        if not self.transport.is_closing():
            self.transport.write(data)


class Server:
    """A server on a thread of its own; `began` is when it got its first request."""

    def __init__(self, act: Act) -> None:
        self.act = act
        self.requests = self.connections = 0
        self.began: float | None = None
        self.talks: set[Talk] = set()
        self._up = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)
        self._thread.start()
        assert self._up.wait(5)

    async def _serve(self) -> None:
        self.loop = asyncio.get_running_loop()
        self._end = asyncio.Event()
        server = await self.loop.create_server(lambda: Talk(self), "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/predict"
        self._up.set()
        await self._end.wait()
        # asyncio leaves a connection open that is made after its server was closed
        for listening in server.sockets:
            self.loop.remove_reader(listening.fileno())
        while accepting := asyncio.all_tasks() - {asyncio.current_task()}:
            await asyncio.wait(accepting)
        server.close()
        while self.talks:
            for talk in list(self.talks):
                talk.transport.abort()
            await asyncio.sleep(0.002)

    def since(self) -> float:
        """Return the seconds since the first request."""
        now = time.perf_counter()
        self.began = now if self.began is None else self.began
        return now - self.began

    def stop(self) -> None:
        if self._thread.is_alive():
            self.loop.call_soon_threadsafe(self._end.set)
            self._thread.join(5)


@pytest.fixture
def serve() -> Iterator[Callable[[Act], Server]]:
    """Return a function that starts a server."""
    started: list[Server] = []

    def start(act: Act) -> Server:
        started.append(Server(act))
        return started[-1]

    yield start
    for server in started:
        server.stop()
