from __future__ import annotations

import operator
import os
import subprocess
import sys
import time

import pytest

from assay.errors import UsageError
from assay.kernel.executor import LocalProcesses, Serial, WorkerDied, cores
from assay.kernel.loader import load


@pytest.fixture(scope="module")
def processes():
    executor = LocalProcesses(2)
    yield executor
    executor.stop()


@pytest.fixture(params=["serial", "processes"])
def executor(request, processes):
    return Serial() if request.param == "serial" else processes


def test_gives_every_result_in_order(executor):
    calls = [(operator.mul, (i, 10)) for i in range(7)]
    assert list(executor.run(calls)) == [0, 10, 20, 30, 40, 50, 60]
    assert list(executor.run([])) == []
    assert executor.submit(operator.mul, 6, 7).result() == 42


def test_an_exception_comes_through_whole(executor):
    future = executor.submit(load, "assay.errors:Nothing")
    with pytest.raises(UsageError) as caught:
        future.result()
    with pytest.raises(UsageError) as here:
        load("assay.errors:Nothing")
    assert caught.value.to_dict() == here.value.to_dict()
    with pytest.raises(ZeroDivisionError):
        list(executor.run([(operator.mul, (1, 1)), (operator.truediv, (1, 0))]))


def test_what_cannot_cross_the_pipe_is_an_error_of_that_call_alone(processes):
    with pytest.raises(Exception, match="pickle"):
        processes.submit(__import__, "threading").result()
    assert processes.submit(operator.mul, 2, 3).result() == 6


def test_calls_are_read_a_few_ahead(executor):
    """Work under a budget ends by ending the iterator, so it must not be drained in advance."""
    read, budget_left = [], [True]

    def calls():
        while budget_left[0]:
            read.append(len(read))
            yield operator.pos, (read[-1],)

    results = []
    for result in executor.run(calls()):
        results.append(result)
        budget_left[0] = len(results) < 4
    assert results == read
    assert len(read) <= 4 + 4


def test_workers_share_the_cores_and_are_measured(processes):
    assert processes.threads == max(1, cores() // 2)
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    found = list(processes.run([(os.getenv, (name,)) for name in names]))
    assert found == [str(processes.threads)] * 3
    assert processes.submit(os.getpid).result() != os.getpid()
    assert processes.peak_mb() > 5


def test_threads_never_fall_to_zero():
    assert LocalProcesses(1000).threads == 1
    assert Serial().threads == cores() >= 1
    assert Serial(threads=3).threads == 3


def test_stopping_ends_what_runs_and_what_waits_and_the_next_call_starts_anew():
    executor = LocalProcesses(1)
    executor.submit(os.getpid).result()
    running, waiting = executor.submit(time.sleep, 60), executor.submit(os.getpid)
    begun = time.monotonic()
    executor.stop()
    assert time.monotonic() - begun < 5
    for future in (running, waiting):
        with pytest.raises(WorkerDied):
            future.result(timeout=5)
    peak = executor.peak_mb()
    assert peak > 0
    assert executor.submit(operator.mul, 2, 2).result() == 4
    assert executor.peak_mb() >= peak
    executor.stop()
    executor.stop()


def test_a_worker_that_dies_takes_one_call_with_it(processes):
    with pytest.raises(WorkerDied) as caught:
        processes.submit(os._exit, 9).result()
    assert caught.value.code == "WORKER-DIED"
    assert list(processes.run([(operator.neg, (i,)) for i in range(6)])) == [
        0, -1, -2, -3, -4, -5,
    ]  # fmt: skip


def test_what_a_call_prints_does_not_get_among_the_answers(processes):
    assert processes.submit(print, "hello").result() is None
    assert processes.submit(os.write, 1, b"hello\n").result() == 6
    assert processes.submit(operator.mul, 2, 2).result() == 4


ORPHANS = """
import time
from assay.kernel.executor import LocalProcesses

executor = LocalProcesses(2)
executor.submit(time.time).result()
for _ in range(4):
    executor.submit(time.sleep, 600)
print("working", flush=True)
input()
"""


def test_workers_end_with_the_process_that_was_killed():
    process = subprocess.Popen(
        [sys.executable, "-c", ORPHANS],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "working\n"
    process.kill()
    # its workers have the pipe of errors too: it ends when the last of them does
    process.communicate(timeout=15)
