"""A process is measured with its children, and ends with them."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from types import ModuleType

CHILD = """
import subprocess, sys, time
size = int(sys.argv[1])
child = subprocess.Popen([sys.executable, "-c", f"x = bytearray(b'1') * {size}; "
                          "import time; time.sleep(60)"], start_new_session=True)
print(child.pid, flush=True)
time.sleep(float(sys.argv[2]))
"""


def _alive(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False


def test_memory_counts_children_and_none_is_left_behind(
    measure: ModuleType, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    found = measure.measured([sys.executable, "-c", CHILD, "200000000", "1"], log, limit=30)
    assert found.code == 0
    assert not found.killed
    assert found.peak_rss_mb > 200
    child = int(log.read_text())
    end = time.monotonic() + 5
    while _alive(child) and time.monotonic() < end:
        time.sleep(0.05)
    assert not _alive(child)


def test_what_takes_too_long_is_killed(measure: ModuleType, tmp_path: Path) -> None:
    words = [sys.executable, "-c", CHILD, "1", "60"]
    found = measure.measured(words, tmp_path / "log", limit=0.5)
    assert found.killed
    assert found.code == -9
    assert found.wall_s < 5


def test_limits_on_threads_are_not_handed_on(measure: ModuleType, monkeypatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert "OMP_NUM_THREADS" not in measure.clean_environment()
    assert measure.clean_environment()["PATH"] == os.environ["PATH"]
