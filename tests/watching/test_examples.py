"""The replays of the examples end as their pages say: real servers, watchers and trainings."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
PATIENCE = 900.0


def replay(name: str, *words: str) -> str:
    """Return what the replay of an example printed; it has to say that all went as expected."""
    done = subprocess.run(
        [sys.executable, EXAMPLES / name / "replay.py", "--fast", *words],
        capture_output=True, text=True, timeout=PATIENCE, check=False,
        env={k: v for k, v in os.environ.items() if k != "ASSAY_STORE"},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "NOT SO" not in done.stdout
    return done.stdout


@pytest.mark.slow
def test_electricity_calls_concept_drift_by_its_name() -> None:
    assert "PLANTED" in replay("electricity")


@pytest.mark.slow
@pytest.mark.data
@pytest.mark.parametrize("variant", ["contract", "units"])
def test_churn(variant: str) -> None:
    assert "PLANTED" in replay("churn", "--variant", variant)


@pytest.mark.slow
@pytest.mark.data
@pytest.mark.parametrize("variant", ["story", "poisoned", "bad-release"])
def test_fraud(variant: str) -> None:
    assert "PLANTED" in replay("fraud", "--variant", variant)
