"""Heads and chunks without a socket: what is read does not depend on how it comes."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.serve.http.chunks import Chunks
from assay.serve.http.head import Heads, read_head
from assay.serve.http.limits import Limits
from assay.serve.problems import Rejected

LIMITS = Limits(body=1000)


def head(*lines: str) -> bytes:
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def test_a_head_is_read() -> None:
    read = read_head(
        head("POST /a?b=1&c HTTP/1.1", "HOST: x", "A: 1", "B:  2 ", "a: 3", "Content-Length: 007"),
        LIMITS,
    )
    assert (read.method, read.path, read.query, read.length) == ("POST", "/a", "b=1&c", 7)
    assert read.headers[b"a"] == b"1, 3"  # as RFC 9110, 5.3 joins them
    assert read.headers[b"b"] == b"2"
    assert (read.keep_alive, read.continues, read.old) == (True, False, False)


@pytest.mark.parametrize(
    ("target", "path", "query"),
    [
        ("/", "/", ""),
        ("//a", "//a", ""),
        ("/a?", "/a", ""),
        ("/?a?b", "/", "a?b"),
        ("http://h", "/", ""),
        ("http://h?a", "/", "a"),
        ("https://u:p@h:1/a/b?c", "/a/b", "c"),
    ],
)
def test_a_target_is_split(target: str, path: str, query: str) -> None:
    read = read_head(head(f"GET {target} HTTP/1.1", "Host: x"), LIMITS)
    assert (read.path, read.query) == (path, query)


def test_two_tokens_are_no_token() -> None:
    """A second authorization header cannot stand in for the first: together they match nothing."""
    lines = ("Host: x", "Authorization: Bearer good", "Authorization: Bearer bad")
    read = read_head(head("GET / HTTP/1.1", *lines), LIMITS)
    assert read.headers[b"authorization"] == b"Bearer good, Bearer bad"


def test_heads_are_remembered_up_to_a_number() -> None:
    heads = Heads(LIMITS)
    raw = head("POST / HTTP/1.1", "Host: x", "Content-Length: 5")
    assert heads.read(raw) is heads.read(raw)
    for number in range(5000):
        heads.read(head(f"GET /{number} HTTP/1.1", "Host: x"))
    assert len(heads.known) <= 1024


@pytest.mark.parametrize(
    "lines",
    [
        ("Connection: close",),
        ("Transfer-Encoding: chunked",),
        ("Content-Length: 5", "Expect: 100-continue"),
        ("A: " + "a" * 3000,),
    ],
)
def test_a_head_that_needs_care_or_is_long_is_not_remembered(lines: tuple[str, ...]) -> None:
    heads = Heads(LIMITS)
    heads.read(head("POST / HTTP/1.1", "Host: x", *lines))
    assert not heads.known


def test_a_body_too_large_is_refused_each_time() -> None:
    heads = Heads(LIMITS)
    for _ in range(2):
        with pytest.raises(Rejected, match="HTTP-BODY-LARGE"):
            heads.read(head("POST / HTTP/1.1", "Host: x", "Content-Length: 1001"))


def pieces_of(raw: bytes, cuts: list[int]) -> list[bytes]:
    at = [0, *sorted(cut % (len(raw) + 1) for cut in cuts), len(raw)]
    return [raw[a:b] for a, b in pairwise(at)]


def decode(pieces: list[bytes]) -> tuple[bytes, bytes] | str | None:
    """Return body and what follows it; an error's code; None when there is no end."""
    chunks, buffer, whole = Chunks(LIMITS), bytearray(), False
    try:
        for piece in pieces:
            buffer += piece
            whole = whole or chunks.take(buffer)
    except Rejected as error:
        return error.code
    return (bytes(chunks.body), bytes(buffer)) if whole else None


@given(
    bodies=st.lists(st.binary(min_size=1, max_size=60), max_size=6),
    extension=st.sampled_from([b"", b";a", b' ; a="b"']),
    trailers=st.lists(st.sampled_from([b"A: b\r\n", b"C:\r\n"]), max_size=3),
    cuts=st.lists(st.integers(0, 1000), max_size=12),
)
def test_chunks_are_read_however_they_come(
    bodies: list[bytes], extension: bytes, trailers: list[bytes], cuts: list[int]
) -> None:
    raw = b"".join(b"%x%b\r\n%b\r\n" % (len(body), extension, body) for body in bodies)
    raw += b"0\r\n" + b"".join(trailers) + b"\r\n"
    assert decode(pieces_of(raw, cuts)) == (b"".join(bodies), b"")
    assert decode(pieces_of(raw + b"GET /", [len(raw), *cuts])) == (b"".join(bodies), b"GET /")
    assert decode(pieces_of(raw[:-1], cuts)) is None


WORDS = st.sampled_from(
    [b"\r\n", b"\n", b"\r", b"0", b"1", b"a", b"F" * 9, b";", b" ", b"-", b"A:"]
)


@given(raw=st.lists(WORDS, max_size=25).map(b"".join), cuts=st.lists(st.integers(0, 1000)))
def test_bad_chunks_are_judged_alike_however_they_come(raw: bytes, cuts: list[int]) -> None:
    assert decode([raw]) == decode(pieces_of(raw, cuts))
