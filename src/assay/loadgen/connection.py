"""One connection to a server: a request at a time, its answer parsed by httptools (llhttp)."""

from __future__ import annotations

import asyncio
from typing import Protocol, cast

import httptools

IDLE = -1
_RETRY_AFTER = b"retry-after"


class Owner(Protocol):
    """Who is told what becomes of requests; they are known by their number."""

    def answered(self, connection: Connection, number: int, body: bytes) -> None:
        """Take an answer; the connection is idle again unless it is closing."""
        ...

    def lost(self, connection: Connection, number: int, kind: str) -> None:
        """Take the end of a connection, with the request that was under way on it, or IDLE."""
        ...


class Connection(asyncio.Protocol):
    """A connection that stays open; `status` and `told` are those of the latest answer.

    `told` says whether the answer had a Retry-After header, `closing` whether it was the last one
    on this connection.
    """

    def __init__(self, owner: Owner) -> None:
        self._owner = owner
        self._parser = httptools.HttpResponseParser(self)
        self._number, self._body = IDLE, b""
        self.status, self.told, self.closing = 0, False, False

    def send(self, number: int, request: bytes) -> None:
        """Write a whole request; its answer is reported under `number`."""
        self._number = number
        self._transport.write(request)

    def close(self) -> None:
        """Close without waiting for an answer."""
        self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Feed the parser, which calls the methods below."""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._end("garbled")
            self.close()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 (asyncio's)
        """Report the loss, once."""
        self._end("closed")

    def on_message_begin(self) -> None:
        """Forget the answer before."""
        self._body, self.told = b"", False

    def on_header(self, name: bytes, value: bytes) -> None:  # noqa: ARG002 (httptools')
        """Note the one header that anyone asks for."""
        if len(name) == len(_RETRY_AFTER) and name.lower() == _RETRY_AFTER:
            self.told = True

    def on_body(self, body: bytes) -> None:
        """Keep a part of the body."""
        self._body = self._body + body if self._body else body

    def on_message_complete(self) -> None:
        """Report the answer; one that nobody asked for ends the connection."""
        number, self._number = self._number, IDLE
        self.status = self._parser.get_status_code()
        self.closing = number == IDLE or not self._parser.should_keep_alive()
        if number != IDLE:
            self._owner.answered(self, number, self._body)
        if self.closing:
            self.close()

    def _end(self, kind: str) -> None:
        if not self._ended:
            self._ended = True
            self._owner.lost(self, self._number, kind)

    _ended = False
