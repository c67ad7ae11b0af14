"""Alerts of a model: what the ledger says is wrong is raised, repeated, ended and delivered.

A notice is in the ledger before it is sent, and that it was sent after: what is killed in between
sends it again, under the same id. One process at a time raises, and one sends.
"""

from __future__ import annotations

import os
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from queue import Empty, Queue
from time import monotonic
from typing import Any
from urllib.parse import quote

from assay.alert.channel import deliver
from assay.alert.faults import is_down, unreachable
from assay.alert.fold import FAILED, SENT, Alert, Alerts, Delivery, Silence, stamp
from assay.alert.notice import Notice, notice_of
from assay.alert.plan import Planned, again, changes, ends, gives_up, waiting, wanted
from assay.alert.rules import JUDGED, Condition, Name, Said, said
from assay.errors import AssayError
from assay.kernel.stage import Note, user_name
from assay.kernel.store import get_record
from assay.lifecycle.alerting.evidence import links
from assay.lifecycle.alerting.exposed import expose
from assay.records.event import Draft, Event
from assay.records.spec import Agency, AlertSpec
from assay.records.watch import WatchVerdict
from assay.stores.workspace import Workspace

PATIENCE = 35.0
"""Seconds that all channels together may take at once."""
BEGIN = 4.0
"""Seconds in which a channel begins with another notice; the rest is for what it waits for then."""

Outcome = tuple[Delivery, AssayError | None]


class Teller:
    """Tells of one model; what it has read of the ledger is kept between two looks."""

    def __init__(
        self,
        workspace: Workspace,
        name: str,
        alerts: Sequence[AlertSpec],
        notify: Callable[[Note], None] = lambda _: None,
    ) -> None:
        """Take the channels of the project file; what they are is read again by a new teller."""
        self.workspace, self.name, self._notify = workspace, name, notify
        self._channels = wanted(alerts)
        self._to = {label: spec.to for label, spec in self._channels.items()}
        self._book = Alerts()
        self._sources: list[Event] = []
        self._judged: Event | None = None
        self._exposed: tuple[int, Counter[str]] | None = None
        self._next = 0

    def look(self) -> None:
        """Raise what is new, and send what is due; a channel that is down is left for later.

        Raises StoreError, and Tampered for a record that was changed.
        """
        self._read()
        if self._sources or self._again({}):
            with self.workspace.lock(f"alerts-{self.name}", lambda _: None):
                self._raise()
                self._repeat()
                self._expose()
        if waiting(self._book, self.name, self._channels, _now()):
            self._send()

    def end(self, chosen: Silence) -> list[Alert]:
        """End by hand, for its reason, what a silence would cover, and return it."""
        with self.workspace.lock(f"alerts-{self.name}", lambda _: None):
            self._raise()
            firing, now = self._book.firing(self.name).values(), stamp(_now())
            over = [alert for alert in firing if chosen.covers(alert.condition, now)]
            # all before is told of; so what is read again begins after the windows that show it
            evidence = {"event": self._next, "kind": "by hand", "reason": chosen.reason}
            for planned in ends(over, self._next, evidence, self._channels):
                write(self.workspace, planned.kind, self.name, planned.data, agency="user")
        self.look()
        return over

    def _read(self) -> None:
        """Read on in the ledger; what was before the first verdict is nobody's news."""
        for event in self.workspace.ledger.read(self._next):
            self._next = event.seq + 1
            self._book.take(event)
            if event.subject != self.name:
                continue
            if event.kind == JUDGED:
                self._judged = event
            if self._judged is not None and not event.kind.startswith("alert."):
                self._sources.append(event)

    def _raise(self) -> None:
        self._read()
        begin = self._book.seen.get(self.name, 0)  # what that event called for may be half written
        sources, self._sources = [e for e in self._sources if e.seq >= begin], []
        for event in sources:
            found = self._said(event)
            if found is not None:
                for planned in changes(self._book, event, found, self._channels, _now()):
                    self._add(planned.kind, planned.data)
                self._read()

    def _repeat(self) -> None:
        if self._again({}):
            for planned in self._again(self._latest()):
                self._add(planned.kind, planned.data)
            self._read()

    def _again(self, latest: Mapping[Name, Condition]) -> list[Planned]:
        return again(self._book, self.name, self._channels, latest, _now())

    def _add(self, kind: str, data: dict[str, Any]) -> None:
        write(self.workspace, kind, self.name, data)

    def _said(self, event: Event) -> Said | None:
        """Return what an event says; the record of a window is read where it may change a thing."""
        if event.kind != JUDGED:
            return said(event)
        if event.data["verdict"] == "steady" and not self._book.firing(self.name):
            return None
        return said(event, self._verdict(event))

    def _verdict(self, judged: Event) -> WatchVerdict | None:
        """Return the record of a window, None for one that was cleared away."""
        store, record = self.workspace.store, judged.data["record"]
        return get_record(store, record, WatchVerdict) if store.has(record) else None

    def _expose(self) -> None:
        """Write the numbers of the last verdict for Prometheus, where they are others now."""
        if self._judged is None:
            return
        firing = Counter(kind for kind, _ in self._book.firing(self.name))
        state = self._judged.seq, firing
        verdict = self._verdict(self._judged) if state != self._exposed else None
        if verdict is not None:
            folder = self.workspace.root / "watch" / quote(self.name, safe="")
            expose(folder, self._judged, verdict, firing)
            self._exposed = state

    def _latest(self) -> Mapping[Name, Condition]:
        """Return what the last verdict says of what holds."""
        if self._judged is None or not self._book.firing(self.name):
            return {}
        found = self._said(self._judged)
        return {c.name: c for c in found.holds} if found else {}

    def _send(self) -> None:
        """Send what is due, unless another process is at it, which then sends this, too."""
        let_go = self.workspace.hold(f"alerts-send-{self.name}")
        if let_go is None:
            return
        try:
            self._read()
            due = waiting(self._book, self.name, self._channels, _now())
            ways = {
                label: [(d, self._notice(d)) for d in deliveries]
                for label, deliveries in due.items()
            }
            for delivery, error in sent(ways, self._to):
                self._write(delivery, error)
        finally:
            let_go()
        self._read()

    def _notice(self, delivery: Delivery) -> Notice:
        event = self._book.notices[delivery.notice]
        return notice_of(event, links(self.workspace.root, event))

    def _write(self, delivery: Delivery, error: AssayError | None) -> None:
        about: dict[str, Any] = {"notice": delivery.notice, "to": delivery.to}
        if error is None:
            self._add(SENT, about)
            self._notify(Note("alerts", f"told {delivery.to}"))
            return
        final = gives_up(self._book.notices[delivery.notice], _now())
        why = {"error": error.message, "code": error.code, "down": is_down(error), "final": final}
        self._add(FAILED, about | why)
        self._notify(Note("alerts", error.message))


