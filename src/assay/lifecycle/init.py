"""`assay init`: look at a table, and write a project file with a reason for every choice."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from assay.data import catalogue
from assay.data.audit import audit
from assay.data.content import read_table
from assay.data.ingest import Survey, survey
from assay.data.split import split
from assay.errors import StoreError, UsageError
from assay.kernel.plugins import load_family
from assay.kernel.stage import Note
from assay.kernel.store import Store
from assay.lifecycle.project import PROPOSED
from assay.lifecycle.run import Notify
from assay.records.snapshot import DataSnapshot, Problem
from assay.records.spec import DataSection, ProjectSection, ProjectSpec, SplitSection
from assay.spec.analyse import analyse
from assay.spec.propose import Proposal, propose, valid_name
from assay.stores.workspace import default_location, open_workspace

CATALOGUE = "catalogue:"
COLUMN_LEAKS = ("LEAK-TARGET", "LABEL-COPY", "LEAK-ENCODED")
"""Findings whose column `init` proposes to leave out."""


@dataclass(frozen=True)
class InitResult:
    """The file that was written, and what it says."""

    file: Path
    problem: Problem
    dropped: tuple[tuple[str, str], ...]
    text: str

    def to_dict(self) -> dict[str, Any]:
        """Return the `data` of the JSON envelope."""
        return {
            "file": str(self.file),
            "task": self.problem.task,
            "target": self.problem.target,
            "metric": self.problem.primary,
            "reason": self.problem.reason,
            "dropped": [{"column": name, "reason": reason} for name, reason in self.dropped],
        }


def init(
    folder: str | Path,
    *,
    data: str,
    target: str,
    name: str = "",
    force: bool = False,
    store: str | Path | None = None,
    notify: Notify = lambda _: None,
) -> InitResult:
    """Write `folder`/assay.toml for a table and its target column.

    Args:
        folder: the project's folder, made when it is missing.
        data: a data file, or a name of the catalogue.
        target: the column to predict.
        name: the project's name; by default the folder's.
        force: whether a project file that is there may be replaced.
        store: folder of the store, which keeps the proposals: they tell a choice that a person
            changed from one that was left as proposed.
        notify: called with each line of progress.

    Raises:
        UsageError: a project file is there already.
        DataError: the table cannot be read, or the target cannot be predicted.
    """
    home = Path(folder).expanduser()
    file = home / "assay.toml"
    if file.exists() and not force:
        raise UsageError(
            "INIT-EXISTS",
            "there is a project file already",
            where=str(file),
            hint="edit it, or pass --force to write a new one in its place",
        )
    if home.exists() and not home.is_dir():
        raise UsageError("INIT-NOT-FOLDER", "a file has this name", where=str(home))
    source = _source(data, home)
    memory = open_workspace("memory://")
    section = DataSection(source=source, target=target)
    notify(Note("init", f"reading {data}"))
    here = msgspec.structs.replace(section, source=_from_here(section.source, data))
    found = survey(here, home, memory.store, resolve=lambda n: catalogue.get(n, notify))
    wanted = valid_name(name or home.resolve().name)
    proposal, look = _propose(wanted, section, found, memory.store)
    # first the ledger: a file whose proposals it does not know would count as a person's own
    workspace = open_workspace(store or default_location(home))
    context = workspace.context()
    context.append(
        PROPOSED,
        proposal.values["project.name"],
        file=str(file.resolve()),
        values=proposal.values,
    )
    _write(file, proposal.text)
    return InitResult(file, look.problem, look.drop, proposal.text)


@dataclass(frozen=True)
class _Look:
    """A first look at a table: what it holds, what must go, and what it asks."""

    snapshot: DataSnapshot
    drop: tuple[tuple[str, str], ...]
    problem: Problem
    split: SplitSection
    copies: str


def _propose(
    name: str, section: DataSection, found: Survey, store: Store
) -> tuple[Proposal, _Look]:
    """Choose what to drop and how to split, and have the family state the problem."""
    snapshot = found.snapshot
    analysis = analyse(snapshot, section.target)
    missing = sum(step.cells for step in snapshot.cleaning if step.rule == "missing-target")
    look = _look(name, section, snapshot, (*found.dropped, *analysis.drop), analysis.split, store)
    out = {column for column, _ in look.drop}
    settled = {"split.time_on"} if look.split.time_on else set()
    proposal = propose(
        name,
        section.source or "",
        snapshot,
        look.problem,
        load_family(look.problem.family).default_gates(look.problem),
        split=look.split,
        drop=look.drop,
        notes=[note for note in analysis.notes if note[0] not in out],
        suggest={
            path: column
            for path, column in analysis.suggest.items()
            if path not in settled and column not in out
        },
        reasons=_reasons(look.problem),
        missing_target_rows=missing,
        duplicates=look.copies,
    )
    return proposal, look


def _look(
    name: str,
    section: DataSection,
    snapshot: DataSnapshot,
    drop: tuple[tuple[str, str], ...],
    policy: SplitSection,
    store: Store,
) -> _Look:
    """State the problem and audit it; what the audit would stop is left out from the start."""
    out = {column for column, _ in drop}
    kept = tuple(column for column in snapshot.columns if column.name not in out)
    spec = ProjectSpec(
        project=ProjectSection(name=name),
        data=msgspec.structs.replace(section, drop=tuple(out)),
        split=policy,
    )
    family = load_family(spec.project.family)
    table = read_table(snapshot, store)
    rest = msgspec.structs.replace(snapshot, columns=kept)
    problem = family.problem(spec, rest, table[section.target])
    whole = family.split_policy(policy, problem)
    _, parts, _ = split(whole, problem, table)
    seen = table.select(column.name for column in kept)
    findings = audit(problem, rest, seen, parts, whole, (), ()).findings
    times = [f.where for f in findings if f.code == "TIME-ORDER"]
    if times and table[times[0]].null_count() == 0 and len(problem.features) > 1:
        later = msgspec.structs.replace(policy, time_on=times[0])
        return _look(name, section, snapshot, drop, later, store)
    errors = [f for f in findings if f.severity == "error"]
    leaks = tuple((f.where, f.message) for f in errors if f.code in COLUMN_LEAKS)
    if leaks:
        return _look(name, section, snapshot, (*drop, *dict(leaks).items()), policy, store)
    copies = next((f.message for f in errors if f.code == "DUPLICATE-ROWS-SPLIT"), "")
    return _Look(snapshot, drop, problem, policy, copies)


def _reasons(problem: Problem) -> dict[str, str]:
    """Return the family's reasons for task and metric, each for its own line."""
    task, _, metric = problem.reason.partition("; metric ")
    metric = metric.partition(": ")[2]
    return {"project.task": task, **({"metric.primary": metric} if metric else {})}


def _source(data: str, home: Path) -> str:
    """Return how the project file names the data: relative to its folder, or by catalogue name."""
    path = Path(data).expanduser()
    if data.startswith(CATALOGUE):
        return data
    if path.exists() or path.suffix or os.sep in data or any(c in data for c in "*?["):
        relative = os.path.relpath(path.resolve(), home.resolve())
        return relative if not relative.startswith("../../../") else str(path.resolve())
    return f"{CATALOGUE}{catalogue.entry(data).name}"


def _from_here(source: str | None, data: str) -> str | None:
    """Return the source as it is found before the project's folder exists."""
    if source is None or source.startswith(CATALOGUE):
        return source
    return str(Path(data).expanduser().resolve())


def _write(file: Path, text: str) -> None:
    draft = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        draft.write_text(text, encoding="utf-8")
        draft.replace(file)
    except OSError as error:
        raise StoreError(
            "INIT-NOT-WRITTEN",
            f"the project file could not be written: {error.strerror or error}",
            where=str(file),
            hint="choose a folder that you may write to",
        ) from error
    finally:
        with suppress(OSError):
            draft.unlink()
