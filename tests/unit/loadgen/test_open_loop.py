"""The generator keeps its schedule and leaves nothing out, against servers with known delays."""

from __future__ import annotations

import asyncio
import time

import numpy as np
import pytest
import uvloop

from assay.errors import UsageError
from assay.loadgen.open_loop import Aim, fire, schedule

BUSY = b"HTTP/1.1 503 Busy\r\nRetry-After: 1\r\ncontent-length: 0\r\n\r\n"


def go(server, rps=200.0, seconds=0.25, **options):
    return uvloop.run(fire(server.url, lambda number: b"%d" % number, rps, seconds, **options))


def quick(server, talk, body) -> None:
    talk.answer()


def test_every_request_leaves_and_is_answered(serve) -> None:
    server = serve(quick)
    bodies: list[int] = []
    server.act = lambda s, talk, body: (bodies.append(int(body)), talk.answer())
    fired = go(server, rps=400)
    assert sorted(bodies) == list(range(100))
    assert (fired.requests, fired.errors, fired.statuses) == (100, 0, {200: 100})
    assert fired.rps == pytest.approx(400, rel=0.2)
    assert fired.quantile(0.5).value < 0.1


def test_a_known_delay_is_measured(serve) -> None:
    server = serve(lambda s, talk, body: s.loop.call_later(0.05, talk.answer))
    median = go(server).quantile(0.5)
    assert 0.049 < median.low <= median.value <= median.high < 0.15


def test_a_stall_counts_for_every_request_that_was_due_meanwhile(serve) -> None:
    """Coordinated omission: a closed loop would have seen one slow answer for each connection."""

    def stalls(server, talk, body) -> None:
        if 0.15 < server.since() < 0.65 and not server.stalled:
            server.stalled = True
            time.sleep(0.6)
        talk.answer()

    server = serve(stalls)
    server.stalled = False
    fired = go(server, rps=200, seconds=1.2, connections=2)
    assert fired.errors == 0
    slow = float((fired.taken > 0.1).mean())
    assert slow == pytest.approx(0.42, abs=0.15)  # 0.5 s of the 1.2 s: those due in the stall
    assert 0.5 < fired.quantile(0.99).value < 1.0
    waits = fired.taken[fired.taken > 0.1]
    assert waits.mean() == pytest.approx(0.35, abs=0.15)  # their clocks ran from when they were due


def test_requests_wait_for_a_connection_with_their_clocks_running(serve) -> None:
    server = serve(lambda s, talk, body: s.loop.call_later(0.05, talk.answer))
    fired = go(server, rps=40, seconds=0.5, connections=1)  # it can take 20 a second
    assert server.connections == 1
    assert 0.42 < fired.taken[-1] < 1.5
    assert np.all(np.diff(fired.taken) > 0)


def test_what_is_never_answered_is_an_error_with_its_time_so_far(serve) -> None:
    def deaf(server, talk, body) -> None:
        if int(body) != 5:
            talk.answer()

    fired = go(serve(deaf), rps=40, patience=0.5)
    assert fired.kinds == {"unanswered": 1}
    assert fired.errors == 1
    assert fired.taken[5] == pytest.approx(0.62, abs=0.2)  # due at 0.125, given up at 0.75
    assert fired.quantile(0.99).value == pytest.approx(fired.taken[5])


def test_refusals_are_errors_and_no_latencies(serve) -> None:
    def busy(server, talk, body) -> None:
        if int(body) % 2:
            talk.answer(BUSY)
        else:
            server.loop.call_later(0.05, talk.answer)

    fired = go(serve(busy), seconds=0.5)
    assert fired.statuses == {200: 50, 503: 50}
    assert fired.errors == 50
    assert int(fired.told.sum()) == 50  # Retry-After
    assert fired.quantile(0.01).value > 0.049
    assert sum(fired.counts()) == 50
    assert fired.rps == pytest.approx(100, rel=0.15)


