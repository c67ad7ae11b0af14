"""A request, a response, and the one callable type that every route is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


class Request:
    """One HTTP request, whole; header names are lower-case bytes, and nobody changes them.

    HEAD comes as GET: the same is answered, and the body is not sent.
    `arrived` is `time.perf_counter()` when its last byte had been read. `path` is still
    percent-encoded; `query` is what follows the question mark. `id` is the caller's or made by
    `app.App`, which sets it before a route sees the request.
    """

    __slots__ = ("arrived", "body", "headers", "id", "method", "path", "query")

    def __init__(
        self,
        method: str,
        path: str,
        query: str,
        headers: dict[bytes, bytes],
        body: bytes,
        arrived: float,
    ) -> None:
        self.method, self.path, self.query = method, path, query
        self.headers, self.body, self.arrived = headers, body, arrived
        self.id = ""


@dataclass(slots=True)
class Response:
    """One HTTP response, whole."""

    status: int
    body: bytes = b""
    type: bytes = b"application/json"
    headers: tuple[tuple[bytes, bytes], ...] = ()


Reply = Callable[[Response], None]
"""Takes the response, once, on the thread of the event loop, now or later."""

Route = Callable[[Request, Reply], None]
"""Answers a request by calling its reply; what it raises becomes a response by `app.App`."""
