"""`assay verify`: digests, the chain, and on request the numbers themselves."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from assay.errors import Tampered
from assay.kernel import run as loop
from assay.kernel.ledger import verify_chain
from assay.kernel.stage import Context, Note, take
from assay.kernel.store import Store, get_record, put_record
from assay.lifecycle import history
from assay.lifecycle.predict import package_path
from assay.lifecycle.run import Notify, choose_executor
from assay.lifecycle.stages import STAGES
from assay.package.manifest import MANIFEST, read_files
from assay.records.base import Record, digest
from assay.records.engine import Engine
from assay.records.fitted import Leaderboard
from assay.records.package import Package
from assay.records.report import Report
from assay.records.seal import Seal
from assay.records.snapshot import DataSnapshot, Problem
from assay.records.spec import (
    AnswersSection,
    AuditSection,
    BudgetSection,
    DataSection,
    FairnessSection,
    FeaturesSection,
    ProjectSection,
    ProjectSpec,
    SplitSection,
)
from assay.registry.fold import fold
from assay.stores.workspace import Workspace, find_workspace, open_workspace

GIVEN: dict[str, type[Record]] = {
    "spec": ProjectSpec,
    "spec.split": SplitSection,
    "spec.audit": AuditSection,
    "spec.budget": BudgetSection,
    "spec.data": DataSection,
    "spec.features": FeaturesSection,
    "spec.answers": AnswersSection,
    "spec.fairness": FairnessSection,
    "spec.project": ProjectSection,
    "snapshot": DataSnapshot,
    "problem": Problem,
    "seal": Seal,
    "engine": Engine,
}


@dataclass
class Verified:
    """What was checked: how many of each, and how far a rerun was off."""

    events: int = 0
    blobs: int = 0
    packages: int = 0
    files: int = 0
    rerun: dict[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return the `data` of the JSON envelope."""
        return {
            "events": self.events,
            "blobs": self.blobs,
            "packages": self.packages,
            "files": self.files,
            **({"rerun": self.rerun} if self.rerun else {}),
        }


def verify(
    target: str = "",
    *,
    rerun: bool = False,
    store: str | Path | None = None,
    notify: Notify = lambda _: None,
) -> Verified:
    """Check a run, a package, or (without a target, or with a store's folder) a whole store.

    Raises:
        Tampered: a digest does not match; `where` names the file or event.
        UsageError: no such run, package or store.
    """
    path = Path(target) if target else None
    if path is not None and ((path / MANIFEST).exists() or path.name == MANIFEST):
        return _packages([package_path(target)])
    if path is not None and (path.is_dir() or path.name == "ledger.sqlite"):
        folder = path.parent if path.name == "ledger.sqlite" else path
        nested = folder / ".assay"
        return _store(open_workspace(nested if nested.is_dir() else folder, create=False))
    workspace = find_workspace(store)
    if not target:
        found = _store(workspace)
        found.rerun = _run(workspace, "last", notify, rerun=True).rerun if rerun else {}
        return found
    if "@" in target:
        return _packages([package_path(target, store)])
    return _run(workspace, target, notify, rerun=rerun)


def _store(workspace: Workspace) -> Verified:
    events = verify_chain(workspace.ledger.read())
    packages = workspace.root / "packages"
    registered = {version.package for version in fold(workspace.ledger.read()).listing()}
    present = {path.name for path in packages.glob("[!.]*")}
    found = _packages([packages / name for name in sorted(registered | present)])
    found.events = events
    known = workspace.store.digests()
    for name in known:
        workspace.store.get(name)
        found.blobs += 1
    for entry in history.runs(workspace.ledger.read()).values():
        for name in {*entry.given.values(), *entry.data.get("records", {}).values()} - {*known}:
            workspace.store.get(name)  # raises: a record that the ledger names is gone
    return found


def _packages(paths: list[Path]) -> Verified:
    found = Verified()
    for path in paths:
        manifest, _ = read_files(path)
        found.packages += 1
        found.files += len(manifest.files)
    return found


