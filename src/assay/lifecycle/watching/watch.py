"""`assay watch`: one window, or window after window beside the server until a signal."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from assay.errors import AssayError, Refused, StoreError
from assay.kernel.stage import Note
from assay.lifecycle.alerting.telling import Teller
from assay.lifecycle.retraining.retraining import join
from assay.lifecycle.watching.judge import judge
from assay.lifecycle.watching.watcher import Options, Watcher
from assay.records.watch import WatchVerdict
from assay.stores.workspace import Workspace, find_workspace

__all__ = ["Options", "judge", "once", "run", "watch"]

EVERY = 0.5
"""Seconds between two looks at the log."""
TELL = 2.0
"""Seconds between two looks at what is to be told."""

Notify = Callable[[Note], None]
Show = Callable[[WatchVerdict], None]


def watch(
    name: str,
    *,
    data: str | Path | Any = None,
    options: Options | None = None,
    store: str | Path | None = None,
) -> WatchVerdict:
    """Judge one window: the rows of `data`, or what of the log of a model was not judged yet.

    Raises as `judge` and `once` do.
    """
    if data is None:
        return once(name, options, store=store)
    options = options or Options()
    return judge(
        data, name, overrides=options.overrides, store=store, allow_code=options.allow_code
    )


def once(
    name: str,
    options: Options | None = None,
    notify: Notify = lambda _: None,
    *,
    store: str | Path | None = None,
) -> WatchVerdict:
    """Judge what of a model's log was not judged yet as one window, and do what follows.

    A retraining that the verdict asks for is waited for.

    Raises:
        UsageError: no such model, or its live version has no profile.
        Refused: another process watches this model (WATCH-BUSY).
        StoreError: the log, the state or the ledger cannot be read or written.
    """
    workspace = find_workspace(store)
    with _alone(workspace, name):
        watcher = Watcher(workspace, name, options or Options(), notify)
        verdict = watcher.whole()
        join(workspace, name)  # before a container that runs this ends with what it started
        _tell(Teller(workspace, name, watcher.settings.alerts, notify), notify)
    return verdict


def run(
    name: str,
    options: Options,
    show: Show,
    notify: Notify = lambda _: None,
    *,
    store: str | Path | None = None,
    stop: threading.Event | None = None,
) -> None:
    """Judge window after window until SIGTERM or SIGINT, or until `stop` is set.

    Raises as `once` does when it starts. A store that cannot be used for a while is waited for.
    """
    workspace = find_workspace(store)
    ended = stop or threading.Event()
    with _alone(workspace, name), _signals(ended):
        watcher = Watcher(workspace, name, options, notify)
        notify(Note("watch", watcher.begun()))
        telling = _Telling(workspace, name, watcher, notify, ended)
        telling.start()
        said = ""
        while not ended.is_set():
            began = time.monotonic()
            try:
                for verdict in watcher.look():
                    show(verdict)
                    telling.wake.set()
                    if ended.is_set():  # the next windows wait for the next watcher
                        break
                said = ""
            except StoreError as error:
                if error.message != said:
                    notify(Note("watch", f"waiting: {error.message}"))
                said = error.message
            ended.wait(max(0.0, EVERY - (time.monotonic() - began)))
        watcher.keep()
        telling.wake.set()
        telling.join(TELL)


class _Telling(threading.Thread):
    """Tells what the ledger says, beside the watch: a slow receiver holds up no window."""

    def __init__(
        self,
        workspace: Workspace,
        name: str,
        watcher: Watcher,
        notify: Notify,
        ended: threading.Event,
    ) -> None:
        super().__init__(name="assay-telling", daemon=True)
        self.wake = threading.Event()
        self._workspace, self._name, self._watcher = workspace, name, watcher
        self._notify, self._ended = notify, ended

    def run(self) -> None:
        """Look every two seconds, or when a window was judged."""
        alerts = self._watcher.settings.alerts
        teller = Teller(self._workspace, self._name, alerts, self._notify)
        while not self._ended.is_set():
            if alerts != self._watcher.settings.alerts:
                alerts = self._watcher.settings.alerts
                teller = Teller(self._workspace, self._name, alerts, self._notify)
            _tell(teller, self._notify)
            self.wake.wait(TELL)
            self.wake.clear()


def _tell(teller: Teller, notify: Notify) -> None:
    """Tell what is to be told; a fault there costs no window."""
    try:
        teller.look()
    except AssayError as error:
        notify(Note("alerts", f"{error.code}: {error.message}"))
    except Exception as error:  # noqa: BLE001 (the watch goes on)
        notify(Note("alerts", f"a fault of Assay: {type(error).__name__}: {error}"))


@contextmanager
def _alone(workspace: Workspace, name: str) -> Iterator[None]:
    """Be the only watcher of a model; raises Refused where there is one."""
    free = workspace.hold(f"watch-{name}")
    if free is None:
        raise Refused(
            "WATCH-BUSY",
            "another process watches this model",
            got=name,
            hint="end it first; its lock is free as soon as it has ended",
        )
    try:
        yield
    finally:
        free()


@contextmanager
def _signals(ended: threading.Event) -> Iterator[None]:
    """Have SIGTERM and SIGINT set `ended`, in the main thread."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {
        number: signal.signal(number, lambda *_: ended.set())
        for number in (signal.SIGTERM, signal.SIGINT)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
