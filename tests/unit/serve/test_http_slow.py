"""Clients and routes that take their time, and a listener that ends."""

from __future__ import annotations

import contextlib
import dataclasses
import resource
import threading
import time
from pathlib import Path

import pytest
from http_listener import PATIENT, QUICK, Client, Running, post, until

from assay.serve.http.limits import Limits
from assay.serve.http.message import Reply, Request, Response

BIG = b"b" * 30_000_000  # more than the kernel's buffers of both sides


def big(request: Request, reply: Reply) -> None:
    reply(Response(200, BIG))


def drip(client: Client, pieces: list[bytes], every: float = 0) -> None:
    """Send one piece after the other until the server has enough of it."""
    with contextlib.suppress(OSError):
        client.send(*pieces, pause=every)


def bytes_of(data: bytes) -> list[bytes]:
    return [data[i : i + 1] for i in range(len(data))]


@pytest.mark.parametrize("sent", [b"GET", b"POST / HTTP/1.1\r\nHost: x\r\n", post(b"abc")[:-1]])
def test_a_request_that_does_not_end_is_ended(sent: bytes) -> None:
    with Running(limits=QUICK) as server, server.connect() as client:
        client.send(sent)
        answer = client.answer()
        assert (answer.status, answer.problem["code"]) == (408, "HTTP-SLOW")
        assert server.listener.timed_out == 1
        server.waits_for(lambda listener: listener.connections == 0)  # though the client stays


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"GET /" + b"a" * 400, b"HTTP/1.1 408 "),
        (post(b"a" * 400), b"HTTP/1.1 408 "),
        (b"\r\n" * 400, b""),
    ],
)
def test_a_byte_now_and_then_does_not_keep_a_connection(data: bytes, told: bytes) -> None:
    with Running(limits=QUICK) as server, server.connect() as client:
        begun = time.monotonic()
        threading.Thread(target=drip, args=(client, bytes_of(data), 0.01), daemon=True).start()
        assert client.rest()[:13] == told
        assert time.monotonic() - begun < 2
        server.waits_for(lambda listener: listener.connections == 0)


def test_a_client_that_says_nothing_is_closed_without_a_word() -> None:
    with Running(limits=QUICK) as server, server.connect() as client:
        assert client.rest() == b""
        assert server.listener.timed_out == 1


def test_a_connection_that_rests_too_long_is_closed() -> None:
    with Running(limits=QUICK) as server, server.connect() as client:
        for _ in range(6):  # longer in all than any time-out
            client.send(post(b"a"))
            assert client.answer().status == 200
            time.sleep(0.1)
        assert client.rest() == b""
        assert server.listener.timed_out == 0


@pytest.mark.parametrize("connection", [b"", b"Connection: close\r\n"])
def test_a_client_that_does_not_read_is_cut_off(connection: bytes) -> None:
    with Running(big, QUICK) as server, server.connect() as client:
        client.send(post(b"", extra=connection))
        server.waits_for(lambda listener: listener.connections == 1)
        server.waits_for(lambda listener: listener.connections == 0)
        assert server.listener.timed_out == 1
        assert len(client.rest()) < len(BIG)


def test_a_client_that_asks_and_asks_and_does_not_read_is_not_asked_for_more() -> None:
    asked = []

    def route(request: Request, reply: Reply) -> None:
        asked.append(request.path)
        reply(Response(200, BIG[:1_000_000]))

    with Running(route, QUICK) as server, server.connect() as client:
        client.send(post(b"") * 500)
        server.waits_for(lambda listener: listener.connections == 1)
        server.waits_for(lambda listener: listener.connections == 0)
        assert len(asked) < 30  # what the kernel's buffers took


def test_a_client_that_floods_and_does_not_read_is_not_read_from() -> None:
    limits = dataclasses.replace(QUICK, write_seconds=0.5)
    most = 0
    with Running(big, limits) as server, server.connect() as client:
        flood = post(b"b" * 50_000) * 400
        threading.Thread(target=drip, args=(client, [flood]), daemon=True).start()
        server.waits_for(lambda listener: listener.connections == 1)
        while server.listener.connections:
            most = max(most, server.listener._shared.waiting)
            time.sleep(0.001)
        assert 0 < most < 1_000_000
        assert server.listener.timed_out == 1


def test_a_slow_reader_that_does_read_gets_it_all() -> None:
    limits = dataclasses.replace(QUICK, write_seconds=5)
    with Running(big, limits) as server, server.connect() as client:
        client.send(post(b"", extra=b"Connection: close\r\n"))
        time.sleep(0.8)  # longer than every other time-out
        assert client.answer().body == BIG


def test_a_route_that_never_answers_is_answered_for() -> None:
    replies: list[Reply] = []

    def route(request: Request, reply: Reply) -> None:
        replies.append(reply)

    with Running(route, QUICK) as server, server.connect() as client:
        client.send(post(b""))
        answer = client.answer()
        assert (answer.status, answer.problem["code"]) == (503, "HTTP-NO-ANSWER")
        server.loop.call_soon_threadsafe(replies[0], Response(200, b"too late"))
        client.end()
        assert client.rest() == b""


