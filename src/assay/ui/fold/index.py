"""Everything the page knows of a ledger: read once at the start, then followed."""

from __future__ import annotations

from assay.alert.fold import Alerts
from assay.kernel.ledger import Ledger
from assay.lifecycle.history import SEALED, RunEntry, runs
from assay.lifecycle.incidents.incidents import Incidents
from assay.lifecycle.releasing.releases import Release, Releases
from assay.lifecycle.retraining.retrains import Retrains
from assay.records.event import Event
from assay.records.package import ModelVersion
from assay.registry.fold import MOVED, Registry
from assay.report.view import Reading
from assay.ui.fold.runs import RunRow, Runs
from assay.ui.fold.served import Served
from assay.ui.fold.trail import Trail, events_at
from assay.ui.fold.watched import Watched

PLAIN = frozenset({"choice.made", "work.finished"})
"""Kinds that the trail alone reads; most events are of these."""


class Index:
    """Folds over one ledger, for one thread; also `history.Told`, without reading it again."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger, self.next = ledger, 0
        self.registry, self.releases = Registry(), Releases()
        self.runs, self.trail, self.watched, self.served = Runs(), Trail(), Watched(), Served()
        self.incidents, self.retrains, self.alerts = Incidents(), Retrains(), Alerts()
        self.released: dict[str, dict[str, Release]] = {}
        self._seals: dict[str, str] = {}
        self._readings: dict[str, list[Reading]] = {}

    def follow(self) -> int:
        """Read what is new and return how many events that were; raises StoreError, Tampered."""
        before = self.next
        for event in self.ledger.read(self.next):
            self.take(event)
            self.next = event.seq + 1
        return self.next - before

    def take(self, event: Event) -> None:
        """Read one more event."""
        self.trail.take(event)
        if event.kind in PLAIN:
            return
        self.registry.take(event)
        self.runs.take(event)
        self.watched.take(event)
        self.served.take(event)
        self.incidents.take(event)
        self.retrains.take(event)
        self.alerts.take(event)
        if event.kind == SEALED:
            self._seals.setdefault(event.subject, event.at)
        elif event.kind == "test.read":
            reading = Reading(event.at, event.subject, event.data.get("seal", ""))
            self._readings.setdefault(event.data["test"], []).append(reading)
        elif event.kind.startswith("release.") or event.kind == MOVED:
            self._release(event)

    def entry(self, row: RunRow) -> RunEntry:
        """Return what the ledger has of one run."""
        numbers = [row.begun] if row.ended < 0 else [row.begun, row.ended]
        return runs(events_at(self.ledger, numbers))[row.run]

    def sealed_at(self, seal: str) -> str:
        """Return when a seal was first made, "" when it was not."""
        return self._seals.get(seal, "")

    def readings(self, test: str) -> tuple[Reading, ...]:
        """Return every reading of these test rows by any run, oldest first."""
        return tuple(self._readings.get(test, ()))

    def version_of(self, package: str) -> ModelVersion | None:
        """Return the version that a package became, None when it became none."""
        listed = self.registry.listing()
        return next((version for version in listed if version.package == package), None)

    def _release(self, event: Event) -> None:
        self.releases.take(event)
        last = self.releases.last.get(event.subject)
        if last is not None:
            self.released.setdefault(event.subject, {})[last.id] = last
