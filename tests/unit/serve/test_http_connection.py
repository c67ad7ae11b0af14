"""One connection from a client's side: order, bodies, methods, ends, and routes that misbehave."""

from __future__ import annotations

import gc
import hashlib
import threading
import time
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from itertools import pairwise
from pathlib import Path

import pytest
from http_listener import QUICK, Running, post, until

from assay.serve.http.limits import Limits
from assay.serve.http.message import Reply, Request, Response


@pytest.fixture(scope="module")
def server() -> Iterator[Running]:
    with Running() as running:
        yield running


def test_a_request_is_understood_and_the_answer_is_plain(server: Running) -> None:
    with server.connect() as client:
        client.send(
            b"PUT /a%20b?c=%C3%A9 HTTP/1.1\r\nHost: x\r\nX-A: 1\r\ncontent-length: 2\r\n\r\n{}"
        )
        answer = client.answer()
    assert answer.json == {
        "method": "PUT",
        "path": "/a%20b",
        "query": "c=%C3%A9",
        "length": 2,
        "digest": hashlib.sha256(b"{}").hexdigest(),
        "headers": ["host", "x-a", "content-length"],
    }
    assert answer.status == 200
    assert set(answer.headers) == {"content-type", "content-length", "date"}
    sent = parsedate_to_datetime(answer.headers["date"]).timestamp()
    assert abs(sent - time.time()) < 5


def test_a_connection_is_kept_and_counted_once(server: Running) -> None:
    before = server.listener.total
    with server.connect() as client:
        for size in (0, 1, 5, 5, 70_000, 5):
            client.send(post(b"a" * size))
            assert client.answer().json["length"] == size
        assert server.listener.total == before + 1
        assert server.listener.connections >= 1


def test_requests_sent_ahead_are_answered_in_order(server: Running) -> None:
    count = 500
    with server.connect() as client:
        client.send(b"".join(post(b"x" * (i % 7), path=f"/{i}") for i in range(count)))
        paths = [client.answer().json["path"] for _ in range(count)]
    assert paths == [f"/{i}" for i in range(count)]


def test_more_is_sent_ahead_than_is_held() -> None:
    """A client that sends 20 MB while one request waits has to keep most of them itself."""
    waiting: list[Reply] = []
    flood = post(b"b" * 50_000) * 400

    def route(request: Request, reply: Reply) -> None:
        waiting.append(reply)

    with Running(route) as server, server.connect() as client:
        sender = threading.Thread(target=client.send, args=(post(b"") + flood,), daemon=True)
        sender.start()
        until(lambda: server.listener._shared.waiting > 65_536)
        time.sleep(0.1)
        assert server.listener._shared.waiting < 1_000_000
        assert sender.is_alive()
        for number in range(401):
            until(lambda number=number: len(waiting) > number)
            server.loop.call_soon_threadsafe(waiting[number], Response(200, b"%d" % number))
            assert client.answer().body == b"%d" % number
        sender.join(5)
        assert server.listener._shared.waiting == 0


@pytest.mark.parametrize("size", [0, 1, 1000, 65_536, 999_983])
def test_a_body_comes_in_odd_pieces(server: Running, size: int) -> None:
    body = bytes(i * 31 % 251 for i in range(size))
    whole = post(body)
    cuts = [0, 1, 3, 17, 38, 40, 61, 62, 63, 64, 65, 1009, 70_001, len(whole)]
    pieces = [whole[a:b] for a, b in pairwise(cuts)]
    with server.connect() as client:
        client.send(*pieces, pause=0.001)
        answer = client.answer()
    assert answer.json["length"] == size
    assert answer.json["digest"] == hashlib.sha256(body).hexdigest()


def test_each_request_may_come_in_pieces(server: Running) -> None:
    with server.connect() as client:
        for path in ("/a/long/one", "/b", "/another/long/one", "/"):
            whole = post(b"abc", path)
            client.send(whole[:20], whole[20:45], whole[45:], pause=0.003)
            assert client.answer().json["path"] == path
            client.send(b"GET %bz HTTP/1.1\r\nHost: x\r\n\r\n" % path[:2].encode())
            assert client.answer().status == 200


def test_what_looks_like_a_request_within_a_header_is_none(server: Running) -> None:
    with server.connect() as client:
        client.send(post(b"a"))
        assert client.answer().status == 200  # now this head is known
        client.send(b"GET / HTTP/1.1\r\nHost: x\r\nX-A: ", post(b"a"), pause=0.02)
        assert client.answer().status == 400  # two hosts


def chunked(body: bytes, sizes: list[int]) -> bytes:
    raw, at = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", 0
    while at < len(body):
        piece = body[at : at + sizes[at % len(sizes)]]
        raw, at = raw + b"%X;n=%d\r\n%b\r\n" % (len(piece), at, piece), at + len(piece)
    return raw + b"0\r\nX-Sum: 1\r\n\r\n"