def test_a_client_that_sends_on_after_a_refusal_gets_the_refusal() -> None:
    """The whole of a body that is too large is on its way when the server says no."""
    limits = dataclasses.replace(PATIENT, body=1000)
    with Running(limits=limits) as server, server.connect() as client:
        client.send(post(b"a" * 2_000_000))
        answer = client.answer()
        assert (answer.status, answer.problem["code"]) == (413, "HTTP-BODY-LARGE")
        assert server.listener._shared.waiting == 0


class Held:
    """A route that answers when told to."""

    def __init__(self) -> None:
        self.replies: list[Reply] = []

    def __call__(self, request: Request, reply: Reply) -> None:
        if request.path == "/now":
            reply(Response(200, b"now"))
        else:
            self.replies.append(reply)


def test_a_drain_answers_what_is_asked_and_closes_what_is_not() -> None:
    route = Held()
    with Running(route) as server, server.connect() as asks, server.connect() as rests:
        rests.send(post(b"", "/now"))
        assert rests.answer().body == b"now"
        asks.send(post(b"", "/later"))
        until(lambda: len(route.replies) == 1)
        wait = server.start_drain(5)
        assert rests.rest() == b""
        with pytest.raises(ConnectionRefusedError):
            server.connect()
        assert server.listener.connections == 1
        server.loop.call_soon_threadsafe(route.replies[0], Response(200, b"later"))
        answer = asks.answer()
        assert (answer.body, answer.headers["connection"]) == (b"later", "close")
        assert asks.rest() == b""
        assert wait() == 0
        assert server.listener.connections == 0


def test_a_drain_takes_the_request_that_is_half_here() -> None:
    with Running(Held()) as server, server.connect() as client:
        client.send(post(b"abc", "/now")[:-1])
        until(lambda: server.listener._shared.waiting > 0)
        wait = server.start_drain(5)
        time.sleep(0.1)
        client.send(b"c")
        assert client.answer().headers["connection"] == "close"
        assert wait() == 0


def test_a_drain_cuts_off_what_takes_too_long() -> None:
    route = Held()
    with Running(route) as server, server.connect() as client:
        client.send(post(b"", "/never"))
        until(lambda: len(route.replies) == 1)
        begun = time.monotonic()
        assert server.drain(0.2) == 1
        assert time.monotonic() - begun < 1
        assert client.rest() in (b"", b"(reset)")


def test_a_drain_under_load_loses_no_request() -> None:
    """Each of 8 clients asks until it is told to stop; whatever it was promised, it got."""
    lost: list[str] = []

    def ask(server: Running) -> None:
        with server.connect() as client:
            while True:
                client.send(post(b"", "/now"))
                answer = client.answer()
                if answer.headers.get("connection") == "close":
                    return

    def work(server: Running) -> None:
        try:
            ask(server)
        except (AssertionError, OSError) as error:
            lost.append(repr(error))

    with Running(Held()) as server:
        threads = [threading.Thread(target=work, args=(server,)) for _ in range(8)]
        for thread in threads:
            thread.start()
        server.waits_for(lambda listener: listener.connections == 8)
        time.sleep(0.1)
        assert server.drain(5) == 0
        for thread in threads:
            thread.join(5)
    assert not lost


def test_the_defaults_are_what_the_documentation_says() -> None:
    limits = Limits()
    page = Path(__file__).parents[3] / "docs" / "howto" / "secure-a-server.md"
    rows = [row.split(" | ") for row in page.read_text(encoding="utf-8").splitlines()]
    said = {row[0].removeprefix("| "): row[1].partition(",")[0] for row in rows if len(row) == 3}
    assert said["body"] == f"{limits.body / 1e6:.0f} MB"
    assert said["request line"] == f"{limits.target // 1024} kB"
    assert said["headers"] == f"{limits.head // 1024} kB"
    assert said["all requests that are not whole yet"] == f"{limits.waiting / 1e6:.0f} MB"
    assert said["connections"] == str(limits.connections // 1000)  # with a comma
    assert said["time for headers"] == f"{limits.head_seconds:.0f} s"
    assert said["time for a body"] == f"{limits.body_seconds:.0f} s"
    assert said["time for an answer"] == f"{limits.reply_seconds:.0f} s"
    assert said["time to read an answer"] == f"{limits.write_seconds:.0f} s"
    assert said["rest between two requests"] == f"{limits.idle_seconds:.0f} s"


def test_more_connections_than_files_are_never_promised() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with Running() as server:
        assert server.listener._shared.limits.connections <= soft
    resource.setrlimit(resource.RLIMIT_NOFILE, (600, hard))
    try:
        with Running() as server:
            assert server.listener._shared.limits.connections == 408
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
