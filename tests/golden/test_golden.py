"""Stores of released versions stay readable: verified, listed, shown, reported, and asked."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import assay
from assay.lifecycle.result import open_run
from assay.lifecycle.verify import verify

FROZEN = sorted(path for path in Path(__file__).parent.glob("[0-9]*") if path.is_dir())
LIMIT = 400_000


@pytest.fixture(params=FROZEN, ids=lambda path: path.name)
def home(request, tmp_path) -> Path:
    """Return a copy of a frozen project, which reading may touch."""
    return Path(shutil.copytree(request.param, tmp_path / "golden"))


def test_there_is_something_frozen_and_it_is_small():
    assert FROZEN
    for folder in FROZEN:
        assert sum(f.stat().st_size for f in folder.rglob("*") if f.is_file()) < LIMIT


def test_chain_and_digests_hold(home):
    store = home / "store"
    found = verify(str(store))
    assert found.packages == 1
    assert found.events > 30
    assert found.blobs == len([f for f in (store / "objects").rglob("*") if f.is_file()])
    assert verify("last", store=store).events == found.events


def test_its_model_is_listed_with_its_history(home):
    (model,) = assay.models(home / "store")
    assert (model.name, model.version, model.verdict) == ("golden", 1, "accepted")
    assert model.aliases == ("champion",)
    (move,) = assay.history("golden", store=home / "store")["moves"]
    assert (move["version"], move["actor"]) == (1, "golden")


def test_its_run_is_shown_and_reported(home, tmp_path):
    result = open_run("last", home / "store")
    data = result.to_dict()
    assert (data["project"], data["verdict"], data["test_reads"]) == ("golden", "accepted", 1)
    assert data["split"]["train"] + data["split"]["test"] == 200
    assert result.metrics["roc_auc"].value > 0.6
    assert {s.value for s in result.view.report.slices} >= {"north", "south", "west"}
    page = result.report(tmp_path / "page.html").read_text(encoding="utf-8")
    assert "Who leaves?" in page
    assert data["seal"]["digest"][:12] in page


def test_its_package_gives_the_answers_that_it_gave(home):
    frozen = pl.read_csv(home / "answers.csv")
    answer = assay.load("golden@champion", store=home / "store").predict(
        pl.read_csv(home / "table.csv")
    )
    assert answer.columns == frozen.columns
    assert answer["prediction"].to_list() == frozen["prediction"].to_list()
    for name in frozen.columns[1:]:
        np.testing.assert_allclose(answer[name], frozen[name], rtol=0, atol=1e-6)


def test_its_project_runs_today(home, tmp_path):
    assert assay.run(home, store=tmp_path / "new").verdict == "accepted"
