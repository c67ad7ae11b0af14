"""From the command to the first answer: what it says, how long it takes, what it weighs."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from pathlib import Path

from shop import ROWS, Shop, Start, eventually

from assay.lifecycle.models import models

NEVER = {"jinja2", "lightgbm", "onnx", "optuna", "pandas", "rich", "scipy", "sklearn"}


def pss(process: int) -> float:
    """Return the memory of a process in MB, what it shares divided among those that share it."""
    text = Path(f"/proc/{process}/smaps_rollup").read_text()
    return int(re.search(r"^Pss:\s+(\d+) kB", text, re.MULTILINE)[1]) / 1024  # type: ignore[index]


def test_it_says_one_line_and_is_quick_and_light(server: Start) -> None:
    """The aims are 1.5 s and 150 MB; a machine with much else to do gets four times as long."""
    serving = server("churny", "--workers", "2")
    client = serving.client()
    for row in ROWS:
        client.predict(row)
    memory = [pss(worker) for worker in serving.workers]
    print(f"ready after {serving.seconds:.2f} s; MB per worker: {[round(m) for m in memory]}")
    assert serving.lines == [f"ready {serving.url}"]
    assert serving.seconds < 6
    assert max(memory) < 150


def test_what_serving_imports_is_not_what_training_imports() -> None:
    code = (
        "import sys, assay.lifecycle.serving.server, assay.tasks.tabular.engine.predictor\n"
        "print(*{name.split('.')[0] for name in sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not NEVER & set(done.stdout.split())


def test_the_parent_starts_no_thread_of_its_own(server: Start) -> None:
    serving = server("churny", "--workers", "1")
    tasks = Path(f"/proc/{serving.pid}/task").iterdir()
    waiting = [Path(task, "wchan").read_text() for task in tasks if task.name != str(serving.pid)]
    assert all("futex" in what for what in waiting), waiting  # those of libraries, which sleep


def test_settings_of_the_command_line_are_read_with_every_hangup(
    server: Start, store: Shop
) -> None:
    serving = server("churny", "--workers", "2", "--set", "serve.unknown=error")
    answer = serving.client().post("/predict", {**ROWS[0], "colour": "red"})
    assert answer.status == 422
    serving.signal(signal.SIGHUP)
    eventually(lambda: len(serving.workers) == 2)
    assert serving.client().post("/predict", {**ROWS[0], "colour": "red"}).status == 422


def test_a_project_file_that_changes_counts_after_a_hangup(server: Start, store: Shop) -> None:
    file = Path(store.events("run.started")[1].data["folder"]) / "assay.toml"
    before = file.read_text()
    serving = server("churny", "--workers", "2", "--no-log")
    odd = {**ROWS[0], "colour": "red"}
    try:
        assert serving.client().post("/predict", odd).status == 200
        file.write_text(f'{before}\n[serve]\nunknown = "nonsense"\n')
        serving.signal(signal.SIGHUP)
        eventually(lambda: "SPEC-" in serving.said)
        assert serving.client().post("/predict", odd).status == 200
        file.write_text(f'{before}\n[serve]\nunknown = "error"\n')
        serving.signal(signal.SIGHUP)
        eventually(
            lambda: {serving.client().post("/predict", odd).status for _ in range(6)} == {422}
        )
    finally:
        file.write_text(before)


def test_settings_that_a_worker_cannot_use_are_refused_by_all(server: Start, store: Shop) -> None:
    """Every worker has the version: none must go away over settings that none can take."""
    file = Path(store.events("run.started")[1].data["folder"]) / "assay.toml"
    before = file.read_text()
    serving = server("churny", "--workers", "2")
    workers = serving.workers
    try:
        file.write_text(f'{before}\n[serve]\nmask = ["nobody"]\n')
        serving.signal(signal.SIGHUP)
        [event] = eventually(lambda: store.events("deployment.failed"))
        assert event.data["error"]["code"] == "SERVE-LOG-COLUMN"
        assert serving.client().predict(ROWS[0])["model"] == "churny@2"
        assert serving.workers == workers
        refused = server("churny", ready=False)
        _, said = refused.process.communicate(timeout=60)
        assert refused.process.returncode == 2
        assert "SERVE-LOG-COLUMN" in said
    finally:
        file.write_text(before)


def test_a_fallback_is_loaded_too_and_refused_as_any_version(server: Start, store: Shop) -> None:
    serving = server("churny", "--set", "serve.fallback=churny@1", "--workers", "1")
    assert serving.client().post("/models/churny@1/predict", ROWS[0]).status == 404
    assert serving.stop() == 0
    folder = store.store / "packages" / models(store.store)[0].package
    folder.rename(folder.with_name("elsewhere"))
    refused = server("churny", "--set", "serve.fallback=churny@1", ready=False)
    _, said = refused.process.communicate(timeout=60)
    assert refused.process.returncode == 5
    assert "PACKAGE-NO-MANIFEST" in said


def test_a_fallback_for_another_question_is_refused(server: Start) -> None:
    refused = server("pricy", "--set", "serve.fallback=churny@1", ready=False)
    _, said = refused.process.communicate(timeout=60)
    assert refused.process.returncode == 2
    assert "SERVE-FALLBACK-OTHER" in said


def test_it_runs_with_a_project_that_is_gone(server: Start, store: Shop) -> None:
    """The folder of the run is on another machine: the package answers, settings are the usual."""
    folder = Path(store.events("run.started")[0].data["folder"])
    kept = folder.with_name("elsewhere")
    folder.rename(kept)
    try:
        serving = server("churny", "--workers", "1", "--set", "serve.unknown=error")
        assert serving.client().predict(ROWS[0])["model"] == "churny@2"
        assert serving.client().post("/predict", {**ROWS[0], "colour": "red"}).status == 422
    finally:
        kept.rename(folder)
