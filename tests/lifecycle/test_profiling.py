"""What a run puts into the package for monitoring: the columns that are sent, answers, no row."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import msgspec
import polars as pl
import pytest
from projects import FAST, Project, write_project

from assay.errors import Tampered, UsageError
from assay.lifecycle.answered import read_answers
from assay.lifecycle.watching.opened import open_profile
from assay.records.package import ModelVersion
from assay.registry.fold import fold
from assay.stores.workspace import Workspace, open_workspace
from assay.watch.columns.count import count
from assay.watch.profile import FILE, Profile

CODE = """
import polars as pl

def make(frame):
    return frame.select(half=pl.col("fee") / 2, visits="visits")
"""
GOLDEN = Path(__file__).parent.parent / "golden" / "0.1.0"


def profile_of(project: Project) -> tuple[Profile, Workspace, ModelVersion]:
    project.run()
    workspace = project.workspace()
    version = fold(workspace.ledger.read()).resolve(f"{project.folder.name}@1")
    return open_profile(workspace, version), workspace, version


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Project:
    return write_project(tmp_path_factory.mktemp("profiled") / "one", "binary", FAST)


def test_the_package_has_the_profile_of_what_is_sent(project):
    profile, workspace, version = profile_of(project)
    table = pl.read_csv(project.folder / "table.csv")
    found = project.run()
    split = found.to_dict()["split"]
    assert profile.rows == split["train"] + split["valid"]
    assert profile.test_rows == split["test"]
    assert {c.of for c in profile.columns} <= set(table.columns)
    assert all(sum(c.counts) == c.rows == profile.rows for c in profile.columns)
    assert [c.name for c in profile.answers] == ["prediction", "probability_yes"]
    assert profile.target is not None
    assert profile.target.rows == profile.test_rows
    assert profile.primary == "roc_auc"
    assert profile.metrics == dict(found.metrics)
    assert sum(c.matters or 0 for c in profile.columns) == pytest.approx(1.0)
    size = (workspace.root / "packages" / version.package / FILE).stat().st_size
    assert size < 100_000


def test_declared_test_rows_say_how_rows_come(tmp_path):
    project = write_project(tmp_path / "declared", "binary", FAST)
    table = pl.read_csv(project.folder / "table.csv")
    moved = table.tail(150).with_columns(pl.col("fee") + 5)
    moved.write_csv(project.folder / "newest.csv")
    file = project.folder / "assay.toml"
    file.write_text(file.read_text().replace("[data]\n", '[data]\ntest = "newest.csv"\n', 1))
    profile, *_ = profile_of(project)
    fee = next(c for c in profile.columns if c.name == "fee")
    assert profile.rows == table.height
    assert fee.rows == 150
    assert fee.mean == pytest.approx(moved["fee"].mean())
    assert fee.std == pytest.approx(moved["fee"].std(ddof=0))
    assert fee.high == table["fee"].max()
    assert profile.joint is None, "too few of them"
    assert count(profile.columns, moved).cells["fee"].tolist() == list(fee.counts)


def test_answers_are_those_that_were_scored(project):
    found = project.run()
    report = found.view.report
    assert report is not None
    answered = read_answers(project.workspace().store.get(report.answers), ("no", "yes"))
    assert len(answered.truth) == report.rows
    hits = answered.answers.codes(1) == answered.truth
    assert hits.mean() == pytest.approx(found.metrics["accuracy"].value)


def test_the_door_is_opened_once(project):
    profile_of(project)
    assert project.kinds()["test.read"] == 1


def test_a_profile_that_was_changed_is_refused(project, tmp_path):
    _, workspace, version = profile_of(project)
    shutil.copytree(workspace.root, tmp_path / "store")
    path = tmp_path / "store" / "packages" / version.package / FILE
    path.write_bytes(path.read_bytes().replace(b'"rows":', b'"rows": ', 1))
    with pytest.raises(Tampered) as caught:
        open_profile(open_workspace(tmp_path / "store"), version)
    assert caught.value.code == "PACKAGE-CHANGED"


def test_an_older_package_has_none(tmp_path):
    workspace = open_workspace(shutil.copytree(GOLDEN / "store", tmp_path / "store"))
    version = fold(workspace.ledger.read()).resolve("golden@1")
    with pytest.raises(UsageError) as caught:
        open_profile(workspace, version)
    assert caught.value.code == "WATCH-NO-PROFILE"


def test_with_code_of_its_own_the_columns_are_those_before_it(tmp_path):
    more = f'{FAST}\n[features]\ntransform = "features:make"\n'
    project = write_project(tmp_path / "coded", "binary", more)
    (project.folder / "features.py").write_text(CODE)
    profile, _, _ = profile_of(project)
    names = [c.of for c in profile.columns]
    assert "fee" in names
    assert "half" not in names
    assert count(profile.columns, pl.read_csv(project.folder / "table.csv")).cells["fee"][-1] >= 0
    assert profile.known is not None
    assert set(profile.known.names) == {c.name for c in profile.columns}


@pytest.mark.parametrize("task", ["multiclass", "regression"])
def test_other_tasks_have_answers_of_their_kind(tmp_path, task):
    project = write_project(tmp_path / task, task, FAST)
    profile, _, _ = profile_of(project)
    assert profile.target is not None
    if task == "regression":
        assert [(c.name, c.kind) for c in profile.answers] == [("prediction", "number")]
        assert profile.target.kind == "number"
    else:
        names = [c.name for c in profile.answers]
        assert names[0] == "prediction"
        assert [n.removeprefix("probability_") for n in names[1:]] == sorted(profile.target.values)
    assert json.loads(msgspec.json.encode(profile)) is not None
