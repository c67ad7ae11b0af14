"""From a response to the bytes on the wire, in one piece."""

from __future__ import annotations

import re
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus

from assay.serve.http.message import Response

CLOSE = b"connection: close\r\n"
KEEP = b"connection: keep-alive\r\n"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"

_BREAKS = re.compile(rb"[\r\n\0]")


def encode(response: Response, date: bytes, connection: bytes, *, bodiless: bool = False) -> bytes:
    """Return the bytes of a response; `date` and `connection` are header lines, or empty.

    A `bodiless` one has the length of its body but not the body, as the answer to HEAD.
    Raises: ValueError for a header that would break out of its line.
    """
    body = response.body
    return b"%b%d\r\n%b%b%b\r\n%b" % (
        _start(response.status, response.type),
        len(body),
        date,
        connection,
        _lines(response.headers) if response.headers else b"",
        b"" if bodiless else body,
    )


def date_line() -> bytes:
    """Return the header line that says what time it is."""
    return f"date: {formatdate(usegmt=True)}\r\n".encode()


@lru_cache(maxsize=256)
def _start(status: int, kind: bytes) -> bytes:
    phrase = HTTPStatus(status).phrase
    head = f"HTTP/1.1 {status} {phrase}\r\n".encode()
    return head + _lines(((b"content-type", kind),)) + b"content-length: "


def _lines(headers: tuple[tuple[bytes, bytes], ...]) -> bytes:
    for name, value in headers:
        if _BREAKS.search(name) or _BREAKS.search(value):
            raise ValueError(f"a line break in the response header {name!r}")
    return b"".join([b"%b: %b\r\n" % pair for pair in headers])
