"""Two runs in one folder at the same time: one works, the other waits and says so."""

from __future__ import annotations

import json
import os

from projects import PATIENCE, TWO_MODELS, UNSURE

from assay.records.base import digest
from assay.stores.workspace import open_workspace


def test_two_runs_in_one_folder_are_one_run(project, spawn):
    made = project(more=TWO_MODELS + UNSURE["binary"])
    lock = f"run-{digest(str(made.file.resolve()))[:12]}"
    with open_workspace(made.store).lock(lock, lambda _: None):
        both = [spawn("run", made.folder, "--json") for _ in range(2)]
        for process in both:
            assert any(f"waiting for process {os.getpid()}" in line for line in process.stderr)
    answers = [process.communicate(timeout=PATIENCE) for process in both]
    assert [process.returncode for process in both] == [4, 4]
    assert len({json.loads(out)["data"]["run"] for out, _ in answers}) == 1
    assert sum("nothing has changed" in err for _, err in answers) == 1
    assert set(made.keys().values()) == {1}
    assert made.kinds()["run.started"] == made.kinds()["run.finished"] == 1
    assert made.kinds()["test.read"] == 1
    assert made.kinds()["model.registered"] == 1


def test_two_projects_in_one_store_do_not_wait_for_each_other(project, spawn, tmp_path):
    store = tmp_path / "shared"
    both = [
        spawn("run", project(name=name).folder, "--store", store, "--json") for name in ("a", "b")
    ]
    answers = [process.communicate(timeout=PATIENCE) for process in both]
    assert [process.returncode for process in both] == [4, 4]
    assert not any("waiting" in err for _, err in answers)
    assert len({json.loads(out)["data"]["model"]["name"] for out, _ in answers}) == 2


def test_a_check_beside_a_run_does_not_disturb_it(project, spawn):
    made = project()
    running = spawn("run", made.folder, "--json")
    checks = [spawn("check", made.folder, "--json") for _ in range(2)]
    for process in checks:
        out, _ = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0, out
    out, err = running.communicate(timeout=PATIENCE)
    assert running.returncode == 4, err
    assert made.kinds()["run.finished"] == 1
