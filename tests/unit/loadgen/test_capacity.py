"""The search for the capacity, against servers whose capacity is known."""

from __future__ import annotations

import asyncio
import random

import pytest
import uvloop

from assay.loadgen.capacity import NEAR, Try, capacity
from assay.loadgen.open_loop import fire


def search(p99_at, errors_at=lambda rate: 0.0, late_at=lambda rate: 0.0, seconds=60.0):
    asked: list[float] = []

    async def ask(rate: float) -> Try:
        asked.append(rate)
        return Try(rate, p99_at(rate), errors_at(rate), late_at(rate))

    return asyncio.run(capacity(ask, 0.05, seconds=seconds)), asked


@pytest.mark.parametrize("limit", [7.0, 90.0, 100.0, 1234.0, 43_000.0])
def test_it_finds_the_highest_rate_that_holds(limit) -> None:
    found, asked = search(lambda rate: 0.01 if rate <= limit else 1.0)
    assert limit / NEAR <= found.rps <= limit
    assert not found.by_generator
    assert len(asked) < 50
    assert asked.count(found.rps) >= 2  # confirmed
    assert [t.rps for t in found.tries] == asked


def test_errors_count_as_much_as_latency() -> None:
    found, _ = search(lambda rate: 0.001, lambda rate: 0.0 if rate <= 500 else 0.002)
    assert 500 / NEAR <= found.rps <= 500
    found, _ = search(lambda rate: 0.001, lambda rate: 0.0009 if rate <= 500 else 0.001)
    assert 500 / NEAR <= found.rps <= 500


def test_a_moment_of_other_work_decides_nothing() -> None:
    chance = random.Random(3)
    found, _ = search(lambda rate: 1.0 if rate > 1000 or chance.random() < 0.15 else 0.01)
    assert 700 < found.rps <= 1000


def test_a_server_that_never_holds_has_none() -> None:
    found, asked = search(lambda rate: 1.0)
    assert found.rps == 0.0
    assert len(asked) < 30


def test_it_says_when_the_generator_was_the_limit() -> None:
    limit = 3000
    found, _ = search(
        lambda rate: 0.01 if rate < limit else 1.0,
        late_at=lambda rate: 0.0 if rate < limit else 0.9,
    )
    assert found.by_generator


def test_time_is_bounded() -> None:
    found, asked = search(lambda rate: 0.01, seconds=0.0)
    assert (found.rps, asked) == (0.0, [])


def test_a_real_server_of_known_capacity(serve) -> None:
    """One request after another, 5 ms each: 200 a second."""

    def one_by_one(server, talk, body) -> None:
        now = server.loop.time()
        server.free = max(getattr(server, "free", 0.0), now) + 0.005
        server.loop.call_at(server.free, talk.answer)

    url = serve(one_by_one).url

    async def ask(rate: float) -> Try:
        fired = await fire(url, lambda _: b"", rate, 0.5, 64, patience=0.5)
        return Try.of(rate, fired)

    # the promise is far above the pauses of a busy machine
    found = uvloop.run(capacity(ask, 0.2, seconds=5, start=100.0))
    # a backlog of 0.2 s may build up in a run of 0.5 s: so much more than it can take for long
    assert 100 <= found.rps < 1.1 * 200 * (1 + 0.2 / 0.5)
