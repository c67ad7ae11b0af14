"""A copy of a store to try things on: the versions they need, and none of the user's log."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from assay.lifecycle import history
from assay.lifecycle.serving.seed import PROJECT, STORE, seed
from assay.records.event import Event
from assay.records.package import ModelVersion
from assay.registry.fold import REGISTERED, fold
from assay.stores.workspace import Workspace, open_workspace


@contextmanager
def scratch(
    workspace: Workspace, good: ModelVersion, other: ModelVersion | None = None
) -> Iterator[tuple[Workspace, Path]]:
    """Give a store in which `good` is live and `other` is there too, and the folder it lies in.

    The folder is the one to run a server in, and is gone when the block ends. Versions keep their
    numbers. Raises StoreError where there is no room.
    """
    events = list(workspace.ledger.read())
    with tempfile.TemporaryDirectory(prefix="assay-scratch-") as name:
        folder = Path(name)
        seed(workspace, events, good, folder)
        made = open_workspace(folder / STORE)
        if other is not None:
            source = workspace.root / "packages" / other.package
            shutil.copytree(source, made.folder("packages") / other.package)
            _add(made, events, other)
        yield made, folder


def _add(made: Workspace, events: list[Event], version: ModelVersion) -> None:
    """Add the run of a version, and the registrations up to it that the copy lacks."""
    context = made.context()
    started = [e for e in events if e.kind == history.STARTED and e.subject == version.run]
    for event in started[:1]:
        context.append(event.kind, event.subject, **{**event.data, "folder": PROJECT})
    known = fold(made.ledger.read()).versions[version.name]
    for each in fold(events).versions[version.name][len(known) : version.version]:
        context.append(
            REGISTERED, each.name, package=each.package, run=each.run, verdict=each.verdict,
            parents=(each.package,),
        )  # fmt: skip