def write(
    workspace: Workspace, kind: str, name: str, data: dict[str, Any], agency: Agency = "default"
) -> Event:
    """Add an event about the alerts of a model; its parent is the record behind it."""
    record = data.get("evidence", {}).get("record")
    draft = Draft(
        kind=kind,
        subject=name,
        actor=user_name(),
        agency=agency,
        data=data,
        parents=(record,) if record else (),
    )
    return workspace.ledger.append(draft)


def tell(
    workspace: Workspace,
    name: str,
    alerts: Sequence[AlertSpec],
    notify: Callable[[Note], None] = lambda _: None,
) -> None:
    """Tell the channels of a project file, once, what the ledger says of a model; as `look`."""
    Teller(workspace, name, alerts, notify).look()


def sent(
    ways: Mapping[str, Sequence[tuple[Delivery, Notice]]], to: Mapping[str, str]
) -> Iterator[Outcome]:
    """Send notices, each channel's in order and all channels at once; yield what came of each.

    A channel that is down is not tried again; one that says nothing for `PATIENCE` seconds is left.
    """
    outcomes: Queue[Outcome | str] = Queue()
    left = {label: [delivery for delivery, _ in way] for label, way in ways.items()}
    end = monotonic() + PATIENCE
    for label, way in ways.items():
        words = to[label], way, outcomes, monotonic() + BEGIN
        threading.Thread(target=_channel, args=(label, *words), daemon=True).start()
    while left:
        try:
            outcome = outcomes.get(timeout=max(0.0, end - monotonic()))
        except Empty:
            yield from ((d[0], unreachable(label, "no answer")) for label, d in left.items() if d)
            return
        if isinstance(outcome, str):
            left.pop(outcome)
        else:
            left[outcome[0].to].pop(0)
            yield outcome


def _channel(
    label: str,
    to: str,
    way: Sequence[tuple[Delivery, Notice]],
    outcomes: Queue[Outcome | str],
    last: float,
) -> None:
    """Send the notices of one channel until a time, say so of each, and at the end the label."""
    for delivery, notice in way:
        error = attempt(to, notice)
        outcomes.put((delivery, error))
        if (error is not None and is_down(error)) or monotonic() > last:
            break
    outcomes.put(label)


def attempt(to: str, notice: Notice) -> AssayError | None:
    """Send a notice, and return why it was not taken, None if it was."""
    try:
        deliver(to, notice, os.environ)
    except AssayError as error:
        return error
    except Exception as error:  # noqa: BLE001 (a channel must not end the watcher)
        return unreachable(to.partition(":")[0], type(error).__name__)
    return None


def _now() -> datetime:
    return datetime.now(UTC)
