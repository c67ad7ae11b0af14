"""What no client should send: each gets the right refusal, and the next client is served."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
from http_listener import QUICK, Running, post
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

H = b"Host: x\r\n"
POST = b"POST / HTTP/1.1\r\n" + H
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
SYNTAX, CHUNKS = (400, "HTTP-SYNTAX"), (400, "HTTP-CHUNKS")

REFUSED: dict[str, tuple[bytes, int, str]] = {
    "a TLS hello": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", *SYNTAX),
    "zeros": (bytes(100), *SYNTAX),
    "no request line": (b"hello\r\n\r\n", *SYNTAX),
    "HTTP/0.9": (b"GET /\r\n\r\n", *SYNTAX),
    "a response": (b"HTTP/1.1 200 OK\r\n\r\n", *SYNTAX),
    "a space first": (b" GET / HTTP/1.1\r\n" + H + b"\r\n", *SYNTAX),
    "two spaces": (b"GET  / HTTP/1.1\r\n" + H + b"\r\n", *SYNTAX),
    "a space in the target": (b"GET /a b HTTP/1.1\r\n" + H + b"\r\n", *SYNTAX),
    "a tab for a space": (b"GET\t/ HTTP/1.1\r\n" + H + b"\r\n", *SYNTAX),
    "lines end in LF": (b"GET / HTTP/1.1\nHost: x\n\n", *SYNTAX),
    "a header ends in LF": (b"GET / HTTP/1.1\r\nHost: x\nA: b\r\n\r\n", *SYNTAX),
    "a header ends in CR": (b"GET / HTTP/1.1\r\nHost: x\rA: b\r\n\r\n", *SYNTAX),
    "a folded header": (b"GET / HTTP/1.1\r\nHost: x\r\n y\r\n\r\n", *SYNTAX),
    "a space before the colon": (b"GET / HTTP/1.1\r\nHost : x\r\n\r\n", *SYNTAX),
    "a header without a name": (b"GET / HTTP/1.1\r\n: x\r\n" + H + b"\r\n", *SYNTAX),
    "a header without a colon": (b"GET / HTTP/1.1\r\nHost\r\n\r\n", *SYNTAX),
    "NUL in a header": (b"GET / HTTP/1.1\r\nHost: x\x00\r\n\r\n", *SYNTAX),
    "a name beyond ASCII": (b"GET / HTTP/1.1\r\nH\xc3\xb6st: x\r\n\r\n", *SYNTAX),
    "a target beyond ASCII": (b"GET /\xc3\xb6 HTTP/1.1\r\n" + H + b"\r\n", *SYNTAX),
    "NUL in the target": (b"GET /\x00 HTTP/1.1\r\n" + H + b"\r\n", *SYNTAX),
    "no host": (b"GET / HTTP/1.1\r\n\r\n", *SYNTAX),
    "two hosts": (b"GET / HTTP/1.1\r\n" + H + H + b"\r\n", *SYNTAX),
    "a target without a slash": (b"GET a HTTP/1.1\r\n" + H + b"\r\n", *SYNTAX),
    "an asterisk to GET": (b"GET * HTTP/1.1\r\n" + H + b"\r\n", *SYNTAX),
    "a broken URL": (b"GET http://[::1 HTTP/1.1\r\n" + H + b"\r\n", *SYNTAX),
    "a fragment": (b"GET /#a HTTP/1.1\r\n" + H + b"\r\n", *SYNTAX),
    "length and chunks": (
        POST + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", *SYNTAX),
    "chunks and length": (
        POST + b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n", *SYNTAX),
    "two lengths": (POST + b"Content-Length: 4\r\nContent-Length: 5\r\n\r\nabcde", *SYNTAX),
    "one length twice": (POST + b"Content-Length: 1\r\nContent-Length: 1\r\n\r\na", *SYNTAX),
    "a list of lengths": (POST + b"Content-Length: 1, 1\r\n\r\na", *SYNTAX),
    "a length with a sign": (POST + b"Content-Length: +1\r\n\r\na", *SYNTAX),
    "a negative length": (POST + b"Content-Length: -1\r\n\r\n", *SYNTAX),
    "a hexadecimal length": (POST + b"Content-Length: 0x1\r\n\r\na", *SYNTAX),
    "an empty length": (POST + b"Content-Length: \r\n\r\n", *SYNTAX),
    "a length beyond 64 bits": (POST + b"Content-Length: " + b"9" * 30 + b"\r\n\r\n", *SYNTAX),
    "chunks in HTTP/1.0": (
        b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", *SYNTAX),
    "a coding that is not last": (
        POST + b"Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n", *SYNTAX),
    "almost chunked": (POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", *SYNTAX),
    "chunked after a tab": (
        POST + b"Transfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n", *SYNTAX),
    "gzip in chunks": (
        POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501, "HTTP-CODING"),
    "chunked twice": (
        POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        *SYNTAX),
    "a size that is no number": (CHUNKED + b"xy\r\n", *CHUNKS),
    "a negative size": (CHUNKED + b"-1\r\n", *CHUNKS),
    "a size with 0x": (CHUNKED + b"0x1\r\na\r\n", *CHUNKS),
    "a size of 17 digits": (
        CHUNKED + b"0" * 16 + b"1\r\na\r\n", *CHUNKS),
    "a chunk too long": (CHUNKED + b"1\r\nab\r\n", *CHUNKS),
    "a chunk without its end": (CHUNKED + b"3\r\nabcxx0\r\n\r\n", *CHUNKS),
    "a chunk line ends in LF": (
        CHUNKED + b"1\na\r\n", *CHUNKS),
    "an endless extension": (
        CHUNKED + b"1;" + b"a" * 300, *CHUNKS),
    "endless trailers": (
        CHUNKED + b"0\r\n" + b"A: b\r\n" * 5000, *CHUNKS),
    "dust": (CHUNKED + b"1\r\na\r\n" * 20_001, *CHUNKS),
    "an enormous chunk": (
        CHUNKED + b"FFFFFFFFFFFFFFFF\r\na", 413, "HTTP-BODY-LARGE"),
    "an enormous body": (POST + b"Content-Length: 999999999999\r\n\r\n", 413, "HTTP-BODY-LARGE"),
    "one byte too many": (POST + b"Content-Length: 1000001\r\n\r\n", 413, "HTTP-BODY-LARGE"),
    "an endless target": (b"GET /" + b"a" * 9000, 414, "HTTP-TARGET-LONG"),
    "a long target": (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\n\r\n", 414, "HTTP-TARGET-LONG"),
    "endless headers": (b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 4000, 431, "HTTP-HEAD-LONG"),
    "a long header": (
        b"GET / HTTP/1.1\r\nA: " + b"a" * 20000 + b"\r\n\r\n", 431, "HTTP-HEAD-LONG"),
    "many headers": (
        b"GET / HTTP/1.1\r\n" + H + b"A: b\r\n" * 101 + b"\r\n", 431, "HTTP-HEAD-LONG"),
    "an unknown method": (b"BREW / HTTP/1.1\r\n" + H + b"\r\n", 501, "HTTP-METHOD"),
    "a method in small letters": (b"get / HTTP/1.1\r\n" + H + b"\r\n", 501, "HTTP-METHOD"),
    "a proxy's method": (b"CONNECT x:80 HTTP/1.1\r\n" + H + b"\r\n", 501, "HTTP-METHOD"),
    "HTTP/2's preface": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, "HTTP-VERSION"),
    "HTTP/1.2": (b"GET / HTTP/1.2\r\n" + H + b"\r\n", 505, "HTTP-VERSION"),
    "HTTP/0.9 by name": (b"GET / HTTP/0.9\r\n\r\n", 505, "HTTP-VERSION"),
    "another protocol": (b"DESCRIBE / RTSP/1.0\r\n\r\n", *SYNTAX),
    "an odd expectation": (POST + b"Expect: a miracle\r\n\r\n", 417, "HTTP-EXPECT"),
}  # fmt: skip

ANSWERED: dict[str, bytes] = {
    "TRACE, which the route refuses": b"TRACE / HTTP/1.1\r\n" + H + b"\r\n",
    "an absolute target": b"GET http://x:80/a?b HTTP/1.1\r\n" + H + b"\r\n",
    "empty lines first": b"\r\n\r\n\r\nGET / HTTP/1.1\r\n" + H + b"\r\n",
    "an asterisk to OPTIONS": b"OPTIONS * HTTP/1.1\r\n" + H + b"\r\n",
    "an upgrade to HTTP/2": (
        b"GET / HTTP/1.1\r\n" + H + b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
        b"HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\n"),
    "an upgrade to a web socket": (
        b"GET / HTTP/1.1\r\n" + H + b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n"),
    "an upgrade with a body": (
        POST + b"Connection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 3\r\n\r\nabc"),
    "a value beyond ASCII": b"GET / HTTP/1.1\r\n" + H + b"Cookie: \xff\xfe\r\n\r\n",
    "a look-alike of a length": POST + b"Content_Length: 5\r\n\r\n",
    "a chunk with an extension": (
        POST + b"Transfer-Encoding: Chunked\r\n\r\n3;a=b\r\nabc\r\n0\r\nA: b\r\n\r\n"),
}  # fmt: skip


@pytest.fixture(scope="module")
def server() -> Iterator[Running]:
    with Running(limits=QUICK) as running:
        yield running


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_wrong_is_refused_with_its_status(server: Running, name: str) -> None:
    data, expected, code = REFUSED[name]
    with server.connect() as client:
        client.send(data)
        answer = client.answer()
        client.end()
        assert client.rest() == b""  # and that was the end
    assert (answer.status, answer.problem["code"]) == (expected, code)
    assert b"Traceback" not in answer.body


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_wrong_is_refused_when_it_comes_in_pieces(server: Running, name: str) -> None:
    data, expected, _ = REFUSED[name]
    with server.connect() as client:
        client.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client.send(data[:1], data[1:20], data[20:], pause=0.001)
        answer = client.answer()
    assert answer.status == expected
    assert answer.problem["message"]


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_wrong_cannot_hide_behind_a_good_request(server: Running, name: str) -> None:
    data, expected, _ = REFUSED[name]
    with server.connect() as client:
        client.send(post(b"first") + data)
        assert client.answer().json["length"] == 5
        assert client.answer().status == expected


@pytest.mark.parametrize("name", ANSWERED)
def test_what_is_only_odd_is_answered(server: Running, name: str) -> None:
    with server.connect() as client:
        client.send(ANSWERED[name] + post(b"next"))
        assert client.answer().status == 200
        assert client.answer().json["length"] == 4


FRAGMENTS = st.sampled_from([
    b"GET ", b"POST ", b"/", b" HTTP/1.1", b"\r\n", b"\r\n\r\n", b"\n", b"\r", b"Host: x", b": ",
    b"Content-Length: ", b"3", b"Transfer-Encoding: chunked", b"0\r\n\r\n", b"5\r\nhello\r\n",
    b"Connection: ", b"close", b"Upgrade: h2c", b"Expect: 100-continue", b"\x00", b" ", b"{}",
])  # fmt: skip
GARBAGE = st.one_of(
    st.binary(max_size=300),
    st.lists(FRAGMENTS, max_size=30).map(b"".join),
    st.tuples(st.sampled_from(list(ANSWERED.values())), st.integers(0, 80), st.binary(max_size=3))
    .map(lambda case: case[0][: case[1]] + case[2] + case[0][case[1] :]),
)  # fmt: skip


@settings(
    max_examples=400, deadline=2000, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=GARBAGE)
def test_garbage_is_answered_or_closed_and_never_hangs(server: Running, data: bytes) -> None:
    with server.connect() as client:
        client.send(data)
        client.end()
        raw = client.rest()
    while raw:
        head, _, raw = raw.partition(b"\r\n\r\n")
        assert head[:9] == b"HTTP/1.1 "
        assert int(head[9:12]) in {100, 200, 400, 413, 414, 417, 431, 501, 505}
        length = head.partition(b"content-length: ")[2].partition(b"\r\n")[0]
        raw = raw[int(length or 0) :]


def test_after_all_that_nothing_is_held(server: Running) -> None:
    with server.connect() as client:
        client.send(post(b"last"))
        assert client.answer().status == 200
    server.waits_for(lambda listener: listener.connections == 0)
    assert server.listener._shared.waiting == 0
