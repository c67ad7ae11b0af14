"""One watcher: reads on in a model's log, cuts windows, and has each judged exactly once.

The order that makes it so, whatever moment it is killed at: the state is written with the verdict
as `pending`, then the ledger gets the verdict, then what follows from it is done, which may be done
twice. After a start the ledger says whether a pending verdict is in it already.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

import msgspec
import numpy as np
import polars as pl

from assay.errors import AssayError, StoreError, UsageError
from assay.kernel.stage import Note
from assay.kernel.store import put_record
from assay.lifecycle.incidents.closing import Closing
from assay.lifecycle.serving.journal import CHANGED, STOPPED
from assay.lifecycle.serving.live import Spell, spells
from assay.lifecycle.serving.settings import RUN_STARTED
from assay.lifecycle.watching.gathered import evidence_of, unjudged
from assay.lifecycle.watching.judging import Evidence, judge_window
from assay.lifecycle.watching.kept import Past, Shelved, State
from assay.lifecycle.watching.labels import Joining
from assay.lifecycle.watching.service import Service
from assay.lifecycle.watching.settings import Watching, watching_in
from assay.lifecycle.watching.subject import Subject, open_subject
from assay.lifecycle.watching.tally import Columns, Tally
from assay.lifecycle.watching.told import event_of
from assay.lifecycle.watching.windows import Cutter, Window
from assay.records.base import from_json, to_json
from assay.records.event import Event
from assay.records.package import ModelVersion
from assay.records.watch import WatchVerdict
from assay.registry.fold import Registry
from assay.serve.log.reader import read_from
from assay.serve.log.shelf import LOG
from assay.stores.workspace import Workspace
from assay.watch.quality import span

JUDGED = "watch.judged"
AT_ONCE = 100_000
"""Rows that are read together."""
KEEP = 5.0
"""Seconds between two writings of the state: what was read since is read again after a crash."""
LATE = 5.0
"""Seconds after the end of a window within which its rows may still come into the log."""
SILENCE, LEAST_SILENCE = 10.0, 600.0
"""No row for so many times longer than ever before, and for so many seconds, is told of."""
HISTORY = 512
"""Windows that are kept for a season at most."""

Notify = Callable[[Note], None]


@dataclass(frozen=True)
class Options:
    """How a model is watched: `overrides` are KEY=VALUE texts that go before the project file."""

    overrides: tuple[str, ...] = ()
    allow_code: bool = False


@dataclass
class Facts:
    """What the ledger says of one model, read on and on."""

    model: str
    registry: Registry = field(default_factory=Registry)
    folders: dict[str, str] = field(default_factory=dict)
    judged: dict[int, Event] = field(default_factory=dict)
    """The last window and its verdict."""
    serving: list[Event] = field(default_factory=list)
    """What servers answer with, and that they ended."""
    next: int = 0

    def read(self, workspace: Workspace) -> Facts:
        """Read on."""
        for event in workspace.ledger.read(self.next):
            self.next = event.seq + 1
            self.registry.take(event)
            if event.kind == RUN_STARTED:
                self.folders[event.subject] = event.data["folder"]
            elif event.kind in (CHANGED, STOPPED):
                self.serving.append(event)
            elif event.kind == JUDGED and event.subject == self.model:
                self.judged = {event.data["window"]: event}
        return self

    @property
    def live(self) -> ModelVersion:
        """Return the champion, or the newest version where none is; raises UsageError."""
        if self.registry.champion(self.model) is None and self.model in self.registry.versions:
            return self.registry.versions[self.model][-1]
        return self.registry.resolve(self.model)


class Watcher:
    """Watches one model; the caller holds the lock that makes it the only one."""

    def __init__(
        self,
        workspace: Workspace,
        model: str,
        options: Options,
        notify: Notify = lambda _: None,
    ) -> None:
        """Take up what was kept.

        Raises:
            UsageError: no such model, or its live version has no profile.
            SpecError, Mistakes: the project file says something that cannot be.
        """
        self.workspace, self.model, self._options = workspace, model, options
        self._notify, self._context = notify, workspace.context()
        self._facts = Facts(model).read(workspace)
        self._subjects: dict[int, Subject | None] = {}
        self.settings = self._settings()
        self._open(self._facts.live)
        self._shelved = Shelved(workspace, model)
        self.state = self._taken_up()
        self._cutter = Cutter(self.state.windows, self.state.closed)
        self._joining = Joining(workspace, model, self.state.labels)
        self._service = Service(model, self.settings.watch, self.state.service)
        self._closing = Closing(workspace, notify)
        self._kept, self._dirty = time.monotonic(), False
        self._came: float | None = None

    def look(self) -> Iterator[WatchVerdict]:
        """Read what is new, once, and yield the verdict on each window that is over.

        Raises StoreError or Tampered where the log, the state or the ledger cannot be used.
        """
        yield from self._finish()
        news = self._read()
        self._dirty |= self._joining.take(self.settings.watch.labels)
        self._dirty |= self._served()
        horizon = time.time() - LATE
        if news.height >= AT_ONCE:  # there is more: what comes is about as old as this, or younger
            horizon = news["at"].min().timestamp() - LATE  # type: ignore[union-attr]
        for window in self._cutter.over(self.settings.watch, horizon):
            yield from self._judged(window)
        yield from self._silent(news)
        self._closing.look(self.model)
        if self._dirty and time.monotonic() - self._kept >= KEEP:
            self._keep()

    def whole(self) -> WatchVerdict:
        """Judge all that was not judged yet as one window.

        Below `watch.minimum` rows the verdict is `unknown`, nothing is written, and the rows are
        there for the next time.
        """
        for _ in self._finish():
            pass
        while self._read(one=True).height >= AT_ONCE:
            pass
        self._joining.take(self.settings.watch.labels, now=True)
        self._served()
        window = self._cutter.whole()
        if window.rows < self.settings.watch.minimum or window.version is None:
            return self._too_few(window)
        verdict = next(self._judged(window))
        self.keep()
        return verdict

    def keep(self) -> None:
        """Write down how far the log was read, if it was since the last time."""
        if self._dirty:
            self._keep()

    def _read(self, *, one: bool = False) -> pl.DataFrame:
        """Take new rows of the log into windows, or with `one` into a single window."""
        state, section = self.state, self.settings.watch
        folder = self.workspace.root / LOG
        rows, cursor = read_from(folder, self.model, state.cursor, AT_ONCE)
        fresh = rows
        if np.isfinite(state.after):
            fresh = rows.filter(pl.col("at").cast(pl.Int64) > round(state.after * 1e6))
        if fresh.height:
            if one:
                section = msgspec.structs.replace(section, rows=10**12)
            self._cutter.add(fresh, section, self._columns)
            self._service.take(fresh, self._open(self._facts.live).profile.gates)
        if cursor != state.cursor:
            state.cursor, self._dirty = cursor, True
        return rows

    def begun(self) -> str:
        """Say what is watched, in which windows, and whether anything answers."""
        section, served = self.settings.watch, any(not spell.until for spell in self._spells())
        size = span(section.window) if section.rows is None else f"{section.rows:,} rows"
        text = f"watching {self.model} in windows of {size}, from window {self.state.number}"
        return (
            text if served else f"{text}; no server answers with it yet: assay serve {self.model}"
        )

    def _spells(self) -> list[Spell]:
        return spells(self._facts.read(self.workspace).serving, self.model, self.workspace.root)

    def _served(self) -> bool:
        """Count what the servers answered; True where it was time for that."""
        return self._service.look(self._spells)

    def _judged(self, window: Window) -> Iterator[WatchVerdict]:
        """Judge a window that is over, write the verdict, and do what follows."""
        self._facts.read(self.workspace)
        self._again()
        version = window.version
        subject = None if version is None else self._subject(version)
        if subject is None:
            self._notify(Note("watch", f"{window.rows:,} rows of versions without a profile"))
            return
        try:
            self._joining.take(self.settings.watch.labels, now=True)  # all that came by now counts
            verdict = self._verdict(window, subject)
        except StoreError:  # the window waits until the log can be read again
            self._cutter.open.insert(0, window)
            raise
        yield self._publish(verdict)

    def _verdict(self, window: Window, subject: Subject) -> WatchVerdict:
        """Judge a window; a fault of ours makes it unknown, and costs no other."""
        state, section = self.state, self.settings.watch
        found = None
        try:
            found = evidence_of(subject, window, self._joining, state.number, section.minimum)
            found = replace(found, objectives=self._service.objectives())
            verdict = judge_window(subject, found, section, state.history)
            to_json(verdict)
        except StoreError:
            raise
        except Exception as error:  # noqa: BLE001 (the watch goes on)
            reason = f"a fault of Assay: {type(error).__name__}: {error}"
            self._notify(Note("watch", f"window {state.number}: {reason}"))
            verdict = unjudged(subject, window, state.number, reason)
        if found is not None:
            self._remember(window, subject, found)
        return verdict

    def _remember(self, window: Window, subject: Subject, found: Evidence) -> None:
        section, state = self.settings.watch, self.state
        state.gap = max(window.gap, 0.9 * state.gap)
        past = Past(
            state.number, subject.version.version, window.first, window.last,
            found.tally.inputs, found.tally.answers,
        )  # fmt: skip
        state.history.append(past)
        least = max(section.scales, default=1)
        if section.season is not None:
            since = window.last - 1.5 * section.season
            season = sum(old.end >= since for old in state.history)
            least = min(max(least, season), HISTORY)
        del state.history[:-least]

    def _publish(self, verdict: WatchVerdict) -> WatchVerdict:
        """Write a verdict to the state, then to the ledger, then act on it."""
        self.state.number, self.state.pending = verdict.window + 1, to_json(verdict)
        self._dirty = True
        for _ in self._finish():
            pass
        return verdict

    def _finish(self) -> Iterator[WatchVerdict]:
        """Bring a pending verdict to its end, and yield it where the ledger did not have it."""
        if not self.state.pending:
            return
        self.keep()  # before the ledger: else its rows would come again after a crash
        verdict = from_json(self.state.pending, WatchVerdict)
        new = verdict.window not in self._facts.read(self.workspace).judged
        if new:
            record = put_record(self.workspace.store, verdict)
            self._context.append(JUDGED, self.model, parents=(record,), **event_of(verdict, record))
        self._act(verdict)
        self.state.pending, self._dirty = b"", True
        if new:
            yield verdict

    def _act(self, verdict: WatchVerdict) -> None:
        """Do what the project file asks after a verdict; a fault there costs no window."""
        try:
            self._closing.act(verdict, self.settings.watch, self.settings.retrain)
        except AssayError as error:
            self._notify(Note("closing", f"window {verdict.window}: {error.code}: {error.message}"))
        except Exception as error:  # noqa: BLE001 (the watch goes on)
            text = f"window {verdict.window}: a fault of Assay: {type(error).__name__}: {error}"
            self._notify(Note("closing", text))

    def _silent(self, news: pl.DataFrame) -> Iterator[WatchVerdict]:
        """Yield a verdict without rows, once, when rows stopped coming."""
        now, state = time.monotonic(), self.state
        if news.height or self._came is None:
            self._came = now
            state.silent = state.silent and not news.height
            return
        usual = max(SILENCE * state.gap, LEAST_SILENCE)
        if state.silent or not state.number or now - self._came <= usual:
            return
        state.silent = True
        subject = self._subject(self._facts.read(self.workspace).live.version)
        if subject is not None:
            empty = Evidence(Tally(), pl.DataFrame(), None, 0, number=state.number,
                             silent=now - self._came, usual=usual)  # fmt: skip
            yield self._publish(judge_window(subject, empty, self.settings.watch))

    def _too_few(self, window: Window) -> WatchVerdict:
        version = self._facts.live
        subject = self._open(version)
        found = Evidence(
            Tally(), pl.DataFrame(), None, window.rows, number=self.state.number,
            since=window.first, until=window.last, versions=window.versions,
        )  # fmt: skip
        section = msgspec.structs.replace(
            self.settings.watch, minimum=max(self.settings.watch.minimum, window.rows + 1)
        )
        return judge_window(subject, found, section)

    def _keep(self) -> None:
        state = self.state
        state.windows, state.closed = self._cutter.open, self._cutter.closed
        state.service = self._service.saved()
        self._shelved.write(state)
        self._kept, self._dirty = time.monotonic(), False

    def _taken_up(self) -> State:
        """Return what was kept; where it was lost, go on after what the ledger has."""
        state = self._shelved.read()
        last = next(iter(self._facts.judged.values()), None)
        if state is None:
            state = State()
            if last is not None and last.data["until"]:
                state.after = datetime.fromisoformat(last.data["until"]).timestamp()
                text = f"the state of the watch was lost: it goes on after {last.data['until']}"
                self._notify(Note("watch", text))
        if last is not None and not state.pending:
            state.number = max(state.number, last.data["window"] + 1)
        return state

    def _settings(self) -> Watching:
        folder = self._facts.folders.get(self._facts.live.run, "")
        return watching_in(folder, self._options.overrides)

    def _again(self) -> None:
        """Read the project file again; one that became wrong meanwhile changes nothing."""
        try:
            settings = self._settings()
        except AssayError as error:
            self._notify(Note("watch", f"the settings stay as they were: {error.message}"))
            return
        if settings.hidden != self.settings.hidden:
            self._subjects.clear()
        self.settings = settings

    def _columns(self, version: int) -> Columns | None:
        subject = self._subject(version)
        return None if subject is None else subject.columns

    def _subject(self, version: int) -> Subject | None:
        """Return a version of the model, None where it cannot be compared with anything."""
        if version not in self._subjects:
            versions: Sequence[ModelVersion] = self._facts.registry.versions.get(self.model, ())
            if version > len(versions):
                versions = self._facts.read(self.workspace).registry.versions.get(self.model, ())
            try:
                self._subjects[version] = self._open(versions[version - 1])
            except (UsageError, OSError, IndexError) as error:
                self._notify(Note("watch", f"version {version} is not watched: {error}"))
                self._subjects[version] = None
        return self._subjects[version]

    def _open(self, version: ModelVersion) -> Subject:
        known = self._subjects.get(version.version)
        if known is None:
            known = self._subjects[version.version] = open_subject(
                self.workspace,
                version,
                self.settings.hidden,
                allow_code=self._options.allow_code,
            )
        return known
