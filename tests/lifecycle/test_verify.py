"""`assay verify`: what it counts, and training again for the same numbers."""

from __future__ import annotations

import json

import pytest
from projects import TARGETS, TWO_MODELS

from assay.errors import Tampered
from assay.kernel.stage import Context
from assay.lifecycle.verify import verify
from assay.records.base import digest_of


@pytest.mark.parametrize("task", TARGETS)
def test_training_again_gives_the_same_package(task, copied, cli):
    project = copied(task)
    before = project.events()
    said = cli("verify", "last", "--rerun", "--store", project.store)
    assert said.code == 0, said.err
    rerun = said.data["rerun"]
    assert rerun["same_package"] is True
    assert rerun["max_abs_diff"] == 0
    assert rerun["metrics"] == {
        name: metric.value for name, metric in project.run().metrics.items()
    }
    # the test rows were read once more, and that is all there is to tell
    (read,) = project.events()[len(before) :]
    assert (read.kind, read.data["rerun"]) == ("test.read", True)
    assert project.run().to_dict()["test_reads"] == 2


def test_without_a_target_the_last_run_is_trained_again(copied, cli):
    project = copied("binary")
    data = cli("verify", "--rerun", "--store", project.store).data
    assert data["rerun"]["same_package"] is True
    assert data["packages"] == 1
    assert project.kinds()["test.read"] == 2


def test_an_ensemble_is_trained_again_to_the_same_numbers(project):
    made = project("regression", more=TWO_MODELS)
    result = made.run()
    found = verify(result.run, rerun=True, store=made.store)
    assert found.rerun["same_package"]
    assert found.rerun["max_abs_diff"] == 0


def test_a_search_that_the_budget_ended_is_trained_again_to_the_same_numbers(project):
    made = project(rows=1_200, more="")
    result = made.run('budget.time="0.5s"')
    assert result.view.leaderboard.stopped_by == "budget"
    assert verify(result.run, rerun=True, store=made.store).rerun["max_abs_diff"] == 0


def test_everything_that_there_is_is_counted(finished, monkeypatch, cli):
    project = finished["binary"]
    result = project.run()
    wanted = {
        "events": len(project.events()),
        "blobs": len(project.workspace().store.digests()),
        "packages": 1,
        "files": sum(1 for _ in result.package.iterdir()) - 2,  # the manifest and its digest
    }
    for target in (project.store, project.store / "ledger.sqlite", project.folder):
        assert cli("verify", target).data == wanted
    assert cli("verify", "--store", project.store).data == wanted
    monkeypatch.chdir(project.folder)
    assert cli("verify").data == wanted
    for target in (result.package, result.package / "manifest.json", "binary@1"):
        data = cli("verify", target, "--store", project.store).data
        assert (data["packages"], data["files"]) == (1, wanted["files"])


@pytest.mark.parametrize("target", ["nothing-here", "last", "binary@7", "./nowhere"])
def test_what_is_not_there_cannot_be_verified(target, finished, tmp_path, cli):
    store = finished["binary"].store if target != "last" else tmp_path
    assert cli("verify", target, "--store", store).code == 2


@pytest.mark.parametrize("record", ["seal", "evaluate"])
def test_a_record_that_is_gone_is_missed(record, copied, cli):
    project = copied("binary")
    entry = project.run().entry
    name = {**entry.given, **entry.data["records"]}[record]
    (project.store / "objects" / name[:2] / name[2:]).unlink()
    for words in (["verify"], ["verify", "last"]):
        said = cli(*words, "--store", project.store)
        assert said.code != 0, words
        assert name in said.out


def test_bytes_that_a_record_names_are_verified_with_its_run(copied, cli):
    project = copied("binary")
    name = project.run().view.leaderboard.trials[0].predictions
    (project.store / "objects" / name[:2] / name[2:]).unlink()
    said = cli("verify", "last", "--store", project.store)
    assert said.code != 0
    assert name in said.out


def test_numbers_that_were_changed_do_not_pass_the_rerun(copied):
    """Whoever rewrites the record and its digests is still found out by training again."""
    made = copied("binary")
    entry = made.run().entry
    workspace = made.workspace()
    report = json.loads(workspace.store.get(entry.data["records"]["evaluate"]))
    report["champion"]["metrics"]["roc_auc"]["value"] -= 0.05
    report["champion"]["metrics"]["roc_auc"]["low"] -= 0.05
    forged = json.dumps(report, separators=(",", ":"), sort_keys=True).encode()
    workspace.store.put(forged)
    context_of(made).append(
        "run.finished",
        entry.run,
        **{
            **entry.data,
            "records": {**entry.data["records"], "evaluate": digest_of(forged)},
        },
    )
    verify(entry.run, store=made.store)
    with pytest.raises(Tampered) as error:
        verify(entry.run, rerun=True, store=made.store)
    assert error.value.code == "RERUN-DIFFERS"
    assert error.value.got.endswith("0.05")


def context_of(project):
    workspace = project.workspace()
    return Context(workspace.store, workspace.ledger, workspace.root)
