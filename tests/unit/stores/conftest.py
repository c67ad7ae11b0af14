"""Real processes and real small disks for the tests of stores."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from assay.records.event import Draft


@pytest.fixture
def draft():
    def make(subject: str = "thing", **data) -> Draft:
        return Draft(kind="test.noted", subject=subject, actor="tester", data=data)

    return make


@pytest.fixture
def python():
    """Start Python on a script with arguments, its pipes open; whatever still runs is killed."""
    started = []

    def start(script: str, *arguments: object) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", script, *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def quick_disk(tmp_path):
    """Return a folder in memory where there is one: races between processes need no slow syncs."""
    memory = Path("/dev/shm")
    if not os.access(memory, os.W_OK):
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir=memory, prefix="assay-test-") as folder:
        yield Path(folder)


@pytest.fixture
def small_disk(tmp_path):
    """Mount a file system of 1 MB; `remount("ro")` makes it read-only."""
    place = tmp_path / "disk"
    place.mkdir()
    if os.name != "posix" or os.geteuid() != 0:
        pytest.skip("mounting a small disk needs root")
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "assay-test", str(place)]
    if subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("this machine does not allow mounts")

    class Disk:
        path = place

        def remount(self, mode: str) -> None:
            subprocess.run(["mount", "-o", f"remount,{mode}", str(place)], check=True)

        def fill(self) -> None:
            with (place / "filler").open("wb", buffering=0) as file:
                try:
                    while True:
                        file.write(b"\x00" * 4096)
                except OSError:
                    pass

        def free(self) -> None:
            (place / "filler").unlink()

    yield Disk()
    subprocess.run(["umount", str(place)], check=True)
