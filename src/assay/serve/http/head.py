"""The head of a request: llhttp's reading of it, and the rules that llhttp leaves to a server."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from httptools import (
    HttpParserError,
    HttpParserInvalidMethodError,
    HttpParserUpgrade,
    HttpRequestParser,
)

from assay.serve.http.limits import Limits
from assay.serve.problems import Rejected

CHUNKED = -1
"""The length of a body that says by itself where it ends."""

END = b"\r\n\r\n"

_LINE = re.compile(rb"[A-Za-z][!-~]* ([!-~]+) HTTP/(\d\.\d)")
_REMEMBERED, _SHORT = 1024, 2048  # heads that are remembered, and bytes of the longest of them


@dataclass(slots=True)  # not frozen: to make one takes half as long so
class Head:
    """A request line and its headers, understood.

    HEAD is a `method` of GET, `bodiless`: the same answer without its body. `length` counts the
    bytes of the body, or is CHUNKED; `continues` says that the client waits for a word before it
    sends them. `old` is HTTP/1.0. Shared by equal requests: never changed.
    """

    method: str
    bodiless: bool
    path: str
    query: str
    headers: dict[bytes, bytes]
    length: int
    keep_alive: bool
    continues: bool
    old: bool


class Heads:
    """Reads heads, and remembers short ones: a client sends the same bytes again and again.

    `known` has nothing but heads of requests that keep the connection and whose body has a
    length that fits, so that a caller who finds one there can go on with the body at once.
    """

    def __init__(self, limits: Limits) -> None:
        self.known: dict[bytes, Head] = {}
        self._limits = limits

    def read(self, raw: bytes) -> Head:
        """Return the head in `raw`, which ends with END; raises Rejected."""
        head = self.known.get(raw)
        if head is None:
            head = read_head(raw, self._limits)
            plain = head.keep_alive and not head.continues and head.length != CHUNKED
            if plain and len(raw) <= _SHORT:
                if len(self.known) >= _REMEMBERED:
                    self.known.clear()
                self.known[raw] = head
        return head


def check_start(start: bytearray, limits: Limits) -> None:
    """Raise Rejected where the bytes so far cannot become the head of a request."""
    newline = start.find(b"\n")
    if not start[:1].isalpha() and start != b"\r":
        raise _malformed("it does not start with a method")
    if newline >= 0 and not start.startswith(b"\r", newline - 1):
        raise _malformed("a line ends without CR")
    if newline < 0 and len(start) > limits.target:
        raise _too_long_a_target(limits)
    if len(start) > limits.head:
        raise _too_long_a_head(limits)


def read_head(raw: bytes, limits: Limits) -> Head:
    """Return what a whole head says; raises Rejected with the status that HTTP has for it."""
    target, version = _request_line(raw, limits)
    method, pairs = _parse(raw)
    if len(pairs) > limits.headers:
        raise _too_long_a_head(limits)
    headers = _headers(pairs)
    old = version == b"1.0"
    if not old and b"host" not in headers:
        raise _malformed("HTTP/1.1 wants a host header")
    path, query = _split(method, target)
    length = _length(headers, limits, old=old)
    return Head(
        method="GET" if method == "HEAD" else method,
        bodiless=method == "HEAD",
        path=path,
        query=query,
        headers=headers,
        length=length,
        keep_alive=_keeps(headers, old=old),
        continues=_continues(headers) and length != 0 and not old,
        old=old,
    )


def _request_line(raw: bytes, limits: Limits) -> tuple[bytes, bytes]:
    """Return target and version of a request line that has the right form and size."""
    line = raw[: raw.index(b"\r\n")]
    if len(line) > limits.target:
        raise _too_long_a_target(limits)
    if len(raw) > limits.head:
        raise _too_long_a_head(limits)
    found = _LINE.fullmatch(line)
    if found is None:
        raise _malformed("the request line is not METHOD TARGET HTTP/VERSION")
    if found[2] not in {b"1.1", b"1.0"}:
        raise Rejected(
            "HTTP-VERSION",
            "this version of HTTP is not spoken here",
            got=f"HTTP/{found[2].decode()}",
            allowed=["HTTP/1.1", "HTTP/1.0"],
        ).at(505)
    return found[1], found[2]


class _Notes:
    """What llhttp calls back with."""

    def __init__(self) -> None:
        self.pairs: list[tuple[bytes, bytes]] = []

    def on_header(self, name: bytes, value: bytes) -> None:
        self.pairs.append((name, value))


def _parse(raw: bytes) -> tuple[str, list[tuple[bytes, bytes]]]:
    """Return method and headers as llhttp reads them, in its strict mode."""
    notes = _Notes()
    parser = HttpRequestParser(notes)
    try:
        parser.feed_data(raw)
    except HttpParserUpgrade:
        pass  # no upgrade is offered: a server may answer such a request as any other
    except HttpParserInvalidMethodError as error:
        method = raw[: raw.index(b" ")][:40].decode("ascii", "replace")
        raise _not_a_method(method) from error
    except HttpParserError as error:
        raise _malformed(str(error)) from error
    method = parser.get_method().decode()
    if method == "CONNECT":  # this is no proxy
        raise _not_a_method(method)
    return method, notes.pairs


def _headers(pairs: list[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    """Return headers by lower-case name; values of one name are joined as RFC 9110 (5.3) says."""
    headers: dict[bytes, bytes] = {}
    for name, value in pairs:
        key, value = name.lower(), value.strip(b" \t")
        if key not in headers:
            headers[key] = value
        elif key == b"host":
            raise _malformed("there are two host headers")
        else:
            headers[key] += b", " + value
    return headers


def _split(method: str, target: bytes) -> tuple[str, str]:
    """Return path and query of a target in origin-form, absolute-form, or the asterisk's."""
    text = target.decode("ascii")
    path, _, query = text.partition("?")
    if text.startswith(("http://", "https://")):  # a client that thinks this is a proxy
        try:
            parts = urlsplit(text)
        except ValueError as error:
            raise _malformed("the target is not a URL") from error
        path, query = parts.path or "/", parts.query
    elif not text.startswith("/") and (method, text) != ("OPTIONS", "*"):
        raise _malformed("the target does not start with a slash")
    if "#" in text:
        raise _malformed("the target has a fragment")
    return path, query