@pytest.mark.parametrize("step", [1, 7, 1000, 10**9])
def test_a_body_comes_in_chunks(server: Running, step: int) -> None:
    body = bytes(range(256)) * 12
    raw = chunked(body, [1, 300, 7, 16])
    with server.connect() as client:
        client.send(*(raw[i : i + step] for i in range(0, len(raw), step)))
        client.send(post(b"after"))
        answer = client.answer()
        assert answer.json["digest"] == hashlib.sha256(body).hexdigest()
        assert client.answer().json["length"] == 5


def test_a_body_that_grows_too_large_in_chunks_is_refused(server: Running) -> None:
    with server.connect() as client:
        client.send(chunked(b"a" * 1_000_001, [1000]))
        assert client.answer().status == 413


def test_a_client_that_waits_for_a_word_gets_it(server: Running) -> None:
    with server.connect() as client:
        client.send(post(b"", extra=b"Expect: 100-continue\r\n"))
        assert client.answer().status == 200  # there is nothing to wait for
        client.send(
            b"POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n"
        )
        assert client.answer().status == 100
        client.send(b"abc")
        assert client.answer().json["length"] == 3
        client.send(post(b"abc", extra=b"Expect: 100-Continue\r\n"))  # and some do not wait
        assert client.answer().json["length"] == 3
        huge = b"Expect: 100-continue\r\nContent-Length: 9999999\r\n\r\n"
        client.send(b"POST / HTTP/1.1\r\nHost: x\r\n" + huge)
        assert client.answer().status == 413


def test_head_is_answered_without_the_body(server: Running) -> None:
    with server.connect() as client:
        client.send(b"HEAD /a HTTP/1.1\r\nHost: x\r\n\r\n" * 2)
        assert client.answer(head=True).status == 200
        answer = client.answer(head=True)
        assert int(answer.headers["content-length"]) > 50
        client.send(post(b"ab"))
        assert client.answer().json["length"] == 2


