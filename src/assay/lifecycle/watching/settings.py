"""What the project file of a version says today of watching it, and of what follows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from assay.errors import SpecError, UsageError
from assay.lifecycle.serving.settings import RUN_STARTED
from assay.records.event import Event
from assay.records.package import ModelVersion
from assay.records.spec import AlertSpec, RetrainSection, ServeSection, WatchSection
from assay.spec.load import load, load_text

_NO_FILE = '[project]\nname = "gone"\n[data]\nsource = "gone"\ntarget = "gone"\n'
_OURS = ("watch.", "retrain.")


@dataclass(frozen=True)
class Watching:
    """The sections of a project file that a watcher reads.

    `serve` says what of the rows is in the log at all.
    """

    watch: WatchSection
    retrain: RetrainSection
    alerts: tuple[AlertSpec, ...]
    serve: ServeSection

    @property
    def hidden(self) -> frozenset[str]:
        """Return the columns that are not in the log as they were asked."""
        return frozenset((*self.serve.mask, *self.serve.pseudonym))


def watching_of(
    events: Iterable[Event], version: ModelVersion, overrides: Sequence[str] = ()
) -> Watching:
    """Return what the project file of a version says today; errors as `watching_in`."""
    started = (e for e in events if e.kind == RUN_STARTED and e.subject == version.run)
    return watching_in(next((event.data["folder"] for event in started), ""), overrides)


def watching_in(folder: str, overrides: Sequence[str] = ()) -> Watching:
    """Return what the project file in a folder says, the defaults where there is none.

    Raises:
        UsageError: `overrides`, `KEY=VALUE` texts that go before the file, name another section.
        SpecError, Mistakes: the file says something that cannot be.
    """
    other = [text for text in overrides if not text.strip().startswith(_OURS)]
    if other:
        raise UsageError(
            "WATCH-SET",
            "a watcher takes only keys of [watch] and [retrain]",
            where="--set",
            got=other[0],
            allowed=["watch.KEY=VALUE", "retrain.KEY=VALUE"],
            hint="anything else belongs into the project file",
        )
    try:
        spec = load(Path(folder), overrides) if folder else None
    except SpecError as error:
        if error.code != "SPEC-NOT-FOUND":
            raise
        spec = None
    if spec is None:
        spec = load_text("--set", _NO_FILE, overrides)
    return Watching(spec.watch, spec.retrain, spec.alerts, spec.serve)
