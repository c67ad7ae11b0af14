from __future__ import annotations

import operator
import os
import subprocess
import sys
import time

import pytest

from assay.errors import DataError
from assay.kernel.executor import LocalProcesses, Serial, cores

EXECUTORS = [Serial(), LocalProcesses(2)]


def worker_limits():
    """Return the process, and the thread limits that numeric libraries read at start."""
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    return os.getpid(), {os.environ.get(name) for name in names}


def local(function):
    """Rebuild a function without its module, which worker processes cannot import."""
    return type(function)(
        function.__code__, {"os": os, "time": time, "DataError": DataError, "__name__": "sent"}
    )


def work(number):
    """Take as long as a short fit: joblib sends calls that are over at once in batches."""
    time.sleep(0.25)
    return number


def refuse():
    raise DataError("DATA-TEST", "no", where="row 3", allowed=[1], hint="look")


@pytest.mark.parametrize("executor", EXECUTORS, ids=["serial", "processes"])
def test_gives_every_result_once(executor):
    calls = [(operator.mul, (i, 10)) for i in range(7)]
    assert sorted(executor.run(calls)) == [0, 10, 20, 30, 40, 50, 60]
    assert list(executor.run([])) == []


@pytest.mark.parametrize("executor", EXECUTORS, ids=["serial", "processes"])
def test_an_exception_comes_through_whole(executor):
    with pytest.raises(DataError) as caught:
        list(executor.run([(local(refuse), ())]))
    error = caught.value
    assert error.to_dict() == {
        "code": "DATA-TEST",
        "where": "row 3",
        "message": "no",
        "got": None,
        "allowed": [1],
        "try": "look",
    }


@pytest.mark.parametrize("executor", EXECUTORS, ids=["serial", "processes"])
def test_calls_are_read_a_few_ahead(executor):
    """Work under a budget ends by ending the iterator, so it must not be drained in advance."""
    read, budget_left = [], [True]

    def calls():
        while budget_left[0]:
            read.append(len(read))
            yield local(work), (read[-1],)

    results = []
    for result in executor.run(calls()):
        results.append(result)
        budget_left[0] = len(results) < 4
    assert sorted(results) == read
    assert len(read) <= 4 + 4


def test_serial_stops_at_the_first_exception():
    done = []
    calls = [(done.append, (1,)), (operator.truediv, (1, 0)), (done.append, (2,))]
    with pytest.raises(ZeroDivisionError):
        list(Serial().run(calls))
    assert done == [1]


def test_workers_share_the_cores():
    executor = LocalProcesses(2)
    assert executor.threads == max(1, cores() // 2)
    found = list(executor.run([(local(worker_limits), ())] * 4))
    assert os.getpid() not in {pid for pid, _ in found}
    assert [limits for _, limits in found] == [{str(executor.threads)}] * 4


def test_threads_never_fall_to_zero():
    assert LocalProcesses(1000).threads == 1
    assert Serial().threads == cores() >= 1
    assert Serial(threads=3).threads == 3


ORPHANS = """
import numpy as np
from assay.kernel.executor import LocalProcesses

done = LocalProcesses(2).run((np.zeros, (200_000,)) for _ in range(100_000))
next(done)
print("working", flush=True)
input()  # nobody takes the results any more: the workers wait in the middle of handing one over
"""


def test_workers_end_with_the_process_that_was_killed():
    process = subprocess.Popen(
        [sys.executable, "-c", ORPHANS], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "working\n"
    process.kill()
    # its workers have the pipe too: it ends when the last of them does
    process.communicate(timeout=15)
