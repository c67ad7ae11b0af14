"""From the ledger to what a server answers with: read on from the last event, often."""

from __future__ import annotations

from assay.errors import UsageError
from assay.kernel.ledger import Ledger
from assay.lifecycle.serving.settings import RUN_STARTED, Settings
from assay.records.deployment import Arm, Deployment
from assay.records.event import Event
from assay.records.package import ModelVersion
from assay.records.spec import ReleaseSection, ServeSection
from assay.registry.fold import CHAMPION, Registry
from assay.serve.processes.control import Service


class Following:
    """The models of a server: each a pinned version, or whichever is the champion."""

    def __init__(self, ledger: Ledger, settings: Settings) -> None:
        self.registry = Registry()
        self._ledger, self._settings = ledger, settings
        self._folders: dict[str, str] = {}
        """Run → folder of its project."""
        self._pinned: dict[str, int | None] = {}
        self._next = 0

    @property
    def models(self) -> list[str]:
        """Return the references that are followed, the default model first."""
        return [name if pin is None else f"{name}@{pin}" for name, pin in self._pinned.items()]

    def read(self) -> list[Event]:
        """Return the events since the last time; raises StoreError or Tampered."""
        events = list(self._ledger.read(self._next))
        for event in events:
            self._next = event.seq + 1
            self.registry.take(event)
            if event.kind == RUN_STARTED:
                self._folders[event.subject] = event.data["folder"]
        return events

    def add(self, reference: str) -> str:
        """Follow NAME, NAME@champion, or pin NAME@VERSION; return the name. Raises UsageError."""
        version = self.registry.resolve(reference)
        wanted = reference.partition("@")[2]
        self._settings.of(self.folder(version))
        self._pinned[version.name] = None if wanted in ("", CHAMPION) else version.version
        return version.name

    def remove(self, name: str) -> str:
        """Follow a model no longer; raises UsageError where it is not followed."""
        if name not in self._pinned:
            raise UsageError(
                "MODEL-UNKNOWN",
                f"no model called {name} is served here",
                got=name,
                allowed=list(self._pinned),
            )
        del self._pinned[name]
        return name

    def is_pinned(self, name: str) -> bool:
        """Return True where one version is served whatever the champion is."""
        return self._pinned.get(name) is not None

    def folder(self, version: ModelVersion) -> str:
        """Return the folder of the project that a version came from."""
        return self._folders.get(version.run, "")

    def sections(self, version: ModelVersion) -> tuple[ServeSection, ReleaseSection]:
        """Return what the project file of a version says of serving and releasing it."""
        return self._settings.of(self.folder(version))

    def services(self) -> list[Service]:
        """Return what is to be answered with, as far as the registry decides."""
        return [self._service(name, pin) for name, pin in self._pinned.items()]

    def _service(self, name: str, pin: int | None) -> Service:
        version = self.registry.resolve(name if pin is None else f"{name}@{pin}")
        section, _ = self.sections(version)
        arm = Arm(version=version.version, package=version.package)
        fallback = self._fallback(section, version)
        return Service(Deployment(model=name, arms=(arm,), fallback=fallback), section)

    def _fallback(self, section: ServeSection, version: ModelVersion) -> str:
        """Return NAME@VERSION of what answers when there is too much to do, "" without one."""
        if section.fallback is None:
            return ""
        other = self.registry.resolve(section.fallback)
        same = (other.name, other.version) == (version.name, version.version)
        return "" if same else f"{other.name}@{other.version}"
