"""Small projects with a known truth, and the command line: in this process and in its own."""

from __future__ import annotations

import shutil
import subprocess
import sys
from typing import Any

import pytest
from projects import GATES, LIMITED, PATIENCE, TARGETS, Project, Said, kill, write_project

from assay.cli.main import main


@pytest.fixture(autouse=True)
def _no_store_of_the_machine(monkeypatch):
    monkeypatch.delenv("ASSAY_STORE", raising=False)


@pytest.fixture
def project(tmp_path):
    """Return a function that writes a project in a folder of its own."""

    def make(task: str = "binary", name: str = "shop", **kwargs: Any) -> Project:
        return write_project(tmp_path / name, task, **kwargs)

    return make


@pytest.fixture(scope="session")
def finished(tmp_path_factory) -> dict[str, Project]:
    """Return a finished, accepted run of each task; a test that writes copies it first."""
    folder = tmp_path_factory.mktemp("finished")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("ASSAY_STORE", raising=False)
        projects = {task: write_project(folder / task, task, GATES[task]) for task in TARGETS}
        for made in projects.values():
            made.run()
    return projects


@pytest.fixture
def copied(finished, tmp_path):
    """Return a function that gives a copy of a finished project, to be changed."""

    def copy(task: str) -> Project:
        folder = tmp_path / task
        shutil.copytree(finished[task].folder, folder)
        return Project(folder)

    return copy


@pytest.fixture
def cli(capsys):
    """Return a function that runs a command in this process, with `--json`."""

    def call(*words: object) -> Said:
        capsys.readouterr()
        code = main([*map(str, words), "--json"])
        out, err = capsys.readouterr()
        return Said(code, out, err)

    return call


@pytest.fixture
def spawn():
    """Return a function that starts a command in a process group of its own."""
    started: list[subprocess.Popen[str]] = []

    def start(*words: object, file_limit: int | None = None) -> subprocess.Popen[str]:
        head = ["-m", "assay.cli.main"] if file_limit is None else ["-c", LIMITED, str(file_limit)]
        process = subprocess.Popen(
            [sys.executable, *head, *map(str, words)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        kill(process)


@pytest.fixture
def python():
    """Return a function that starts Python on a script with arguments, its pipes open."""
    started: list[subprocess.Popen[str]] = []

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
        kill(process)


@pytest.fixture
def shell(spawn):
    """Return a function that runs a command in its own process to the end."""

    def call(*words: object, file_limit: int | None = None) -> Said:
        process = spawn(*words, file_limit=file_limit)
        out, err = process.communicate(timeout=PATIENCE)
        assert "Traceback" not in err, err
        return Said(process.returncode, out, err)

    return call
