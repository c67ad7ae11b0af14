"""Projects on generated tables, and what the command line says of them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

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
LIMITED = """
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


def kill(process: subprocess.Popen[str]) -> None:
    """Send SIGKILL to a process, and collect it."""
    if process.poll() is None:
        os.kill(process.pid, signal.SIGKILL)
    if process.stdout is not None and not process.stdout.closed:
        process.communicate(timeout=PATIENCE)