def test_a_lost_connection_is_an_error_and_another_is_opened(serve) -> None:
    def drops(server, talk, body) -> None:
        if int(body) == 10:
            talk.transport.abort()
        else:
            talk.answer()

    server = serve(drops)
    fired = go(server, rps=100, connections=1)
    assert fired.kinds == {"closed": 1}
    assert fired.errors == 1
    assert server.connections == 2


def test_what_is_no_http_is_an_error(serve) -> None:
    server = serve(lambda s, talk, body: talk.answer(b"what?\r\n\r\n"))
    fired = go(server, rps=40, connections=2)
    assert fired.kinds == {"garbled": 10}


def test_a_server_that_closes_each_connection_loses_nothing(serve) -> None:
    def closes(server, talk, body) -> None:
        talk.answer(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n")
        talk.transport.close()

    server = serve(closes)
    fired = go(server, rps=100, connections=4)
    assert fired.errors == 0
    assert server.connections >= 25


def test_a_server_that_goes_away_refuses_what_comes_after(serve) -> None:
    server = serve(quick)

    async def both():
        asked = fire(server.url, lambda number: b"", 100, 0.6, 2, patience=0.5)
        firing = asyncio.create_task(asked)
        while server.requests < 20:
            await asyncio.sleep(0.005)
        await asyncio.to_thread(server.stop)
        return await firing

    fired = uvloop.run(both())
    assert fired.ok[:15].all()
    assert fired.kinds["refused"] > 10
    assert fired.errors == sum(fired.kinds.values())


def test_answers_and_their_numbers_are_handed_over(serve) -> None:
    server = serve(
        lambda s, talk, body: talk.answer(
            b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body)
        )
    )
    said: dict[int, bytes] = {}
    go(server, on_answer=lambda number, status, body: said.__setitem__(number, body))
    assert said == {number: b"%d" % number for number in range(50)}


def test_path_headers_and_body_are_sent() -> None:
    aim = Aim.at("http://host:81/a/predict?b=1", {"x-who": "me"})
    assert (aim.host, aim.port, aim.secure) == ("host", 81, False)
    head, _, body = aim.request(b"{}").partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    assert lines[0] == b"POST /a/predict?b=1 HTTP/1.1"
    assert {b"host: host:81", b"x-who: me", b"content-length: 2"} < {*lines[1:]}
    assert body == b"{}"
    assert Aim.at("https://host", {}).port == 443


@pytest.mark.parametrize("url", ["", "localhost:80", "ftp://x/y", "http:///predict"])
def test_an_address_that_is_none(url) -> None:
    with pytest.raises(UsageError) as caught:
        uvloop.run(fire(url, lambda _: b"", 1, 1))
    assert caught.value.code == "LOAD-URL"


def test_nobody_there(serve) -> None:
    server = serve(quick)
    server.stop()
    with pytest.raises(UsageError) as caught:
        go(server)
    assert caught.value.code == "LOAD-NO-SERVER"


def test_schedules() -> None:
    even = schedule(100, 2)
    assert len(even) == 200
    assert np.allclose(np.diff(even), 0.01)
    chance = schedule(1000, 10, "poisson", seed=1)
    assert np.array_equal(chance, schedule(1000, 10, "poisson", seed=1))
    assert not np.array_equal(chance[:100], schedule(1000, 10, "poisson", seed=2)[:100])
    assert len(chance) == pytest.approx(10_000, abs=400)
    gaps = np.diff(chance)
    assert gaps.std() == pytest.approx(gaps.mean(), rel=0.05)  # exponential
    assert chance[-1] < 10


def test_it_asks_fast_and_on_time_and_says_when_it_cannot(serve) -> None:
    fired = go(serve(quick), rps=2000)
    assert fired.errors == 0
    assert np.median(fired.lag) < 0.01
    assert fired.late >= np.median(fired.lag)

    def slow(number: int) -> bytes:
        time.sleep(0.004)  # a generator that cannot keep up
        return b""

    late = uvloop.run(fire(serve(quick).url, slow, 500, 0.25))
    assert late.late > 0.1
