"""How much is taken on: the discipline in simulated time, the refusals by real requests."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from asking import Server, codes, orders, post, rows_of, said, servable

from assay.errors import UsageError
from assay.records.deployment import Arm, Deployment
from assay.records.spec import ServeSection
from assay.serve.answering import admission
from assay.serve.answering.admission import AGAIN, BURST, EACH, PART, Estimate, Queue, Turn
from assay.serve.lane import Lane
from assay.serve.models import check_fallback

ROW = rows_of(orders(1))[0]
SLO = 0.05


def simulate(
    monkeypatch: Any, cost: float, load: float, each: float = 4e-5, refuse: float = 1.2e-5
) -> tuple[float, float]:
    """Return the 99th percentile of what is accepted, and how much, as a part of the capacity.

    The first second is left out, in which a burst is taken on. Requests come at random at `load`
    times what can be answered; one needs `each` seconds to be read and `cost` of the model, and to
    refuse one takes `refuse`.
    """
    clock, waiting, late = [0.0], [], []

    def flush() -> None:
        clock[0] += cost * len(waiting)
        late.extend(clock[0] - since for since in waiting if since > 1.0)
        waiting.clear()

    loop = SimpleNamespace(call_soon=lambda close: setattr(loop, "close", close))
    monkeypatch.setattr(admission, "perf_counter", lambda: clock[0])
    monkeypatch.setattr(admission, "asyncio", SimpleNamespace(get_running_loop=lambda: loop))
    turn, limit = Turn(flush), SLO * PART
    rate, seconds = load / (cost + each), 4.0
    gaps = np.random.default_rng(0).exponential(1 / rate, int(rate * seconds))
    arrivals = np.cumsum(gaps).tolist()
    place = 0
    while place < len(arrivals):
        clock[0] = max(clock[0], arrivals[place])
        now = clock[0]
        while place < len(arrivals) and arrivals[place] <= now:
            since = arrivals[place]
            place += 1
            if turn.full(limit):
                clock[0] += refuse
                continue
            clock[0] += each
            if turn.admits(cost, limit):
                waiting.append(since)
            else:
                clock[0] += refuse
        loop.close()
    return float(np.quantile(late, 0.99)), len(late) * (cost + each) / (clock[0] - 1.0)


@pytest.mark.parametrize("cost", [1e-5, 1e-4, 4e-4, 2e-3])
@pytest.mark.parametrize("load", [1.2, 3.0])
def test_what_is_accepted_is_in_time_at_three_times_the_capacity(monkeypatch, cost, load):
    p99, part = simulate(monkeypatch, cost, load)
    assert p99 < SLO
    assert part > 0.25


@pytest.mark.parametrize("cost", [1e-5, 4e-4])
def test_below_the_capacity_nothing_is_refused(monkeypatch, cost):
    p99, part = simulate(monkeypatch, cost, 0.7)
    assert p99 < SLO / 2
    assert part == pytest.approx(0.7, rel=0.05)


def test_a_burst_is_taken_on_once(monkeypatch):
    """What waited while the machine did something else is answered, the next such heap is not."""
    clock = [100.0]
    loop = SimpleNamespace(call_soon=lambda close: setattr(loop, "close", close))
    monkeypatch.setattr(admission, "perf_counter", lambda: clock[0])
    monkeypatch.setattr(admission, "asyncio", SimpleNamespace(get_running_loop=lambda: loop))
    turn, limit = Turn(lambda: None), SLO * PART

    def taken() -> float:
        found = sum(turn.admits(limit / 100, limit) for _ in range(1000))
        clock[0] += limit
        loop.close()
        return found * (limit / 100 + EACH) / limit

    assert taken() == pytest.approx(1 + BURST, rel=0.1)
    assert taken() <= 1.1
    clock[0] += AGAIN
    assert taken() == pytest.approx(1 + BURST, rel=0.1)


def busy(server: Server, count: int = 40, path: str = "/predict") -> list[Any]:
    """Return the responses to many requests of one turn, when a row is known to cost much."""
    for lane in server.models.lanes():
        if lane.version == 1 and lane.model == "orders":
            lane.cost.value = SLO * PART / 4
    return server.ask(*[post(ROW, path, x_request_id=str(i)) for i in range(count)])


def test_what_is_above_is_refused_at_once_and_told_when_to_come_again():
    server = Server().serve(slo=SLO)
    responses = busy(server)
    statuses = [response.status for response in responses]
    assert set(statuses) == {200, 503}
    assert 10 <= statuses.count(200) <= 15
    refused = responses[statuses.index(503)]
    assert codes(refused) == ["SERVE-OVERLOADED"]
    assert dict(refused.headers)[b"retry-after"] == b"1"
    assert server.traffic().refused == statuses.count(503)
    for place, response in enumerate(responses):
        assert dict(response.headers)[b"x-request-id"] == str(place).encode()


def test_the_next_turn_takes_requests_again():
    server = Server().serve(slo=SLO)
    busy(server)
    (response,) = server.ask(post(ROW))
    assert response.status == 200


def test_one_request_is_always_taken_however_slow_the_model_is():
    server = Server().serve(slo=1e-6)
    (response,) = server.ask(post(ROW))
    assert response.status == 200


def test_a_simpler_model_answers_what_the_model_cannot():
    simple = servable(version=2)
    deployment = Deployment(model="orders", arms=(Arm(version=1, package=""),), fallback="orders@2")
    server = Server().serve(servable(), simple, deployment=deployment, slo=SLO)
    busy(server)  # a burst is for the model itself
    responses = [response for response in busy(server) if response.status == 200]
    answers = [said(response) for response in responses]
    assert {answer["model"] for answer in answers} == {"orders@1", "orders@2"}
    for answer in answers:
        told = [warning["code"] for warning in answer["warnings"]]
        assert ("SERVE-FALLBACK" in told) == (answer["model"] == "orders@2")
    assert len(answers) > 4


def test_who_asks_for_a_version_gets_no_other():
    deployment = Deployment(model="orders", arms=(Arm(version=1, package=""),), fallback="orders@2")
    server = Server().serve(servable(), servable(version=2), deployment=deployment, slo=SLO)
    responses = busy(server, path="/models/orders@1/predict")
    found = {(response.status, said(response).get("model")) for response in responses}
    assert found == {(200, "orders@1"), (503, None)}


def test_a_fallback_answers_the_same_question():
    lanes = {
        ("orders", version): Lane(servable(task, version), version, ServeSection())
        for version, task in ((1, "binary"), (2, "binary"), (3, "regression"))
    }
    arms = (Arm(version=1, package=""),)
    check_fallback(Deployment(model="orders", arms=arms, fallback="orders@2"), lanes)
    check_fallback(Deployment(model="orders", arms=arms), lanes)
    with pytest.raises(UsageError) as caught:
        check_fallback(Deployment(model="orders", arms=arms, fallback="orders@3"), lanes)
    assert caught.value.code == "SERVE-FALLBACK-OTHER"


def test_an_odd_moment_changes_an_estimate_little():
    known = Estimate(1e-4)
    known.learn(1.0)
    assert known.value < 1.2e-4
    for _ in range(200):
        known.learn(1e-3)
    assert known.value == pytest.approx(1e-3, rel=0.05)


def test_the_queue_for_tables_is_bounded_but_takes_one():
    queue = Queue()
    assert queue.admits(5.0, 1.0)
    assert not queue.admits(0.1, 1.0)
    queue.done(5.0)
    assert queue.admits(0.6, 1.0)
    assert not queue.admits(0.6, 1.0)


def test_tables_beyond_the_queue_are_refused():
    server = Server().serve()
    for lane in server.models.lanes():
        lane.byte_cost.value = 1e-3
    responses = server.ask(*[post({"rows": [ROW] * 100}) for _ in range(4)])
    assert [response.status for response in responses] == [200, 503, 503, 503]
    assert server.traffic().refused == 3


def test_a_shadow_that_takes_long_has_nobody_refused():
    new = Arm(version=2, package="", share=0.0, shadow=True)
    known = Deployment(model="orders", arms=(Arm(version=1, package=""), new), release="r")
    server = Server().serve(servable(), servable(version=2), deployment=known, slo=SLO)
    live, shadow = server.models.lanes()
    live.cost, shadow.cost = Estimate(1e-4), Estimate(0.75 * SLO * PART)
    responses = [one for _ in range(2) for one in server.ask(*[post(ROW) for _ in range(60)])]
    assert {response.status for response in responses} == {200}
    assert 1 <= server.traffic(2, 1).requests < 120


def test_tables_that_are_refused_quickly_do_not_fill_the_memory():
    server = Server().serve()
    for lane in server.models.lanes():
        lane.byte_cost.value = 1e-13
    body = b" " * 15_000_000
    responses = server.ask(*[post(body) for _ in range(12)])
    assert {response.status for response in responses} == {400, 503}
