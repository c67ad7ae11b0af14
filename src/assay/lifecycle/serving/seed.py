"""A store that holds one version of a model: what a server elsewhere starts from."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from assay.lifecycle import history
from assay.records.event import Draft, Event
from assay.records.package import ModelVersion
from assay.registry.fold import CHAMPION, MOVED, REGISTERED, fold
from assay.spec.load import FILE_NAME, load
from assay.stores.workspace import Workspace, open_workspace

STORE, PROJECT = "store", "project"


def seed(workspace: Workspace, events: Sequence[Event], found: ModelVersion, folder: Path) -> None:
    """Write `folder/store` with the version's package and a ledger in which it is the champion.

    Versions keep their numbers, as those before them are registered too. The file of the project
    goes to `folder/project` for what it says on serving; the run is said to lie there, by the path
    from `folder`, without its records. The version that the file falls back on comes along.
    Raises StoreError.
    """
    carried = [found, *_fallback(events, found, folder)]
    made = open_workspace(folder / STORE)
    for version in {v.package: v for v in carried}.values():
        source = workspace.root / "packages" / version.package
        shutil.copytree(source, made.folder("packages") / version.package)
    for event in events:
        if event.kind == history.STARTED and event.subject == found.run:
            made.ledger.append(_again(event, folder=PROJECT, given={}))  # its records stay here
    registered = {event.seq: event for v in carried for event in _registrations(events, v)}
    for _, event in sorted(registered.items()):
        made.ledger.append(_again(event))
    context = made.context()
    for version in {v.name: v for v in reversed(carried)}.values():
        context.append(
            MOVED,
            version.name,
            alias=CHAMPION,
            version=version.version,
            reason="deployed alone",
            verdict=version.verdict,
            parents=(version.package,),
        )


def _fallback(events: Sequence[Event], found: ModelVersion, folder: Path) -> list[ModelVersion]:
    """Take the project's file along, and return the version that it falls back on, if it does."""
    run = history.runs(events).get(found.run)
    file = Path(run.folder if run is not None else "") / FILE_NAME
    (folder / PROJECT).mkdir(parents=True)
    if not file.is_file():
        return []
    shutil.copyfile(file, folder / PROJECT / FILE_NAME)
    wanted = load(file).serve.fallback
    return [fold(events).resolve(wanted)] if wanted else []


def _registrations(events: Sequence[Event], version: ModelVersion) -> list[Event]:
    """Return the registrations of a name up to the one of this version."""
    named = [e for e in events if e.kind == REGISTERED and e.subject == version.name]
    last = next(i for i, e in enumerate(named) if e.data["package"] == version.package)
    return named[: last + 1]


def _again(event: Event, **changed: object) -> Draft:
    return Draft(
        kind=event.kind,
        subject=event.subject,
        actor=event.actor,
        agency=event.agency,
        data={**event.data, **changed},
        parents=event.parents,
    )
