"""What is lost when a process that logs is ended: nothing, or at most the last interval."""

from __future__ import annotations

import signal
import time

import pytest
from log_material import logging, until

from assay.serve.log.reader import read_log
from assay.serve.log.shelf import log_of

FLUSH = 0.2
TOLD = "import signal; signal.signal(signal.SIGTERM, lambda *_: (log.close(), sys.exit()))"


def started(folder, worker, then=""):
    """Return a process that has written some rows."""
    process = logging(folder, worker, FLUSH, then)
    until(lambda: read_log(folder, "churn").collect().height > 50)
    return process


def test_kill_9_loses_at_most_the_last_interval(tmp_path):
    process = started(tmp_path, 0)
    time.sleep(0.5)
    killed = time.time()
    process.kill()
    output, _ = process.communicate()
    acknowledged = int(output.split()[-1])
    found = read_log(tmp_path, "churn").sort("at").collect()
    numbers = [int(request.split("-")[1]) for request in found["request"]]
    assert sorted(numbers) == list(range(len(numbers)))  # no hole, no row twice
    assert len(numbers) <= acknowledged + 20
    # an interval, and the time that a busy machine takes to write a file
    assert killed - found["at"].max().timestamp() < FLUSH + 1.0
    assert not list(log_of(tmp_path, "churn").open.glob("*.arrow.part"))


def test_sigterm_loses_nothing(tmp_path):
    process = started(tmp_path, 0, TOLD)
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate()
    assert process.returncode == 0
    logged = read_log(tmp_path, "churn").collect().height
    assert logged >= int(output.split()[-1])


@pytest.mark.parametrize("end", ["kill", "terminate"])
def test_a_process_that_takes_over_hides_nothing_of_the_one_before(tmp_path, end):
    for worker in (0, 0, 1):
        process = started(tmp_path, worker)
        before = read_log(tmp_path, "churn").collect().height
        getattr(process, end)()
        process.communicate()
        assert read_log(tmp_path, "churn").collect().height >= before
