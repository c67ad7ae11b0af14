"""What the tests of the log share: a signature, rows for it, and a child process that logs."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from assay.records.fitted import Field, Signature
from assay.records.spec import ServeSection
from assay.serve.log.writer import PredictionLog

SIGNATURE = Signature(
    family="test@1",
    task="binary",
    target="churned",
    inputs=(
        Field(name="age", type="number", missing=True),
        Field(name="city", type="category", missing=True),
        Field(name="vip", type="boolean", missing=True),
        Field(name="since", type="datetime", missing=True),
        Field(name="request", type="text", missing=True),
    ),
    classes=("no", "yes"),
    positive="yes",
)
NUMBER = Signature(
    family="test@1",
    task="regression",
    target="price",
    inputs=(Field(name="age", type="number", missing=False),),
)
CELLS = [41.5, "Zürich 東京", True, 1_700_000_000_000_000, "a feature of our own column's name"]
MISSING = [float("nan"), None, None, None, None]


def opened(folder: Path, worker: int = 0, **settings: object) -> PredictionLog:
    """Return a log that takes rows of churn@1."""
    log = PredictionLog(folder, worker)
    log.open("churn", 1, SIGNATURE, ServeSection(**settings))
    return log


def add(log: PredictionLog, request: str, *, at: float = 1.8e9, version: int = 1) -> None:
    """Add a row of churn."""
    log.add(request, at, "churn", version, CELLS, [0.25, 0.75], 60.0, code=1)


LOGGING = """
import sys, time
from pathlib import Path
sys.path.insert(0, {here!r})
from log_material import add, opened
log = opened(Path({folder!r}), worker={worker}, flush={flush}, segment=2e4)
number = 0
while True:
    for _ in range(20):
        add(log, f"{worker}-{{number}}", at=time.time())
        number += 1
    sys.stdout.write(f"{{number}}\\n")
    sys.stdout.flush()
    {then}
    time.sleep(0.005)
"""


def logging(folder: Path, worker: int, flush: float = 0.1, then: str = "") -> subprocess.Popen[str]:
    """Start a process that logs rows until it is killed; it prints how many there are so far."""
    here = str(Path(__file__).parent)
    code = LOGGING.format(here=here, folder=str(folder), worker=worker, flush=flush, then=then)
    return subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)


def until(done: object, seconds: float = 20.0) -> None:
    """Wait until `done()` is true."""
    end = time.monotonic() + seconds
    while not done():  # type: ignore[operator]
        assert time.monotonic() < end, "it never came"
        time.sleep(0.01)
