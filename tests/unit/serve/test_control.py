"""Messages between parent and worker over a real pair of sockets."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from assay.records.deployment import Arm, Deployment
from assay.records.spec import ServeSection
from assay.serve.processes.control import (
    Asked,
    Channel,
    Lineup,
    Ping,
    Pong,
    Prepare,
    Prepared,
    Problem,
    Service,
    Swap,
    Version,
)

Ends = tuple[Channel, Channel]


@pytest.fixture
def channels() -> Iterator[Ends]:
    parent, worker = socket.socketpair()
    with parent, worker:
        yield Channel(parent, parent=True), Channel(worker, parent=False)


def a_lineup(models: int = 1) -> Lineup:
    deployments = [
        Deployment(model=f"m{i}", arms=(Arm(version=1, package="a" * 64),)) for i in range(models)
    ]
    section = ServeSection(mask=("name",))
    return Lineup(
        7,
        tuple(Service(deployment, section) for deployment in deployments),
        tuple(Version(d.model, 1, i, section) for i, d in enumerate(deployments)),
    )


def test_messages_arrive_as_they_were_sent(channels: Ends) -> None:
    parent, worker = channels
    parent.send(Prepare(a_lineup()))
    parent.send(Swap(7))
    assert worker.receive() == [Prepare(a_lineup()), Swap(7)]
    problem = Problem({"code": "X", "message": "é\n", "got": None}, 2)
    worker.send(Prepared(7, a_lineup().versions[0], problem))
    worker.send(Asked(1, "load", "churn@2"))
    worker.send(Pong())
    found = parent.receive()
    assert found == [
        Prepared(7, a_lineup().versions[0], problem),
        Asked(1, "load", "churn@2"),
        Pong(),
    ]
    assert not parent.closed


def test_what_does_not_fit_at_once_is_sent_later(channels: Ends) -> None:
    parent, worker = channels
    sent = [Prepare(a_lineup(models=400)) for _ in range(10)]
    for message in sent:
        parent.send(message)  # returns though nobody reads
    found: list[object] = []
    while len(found) < len(sent):
        found += worker.receive()
        parent.flush()
    assert found == sent


def test_the_end_of_the_other_is_noticed(channels: Ends) -> None:
    parent, worker = channels
    parent.send(Ping())
    parent.end.close()
    assert worker.receive() == [Ping()]
    assert worker.closed
    worker.send(Pong())  # harmless
