"""Counts that outlive the process that counted."""

from __future__ import annotations

import subprocess
import sys
import time
import timeit

import pytest

from assay.records.deployment import ANSWERS, LATENCY_EDGES
from assay.serve.processes.board import Board

KILLED = """
import os
from assay.serve.processes.board import Board

board = Board.create(1)
if (child := os.fork()) == 0:
    board.tally(0).answered(0, 1, 0.001, 0)
    os.kill(os.getpid(), 9)
print(os.waitpid(child, 0)[1])
board.tally(0).answered(0, 1, 0.001, 0)
print(board.traffic({0: ("m", 1)})[0].requests)
"""


def test_what_two_workers_counted_adds_up() -> None:
    board = Board.create(2)
    first, second = board.tally(0), board.tally(1)
    first.answered(3, 1, 2e-5, 1, 0)
    second.answered(3, 4, 0.5, [3, 1], 2)
    second.failed(3)
    first.refused(3)
    [traffic] = board.traffic({3: ("churn", 2)})
    assert (traffic.model, traffic.version) == ("churn", 2)
    assert (traffic.requests, traffic.rows, traffic.warned) == (2, 5, 2)
    assert (traffic.failed, traffic.refused) == (1, 1)
    assert traffic.answers[:3] == (3, 2, 0)
    assert board.seconds(3) == pytest.approx(0.50002)


@pytest.mark.parametrize(
    ("seconds", "place"), [(0.0, 0), (LATENCY_EDGES[0], 1), (1e-4, 10), (60.0, 64)]
)
def test_a_latency_falls_between_its_edges(seconds: float, place: int) -> None:
    board = Board.create(1)
    board.tally(0).answered(0, 1, seconds, 0)
    [traffic] = board.traffic({0: ("m", 1)})
    assert traffic.latency.index(1) == place
    assert len(traffic.latency) == len(LATENCY_EDGES) + 1
    assert place == 0 or LATENCY_EDGES[place - 1] <= seconds
    assert place == len(LATENCY_EDGES) or seconds < LATENCY_EDGES[place]


def test_answers_beyond_the_last_bin_count_with_it() -> None:
    board = Board.create(1)
    board.tally(0).answered(0, 1, 0.0, 1000)
    board.tally(0).answered(0, 100, 0.0, [1] * 100)
    [traffic] = board.traffic({0: ("m", 1)})
    assert traffic.answers[-1] == 1 + 100 - (ANSWERS - 1)
    assert sum(traffic.answers) == 101


def test_slots_do_not_touch_each_other() -> None:
    board = Board.create(2, slots=4)
    for worker in range(2):
        for slot in range(4):
            for _ in range(slot + 1):
                board.tally(worker).answered(slot, 1, 30.0, ANSWERS - 1, 1)
    found = board.traffic({slot: ("m", slot) for slot in range(4)})
    assert [t.requests for t in found] == [2, 4, 6, 8]
    assert [t.latency[-1] for t in found] == [2, 4, 6, 8]
    assert [t.answers[-1] for t in found] == [2, 4, 6, 8]
    board.clear(1)
    found = board.traffic({slot: ("m", slot) for slot in range(4)})
    assert [t.requests for t in found] == [2, 0, 6, 8]


def test_feedback_is_summed_by_name_over_workers() -> None:
    board = Board.create(2)
    for worker, value in ((0, 1.0), (0, 2.0), (1, 4.0)):
        board.tally(worker).fed(5, "profit", value)
    board.tally(1).fed(5, "sécurité", -1.0)
    [traffic] = board.traffic({5: ("m", 1)})
    assert traffic.fed == {"profit": (3.0, 7.0, 21.0), "sécurité": (1.0, -1.0, 1.0)}


def test_there_is_room_for_four_names_of_feedback() -> None:
    board = Board.create(1)
    for name in ("a", "b", "c", "d", "e", "", "x" * 33):
        board.tally(0).fed(0, name, 1.0)
    [traffic] = board.traffic({0: ("m", 1)})
    assert list(traffic.fed) == ["a", "b", "c", "d"]


def test_gauges_show_the_last_number_of_each_worker() -> None:
    board = Board.create(2)
    tally = board.tally(1)
    tally.set("log_backlog", 5.0)
    tally.set("log_backlog", 2.0)
    assert board.gauges() == {"log_backlog": [0.0, 2.0]}
    board.tally(1).set("log_backlog", 9.0)  # as one that took the place of a dead worker
    assert board.gauges() == {"log_backlog": [0.0, 9.0]}
    board.tally(0).add("starts", 1)
    board.tally(0).add("starts", 1)
    assert board.gauges()["starts"] == [2.0, 0.0]


def test_batches_and_the_cache_are_counted() -> None:
    board = Board.create(2)
    for size in (1, 1, 3, 4, 10**9):
        board.tally(size % 2).batch(size)
    assert board.batches()[1:4] == (2, 1, 1)
    assert board.batches()[-1] == 1
    board.tally(0).cache(True)
    board.tally(1).cache(False)
    board.tally(1).cache(False)
    assert board.cache() == (1, 2)


def test_a_process_that_is_killed_leaves_what_it_counted() -> None:
    done = subprocess.run([sys.executable, "-c", KILLED], capture_output=True, text=True)
    assert done.stdout.split() == ["9", "2"], done.stderr


def test_counting_a_request_takes_about_half_a_microsecond() -> None:
    tally = Board.create(1).tally(0)
    runs = 50_000
    count = timeit.Timer(lambda: tally.answered(0, 1, 3e-4, 1), timer=time.thread_time)
    best = min(count.repeat(repeat=5, number=runs))
    assert best / runs < 2e-6  # half a microsecond on a machine that is not busy