def _run(workspace: Workspace, reference: str, notify: Notify, *, rerun: bool) -> Verified:
    events = verify_chain(workspace.ledger.read())
    entry = history.find(history.runs(workspace.ledger.read()), reference)
    records = {**entry.given, **entry.data.get("records", {})}
    blobs = _blobs(workspace.store, entry)
    for name in (*records.values(), *blobs):
        workspace.store.get(name)
    view = history.view(workspace, entry)
    found = _packages([workspace.root / view.package.path] if view.package else [])
    found.events, found.blobs = events, len(records) + len(blobs)
    if rerun and view.report is not None:
        found.rerun = _repeat(workspace, entry, notify)
    return found


def _blobs(store: Store, entry: history.RunEntry) -> list[str]:
    """Return the digests of the bytes that the records of a run name."""
    kinds: dict[str, type[Record]] = {stage.name: stage.produces for stage in STAGES} | GIVEN
    records = {**entry.given, **entry.data.get("records", {})}
    return [
        blob
        for name, found in records.items()
        for blob in get_record(store, found, kinds[name]).blobs()
    ]


def _repeat(workspace: Workspace, entry: history.RunEntry, notify: Notify) -> dict[str, Any]:
    """Run the stages again in an empty store, as far as the first run came, and compare."""
    given = _given(workspace.store, entry)
    board = get_record(workspace.store, entry.data["records"]["search"], Leaderboard)
    budget = msgspec.structs.replace(
        take(given, "spec.budget", BudgetSection), repeat=digest(board)
    )
    given["spec.budget"] = budget
    snapshot = take(given, "snapshot", DataSnapshot)
    with tempfile.TemporaryDirectory(prefix="assay-rerun-") as folder:
        again = open_workspace(folder)
        for table in snapshot.blobs():
            _copy(table, workspace.store, again.store)
        put_record(again.store, board)
        context = Context(
            again.store,
            again.ledger,
            again.root,
            project=Path(entry.folder),
            run=entry.run,
            notify=lambda note: notify(Note(note.stage, note.text, note.done, note.total)),
            executor=choose_executor(snapshot, budget),
        )
        try:
            records = loop.run(STAGES, given, context).records
        finally:
            context.executor.stop()
        before = get_record(workspace.store, entry.data["records"]["evaluate"], Report)
        workspace.context().append(
            "test.read",
            entry.run,
            seal=entry.given["seal"],
            test=before.test,
            rows=before.rows,
            rerun=True,
        )
        after = take(records, "evaluate", Report)
        packages = (entry.data["records"].get("package"), take(records, "package", Package))
        return _compare(before, after, workspace, packages)


def _given(store: Store, entry: history.RunEntry) -> dict[str, Record]:
    """Return what a run started from; a section that is younger than the run has its defaults."""
    spec = get_record(store, entry.given["spec"], ProjectSpec)
    return {
        name: get_record(store, entry.given[name], kind)
        if name in entry.given
        else getattr(spec, name.removeprefix("spec."))
        for name, kind in GIVEN.items()
    }


def _compare(
    before: Report, after: Report, workspace: Workspace, packages: tuple[str | None, Package]
) -> dict[str, Any]:
    old = {name: e.value for name, e in before.champion.metrics.items()}
    new = {name: e.value for name, e in after.champion.metrics.items()}
    worst = max((abs(old[name] - new[name]) for name in old), default=0.0)
    first = get_record(workspace.store, packages[0], Package).digest if packages[0] else ""
    result = {
        "max_abs_diff": worst,
        "metrics": msgspec.to_builtins(new),
        "same_package": first == packages[1].digest,
    }
    if worst > 1e-9:
        raise Tampered(
            "RERUN-DIFFERS",
            "running it again gives other numbers than the record holds",
            got=f"largest difference {worst:.3g}",
            hint="compare the library versions of both machines: `assay show RUN` prints them",
        )
    return result


def _copy(name: str, source: Store, target: Store) -> None:
    target.put(source.get(name))