def _length(headers: dict[bytes, bytes], limits: Limits, *, old: bool) -> int:
    """Return the length of the body; one that could be read in two ways is refused."""
    coding = headers.get(b"transfer-encoding")
    length = headers.get(b"content-length")
    if coding is None:
        if length is None:
            return 0
        if not length.isdigit() or len(length) > 18:
            raise _malformed("content-length is not a number")
        if int(length) > limits.body:
            raise too_large(int(length), limits)
        return int(length)
    if length is not None or old:
        raise _malformed("the length of the body is said in two ways")
    if coding.lower() != b"chunked":
        raise Rejected(
            "HTTP-CODING",
            "this transfer coding is not spoken here",
            where="transfer-encoding",
            got=coding[:40].decode("latin-1"),
            allowed=["chunked"],
        ).at(501)
    return CHUNKED


def _keeps(headers: dict[bytes, bytes], *, old: bool) -> bool:
    said = headers.get(b"connection")
    if said is None:
        return not old
    words = {word.strip().lower() for word in said.split(b",")}
    return b"close" not in words and (not old or b"keep-alive" in words)


def _continues(headers: dict[bytes, bytes]) -> bool:
    expected = headers.get(b"expect")
    if expected is None:
        return False
    if expected.lower() != b"100-continue":
        raise Rejected(
            "HTTP-EXPECT",
            "this expectation cannot be met",
            where="expect",
            got=expected[:40].decode("latin-1"),
            allowed=["100-continue"],
        ).at(417)
    return True


def too_large(size: int, limits: Limits) -> Rejected:
    """Return the error for a body beyond the limit."""
    return Rejected(
        "HTTP-BODY-LARGE",
        "the body is larger than this server takes",
        where="body",
        got=size,
        allowed=[f"up to {limits.body} bytes"],
        hint="send fewer rows in a request, or raise serve.body in the project file",
    ).at(413)


def _malformed(why: str) -> Rejected:
    return Rejected("HTTP-SYNTAX", f"this is not an HTTP/1.1 request: {why}").at(400)


def _not_a_method(method: str) -> Rejected:
    return Rejected("HTTP-METHOD", "this method is not spoken here", got=method).at(501)


def _too_long_a_target(limits: Limits) -> Rejected:
    allowed = [f"up to {limits.target} bytes"]
    return Rejected("HTTP-TARGET-LONG", "the request line is too long", allowed=allowed).at(414)


def _too_long_a_head(limits: Limits) -> Rejected:
    allowed = [f"up to {limits.headers} headers and {limits.head} bytes"]
    return Rejected("HTTP-HEAD-LONG", "the headers are too long", allowed=allowed).at(431)
