"""What every page is made of: the store, the index, and what was read of the log."""

from __future__ import annotations

from functools import lru_cache

from assay.errors import UsageError
from assay.kernel.store import get_record
from assay.lifecycle.watching.opened import open_profile
from assay.records.package import ModelVersion
from assay.records.watch import WatchVerdict
from assay.stores.workspace import Workspace
from assay.ui.fold.index import Index
from assay.ui.fold.logs import Logs
from assay.ui.fold.trail import Verifier
from assay.ui.fold.watched import Window
from assay.watch.profile import Profile

_KEPT, _PROFILES = 512, 8
"""Verdicts and profiles that are kept in memory once they were shown."""


class Site:
    """One store as the page sees it; but for `verifier` and `logs` on one thread only."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.index = Index(workspace.ledger)
        self.verifier = Verifier(workspace.ledger)
        self.logs = Logs(workspace.root)
        self._verdict = lru_cache(_KEPT)(self._read)
        self._profile = lru_cache(_PROFILES)(self._opened)

    @property
    def name(self) -> str:
        """Return the store's name: of the folder that its `.assay` lies in."""
        root = self.workspace.root
        return root.parent.name if root.name.startswith(".") else root.name

    def verdict(self, window: Window) -> WatchVerdict | None:
        """Return the whole verdict of a window, None where it was not stored."""
        return self._verdict(window.record) if window.record else None

    def profile(self, version: ModelVersion) -> Profile | None:
        """Return what a version is compared with; None where its package has no profile."""
        return self._profile(version)

    def start(self) -> None:
        """Read the ledger whole, and begin to look at what goes on beside it."""
        self.index.follow()
        self.verifier.start()
        self.logs.start()

    def stop(self) -> None:
        """End the threads."""
        self.verifier.stop()
        self.logs.stop()

    def _opened(self, version: ModelVersion) -> Profile | None:
        try:
            return open_profile(self.workspace, version)
        except (OSError, UsageError):
            return None

    def _read(self, record: str) -> WatchVerdict:
        return get_record(self.workspace.store, record, WatchVerdict)
