"""Small projects with a known truth, and the command line: in this process and in its own."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from assay.cli.main import main
from assay.kernel.ledger import verify_chain
from assay.lifecycle.result import RunResult
from assay.lifecycle.run import run
from assay.records.event import Event
from assay.stores.workspace import Workspace, open_workspace
from assay.tasks.tabular.portfolio.choose import candidates
from assay.tasks.tabular.portfolio.facts import Facts

PATIENCE = 300
"""Seconds that a process may take on a machine with much else to do."""

_NAMES = {c.kind: c.name for c in reversed(candidates(Facts(classes=2, rows=480)))}
LINEAR, BOOSTING = _NAMES["linear"], _NAMES["boosting"]

FAST = f"""
[budget]
iterations = 1
only = ["{LINEAR}"]
"""

ACCEPTED = f"""{FAST}
[[gates]]
metric = "roc_auc"
at_least = 0.7
"""

UNSURE = {
    task: f"""
[[gates]]
metric = "{metric}"
at_least = {value}
"""
    for task, metric, value in (
        ("binary", "roc_auc", 0.95),
        ("multiclass", "accuracy", 0.8),
        ("regression", "r2", 0.86),
    )
}
"""Gates inside the interval of what is reached, so that the verdict is inconclusive."""

TWO_MODELS = f"""
[budget]
time = "10m"
only = ["{LINEAR}", "{BOOSTING}"]
"""

TARGETS = {"binary": "left", "multiclass": "plan", "regression": "spend"}

_LIMITED = """
import resource, sys
limit = int(sys.argv.pop(1))
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
from assay.cli.main import main
raise SystemExit(main())
"""


def make_table(task: str, rows: int = 600, seed: int = 3) -> pl.DataFrame:
    """Return numbers, a category, a boolean and missing cells, with the target of `task`.

    `fee` and `visits` decide it with a little noise; `height` says nothing.
    """
    rng = np.random.default_rng(seed)
    fee = rng.normal(50, 10, rows).round(2)
    visits = rng.poisson(6, rows)
    region = rng.choice(["north", "south", "west"], rows, p=[0.5, 0.3, 0.2])
    score = (fee - 50) / 10 - (visits - 6) / 2.5 + (region == "west") + rng.normal(0, 0.5, rows)
    target: dict[str, Any] = {
        "binary": np.where(score > 0.2, "yes", "no"),
        "multiclass": np.select([score < -0.7, score < 0.8], ["basic", "plus"], "premium"),
        "regression": (100 + 20 * score).round(3),
    }
    return pl.DataFrame(
        {
            "fee": pl.Series(fee).set(pl.Series(rng.random(rows) < 0.05), None),
            "visits": visits,
            "region": pl.Series(region).set(pl.Series(rng.random(rows) < 0.05), None),
            "member": rng.random(rows) < 0.4,
            "height": rng.normal(170, 8, rows).round(1),
            TARGETS[task]: target[task],
        }
    )


@dataclass(frozen=True)
class Project:
    """A folder with a table and a project file, and its store."""

    folder: Path

    @property
    def store(self) -> Path:
        return self.folder / ".assay"

    @property
    def file(self) -> Path:
        return self.folder / "assay.toml"

    def workspace(self) -> Workspace:
        return open_workspace(self.store, create=False)

    def events(self) -> list[Event]:
        """Return all events, their chain verified."""
        found = list(self.workspace().ledger.read())
        assert verify_chain(found) == len(found)
        return found

    def kinds(self) -> Counter[str]:
        return Counter(event.kind for event in self.events())

    def keys(self) -> Counter[str]:
        """Return how often each piece of work was finished."""
        return Counter(e.data["key"] for e in self.events() if e.kind == "work.finished")

    def fits(self) -> list[str]:
        """Return the subjects of all fits, in order."""
        events = self.events()
        return [e.subject for e in events if e.subject.startswith("fit:")]

    def edit(self, old: str, new: str) -> None:
        text = self.file.read_text()
        assert old in text
        self.file.write_text(text.replace(old, new))

    def run(self, *overrides: str, **options: Any) -> RunResult:
        return run(self.folder, overrides=overrides, store=self.store, **options)


def write_project(
    folder: Path, task: str = "binary", more: str | None = None, rows: int = 600, **sections: str
) -> Project:
    """Write `table.csv` and `assay.toml`; `sections` replaces or adds whole lines of [data]."""
    more = FAST + UNSURE[task] if more is None else more
    folder.mkdir(parents=True, exist_ok=True)
    make_table(task, rows).write_csv(folder / "table.csv")
    data = {"source": '"table.csv"', "target": f'"{TARGETS[task]}"', **sections}
    if task == "binary":
        data.setdefault("positive", '"yes"')
    lines = "\n".join(f"{key} = {value}" for key, value in data.items())
    text = f'[project]\nname = "{folder.name}"\n\n[data]\n{lines}\n{more}'
    (folder / "assay.toml").write_text(text)
    return Project(folder)


@pytest.fixture(autouse=True)
def _no_store_of_the_machine(monkeypatch):
    monkeypatch.delenv("ASSAY_STORE", raising=False)


@pytest.fixture
def project(tmp_path):
    """Return a function that writes a project in a folder of its own."""

    def make(task: str = "binary", name: str = "shop", **kwargs: Any) -> Project:
        return write_project(tmp_path / name, task, **kwargs)

    return make


GATES = {
    "binary": ACCEPTED,
    "multiclass": f"""{FAST}
[[gates]]
metric = "balanced_accuracy"
at_least = 0.5
""",
    "regression": f"""{FAST}
[[gates]]
metric = "r2"
at_least = 0.5
""",
}


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


@dataclass(frozen=True)
class Said:
    """What a command said: its exit code, the envelope, and its two streams."""

    code: int
    out: str
    err: str

    @property
    def envelope(self) -> dict[str, Any]:
        lines = self.out.splitlines()
        assert len(lines) == 1, f"more than an envelope on standard output: {self.out}"
        return json.loads(lines[0])

    @property
    def data(self) -> Any:
        assert self.envelope["ok"] is True
        return self.envelope["data"]

    @property
    def codes(self) -> list[str]:
        assert self.envelope["ok"] is False
        return [error["code"] for error in self.envelope["errors"]]


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
        head = ["-m", "assay.cli.main"] if file_limit is None else ["-c", _LIMITED, str(file_limit)]
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


def kill(process: subprocess.Popen[str]) -> None:
    """Send SIGKILL to a process, and collect it."""
    if process.poll() is None:
        os.kill(process.pid, signal.SIGKILL)
    if process.stdout is not None and not process.stdout.closed:
        process.communicate(timeout=PATIENCE)


@pytest.fixture
def shell(spawn):
    """Return a function that runs a command in its own process to the end."""

    def call(*words: object, file_limit: int | None = None) -> Said:
        process = spawn(*words, file_limit=file_limit)
        out, err = process.communicate(timeout=PATIENCE)
        assert "Traceback" not in err, err
        return Said(process.returncode, out, err)

    return call