@pytest.mark.parametrize(
    ("head", "kept"),
    [
        (b"GET / HTTP/1.0\r\n", None),
        (b"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n", "keep-alive"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nConnection: keep-alive, close\r\n", None),
        (b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Close\r\n", None),
        (b"GET / HTTP/1.1\r\nHost: x\r\nConnection: keep-alive\r\n", ""),
    ],
)
def test_the_connection_is_kept_as_the_client_says(
    server: Running, head: bytes, kept: str | None
) -> None:
    with server.connect() as client:
        for _ in range(2):
            client.send(head + b"\r\n")
            answer = client.answer()
            assert answer.status == 200
            assert answer.headers.get("connection", "") == ("close" if kept is None else kept)
            if kept is None:
                assert client.rest() == b""
                break


def test_a_client_that_ends_its_half_gets_all_its_answers() -> None:
    def route(request: Request, reply: Reply) -> None:
        server.loop.call_later(0.02, reply, Response(200, request.path.encode()))

    with Running(route) as server, server.connect() as client:
        client.send(post(b"", "/1") + post(b"", "/2") + post(b"", "/3") + b"POST /4")
        client.end()
        assert [client.answer().body for _ in range(3)] == [b"/1", b"/2", b"/3"]
        assert client.rest() == b""


def test_an_answer_may_come_later_and_only_the_first_counts() -> None:
    def route(request: Request, reply: Reply) -> None:
        server.loop.call_later(0.01, reply, Response(200, b"first"))
        server.loop.call_later(0.02, reply, Response(200, b"second"))

    with Running(route) as server, server.connect() as client:
        for _ in range(3):
            client.send(post(b""))
            assert client.answer().body == b"first"
            time.sleep(0.03)  # the second answer comes when nobody asks


def test_an_answer_of_an_earlier_request_never_answers_a_later_one() -> None:
    replies: list[Reply] = []

    def route(request: Request, reply: Reply) -> None:
        replies.append(reply)
        if request.path == "/now":
            reply(Response(200, b"now"))

    with Running(route) as server, server.connect() as client:
        client.send(post(b"", "/now"))
        assert client.answer().body == b"now"
        client.send(post(b"", "/later"))
        until(lambda: len(replies) == 2)
        server.loop.call_soon_threadsafe(replies[0], Response(200, b"wrong"))
        server.loop.call_soon_threadsafe(replies[1], Response(200, b"right"))
        assert client.answer().body == b"right"


def test_an_answer_for_a_client_that_has_gone_is_dropped() -> None:
    replies: list[Reply] = []

    def route(request: Request, reply: Reply) -> None:
        replies.append(reply)

    with Running(route) as server:
        with server.connect() as client:
            client.send(post(b""))
            until(lambda: len(replies) == 1)
            client.sock.setsockopt(1, 13, b"\1\0\0\0\0\0\0\0")  # SO_LINGER: reset, not end
        server.waits_for(lambda listener: listener.connections == 0)
        server.loop.call_soon_threadsafe(replies[0], Response(200, b"too late"))
        assert server.drain(1) == 0


def test_a_route_that_fails_is_told_once_and_the_connection_lives(
    capfd: pytest.CaptureFixture[str],
) -> None:
    def route(request: Request, reply: Reply) -> None:
        if request.path == "/bad":
            raise RuntimeError("secret of the house")
        reply(Response(200, b"ok"))

    with Running(route) as server, server.connect() as client:
        client.send(post(b"", "/bad"))
        answer = client.answer()
        client.send(post(b"", "/good"))
        assert client.answer().body == b"ok"
    told = capfd.readouterr().err
    assert answer.status == 500
    assert answer.json["errors"][0]["code"] == "SERVE-INTERNAL"
    assert b"secret" not in answer.body
    assert told.count("RuntimeError: secret of the house") == 1
    assert answer.headers["x-request-id"] in told


@pytest.mark.parametrize(
    "response",
    [
        Response(200, b"", headers=((b"x-a", b"1\r\nset-cookie: a=b"),)),
        Response(200, b"", headers=((b"x\n", b"1"),)),
        Response(999, b""),
        Response(200, "text"),
        None,
    ],
    ids=["value", "name", "status", "text", "nothing"],
)
def test_an_answer_that_cannot_be_sent_is_a_fault_of_ours(
    response: Response, capfd: pytest.CaptureFixture[str]
) -> None:
    with Running(lambda _, reply: reply(response)) as server, server.connect() as client:
        client.send(post(b""))
        answer = client.answer()
        assert answer.status == 500
        assert "set-cookie" not in answer.headers
    assert "Traceback" in capfd.readouterr().err


def test_further_headers_and_types_are_sent() -> None:
    told = Response(404, b"no", b"text/plain", ((b"allow", b"GET"), (b"x-b", b"2")))
    with Running(lambda _, reply: reply(told)) as server, server.connect() as client:
        client.send(post(b""))
        answer = client.answer()
    assert (answer.status, answer.body) == (404, b"no")
    assert answer.headers["content-type"] == "text/plain"
    assert (answer.headers["allow"], answer.headers["x-b"]) == ("GET", "2")


def test_one_connection_too_many_is_turned_away() -> None:
    with Running(limits=Limits(connections=3, sweep_seconds=0.02)) as server:
        clients = [server.connect() for _ in range(3)]
        server.waits_for(lambda listener: listener.connections == 3)
        with server.connect() as client:
            answer = client.answer()
            assert (answer.status, answer.problem["code"]) == (503, "HTTP-BUSY")
            assert answer.headers["retry-after"] == "1"
        assert server.listener.refused == 1
        for one in clients:
            one.send(post(b"a"))
            assert one.answer().status == 200
            one.__exit__()
        server.waits_for(lambda listener: listener.connections == 0)
        with server.connect() as client:
            client.send(post(b"a"))
            assert client.answer().status == 200


def test_unfinished_requests_share_a_limit_of_memory() -> None:
    limits = Limits(body=1_000_000, waiting=1_000_000)
    with Running(limits=limits) as server, server.connect() as first, server.connect() as other:
        first.send(post(b"a" * 900_000)[:-1])
        until(lambda: server.listener._shared.waiting > 800_000)
        other.send(post(b"b" * 900_000)[:-1])
        answer = other.answer()
        assert (answer.status, answer.problem["code"]) == (503, "HTTP-BUSY")
        with server.connect() as third:
            third.send(post(b"c"))  # what is whole at once is no burden
            assert third.answer().status == 200
        first.send(b"a")
        assert first.answer().json["length"] == 900_000
        server.waits_for(lambda listener: listener._shared.waiting == 0)


def memory_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 1e6


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads /proc")
def test_thousands_of_connections_leave_nothing_behind(server: Running) -> None:
    def visit(count: int) -> None:
        for number in range(count):
            with server.connect() as client:
                client.send(post(b"a" * 100, f"/{number}") if number % 2 else b"bad\r\n\r\n")
                assert client.answer().status in {200, 400}

    visit(1000)
    gc.collect()
    before = memory_mb()
    visit(2500)
    gc.collect()
    assert memory_mb() - before < 1.5  # a connection that leaks holds more than 600 bytes
    server.waits_for(lambda listener: listener.connections == 0)
    assert len(server.listener._shared.heads.known) <= 1024


def test_idle_connections_do_not_slow_the_next() -> None:
    with Running(limits=QUICK) as server:
        idle = [server.connect() for _ in range(300)]
        with server.connect() as client:
            client.send(post(b"a"))
            begun = time.perf_counter()
            assert client.answer().status == 200
            assert time.perf_counter() - begun < 0.25
        server.waits_for(lambda listener: listener.connections == 0)
        assert all(one.rest() == b"" for one in idle)
        for one in idle:
            one.__exit__()
