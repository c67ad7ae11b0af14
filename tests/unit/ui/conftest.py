from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from ui_planted import (
    COLUMNS,
    HOSTILE,
    make_verdict,
    plant_incident,
    plant_run,
    plant_version,
    plant_window,
)

from assay.stores.workspace import Workspace, open_workspace
from assay.ui.site import Site


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Forty runs of two projects, a model with windows and an incident, and hostile names."""
    workspace = open_workspace(tmp_path_factory.mktemp("ui") / ".assay")
    with workspace.session():
        for i in range(40):
            verdict = ("accepted", "rejected", "inconclusive")[i % 3]
            plant_run(workspace, f"churn-{i:04x}", "churn" if i % 2 else HOSTILE, verdict)
        plant_version(workspace, "churn", "churn-0000", "a" * 64, 1)
        plant_version(workspace, "churn", "churn-0001", "b" * 64, 2)
        plant_version(workspace, HOSTILE, "churn-0002", "c" * 64, 1)
        for number in range(31):
            verdict = make_verdict("churn", number, COLUMNS, version=2)
            plant_window(workspace, verdict)
            if number == 26:
                plant_incident(workspace, "churn", "churn-1a2b", verdict)
        plant_window(workspace, make_verdict(HOSTILE, 0, COLUMNS))
        plant_incident(workspace, HOSTILE, HOSTILE, make_verdict(HOSTILE, 0, COLUMNS))
    return workspace


@pytest.fixture
def site(store: Workspace) -> Iterator[Site]:
    """The store as the page knows it, without the threads beside it."""
    made = Site(store)
    made.index.follow()
    yield made
    made.stop()
