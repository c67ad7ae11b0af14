"""What the project file of a version says today of serving and releasing it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from assay.errors import SpecError, UsageError
from assay.records.event import Event
from assay.records.package import ModelVersion
from assay.records.spec import ReleaseSection, ServeSection
from assay.spec.load import load, load_text

RUN_STARTED = "run.started"
"""As `history.STARTED`, which a server does not import: it brings the reports along."""

_NO_FILE = '[project]\nname = "gone"\n[data]\nsource = "gone"\ntarget = "gone"\n'
_OURS = ("serve.", "release.")


class Settings:
    """Reads `[serve]` and `[release]`, once for each project until it is told to read again."""

    def __init__(self, overrides: Sequence[str] = ()) -> None:
        """Take `KEY=VALUE` texts that go before every file; raises UsageError for other keys."""
        other = [text for text in overrides if not text.strip().startswith(_OURS)]
        if other:
            raise UsageError(
                "SERVE-SET",
                "a server takes only keys of [serve] and [release]",
                where="--set",
                got=other[0],
                allowed=["serve.KEY=VALUE", "release.KEY=VALUE"],
                hint="anything else decides how a model is trained: change it with `assay run`",
            )
        self._overrides = tuple(overrides)
        self._known: dict[str, tuple[ServeSection, ReleaseSection]] = {}

    def of(self, folder: str) -> tuple[ServeSection, ReleaseSection]:
        """Return the sections of the project in a folder, the defaults where there is no file.

        Raises SpecError, UsageError or Mistakes for what a person has to mend.
        """
        if folder not in self._known:
            self._known[folder] = self._read(folder)
        return self._known[folder]

    def again(self) -> None:
        """Read every file again; raises as `of` does, and then keeps what was read before."""
        self._known = {folder: self._read(folder) for folder in self._known}

    def _read(self, folder: str) -> tuple[ServeSection, ReleaseSection]:
        try:
            if folder:
                spec = load(Path(folder), self._overrides)
                return spec.serve, spec.release
        except SpecError as error:
            if error.code != "SPEC-NOT-FOUND":
                raise
        spec = load_text("--set", _NO_FILE, self._overrides)
        return spec.serve, spec.release


def settings_of(
    events: Iterable[Event], version: ModelVersion, overrides: Sequence[str] = ()
) -> tuple[ServeSection, ReleaseSection]:
    """Return what the project file of a version says today; raises as `Settings` does."""
    started = (e for e in events if e.kind == RUN_STARTED and e.subject == version.run)
    folder = next((event.data["folder"] for event in started), "")
    return Settings(overrides).of(folder)
