"""In CI no test may be skipped for want of data, a browser or a database."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CASES = """
import pytest

@pytest.mark.{marker}
@pytest.mark.skipif(True, reason="not here")
def test_marked(): ...
"""


def run(folder: Path, marker: str, ci: str) -> subprocess.CompletedProcess[str]:
    shutil.copy(Path(__file__).parents[1] / "conftest.py", folder)
    (folder / "test_skips.py").write_text(CASES.format(marker=marker))
    (folder / "pytest.ini").write_text("[pytest]\nmarkers =\n    data\n    slow\n")
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", str(folder)],
        capture_output=True,
        text=True,
        env={**os.environ, "CI": ci, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        check=False,
    )


@pytest.mark.parametrize(
    ("marker", "ci", "code"), [("data", "1", 1), ("data", "", 0), ("slow", "1", 0)]
)
def test_a_skip_fails_only_in_ci_and_only_where_it_matters(
    tmp_path: Path, marker: str, ci: str, code: int
) -> None:
    done = run(tmp_path, marker, ci)
    assert done.returncode == code, done.stdout
