"""One stage type, and the context that every stage is given."""

from __future__ import annotations

import getpass
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any

from assay.errors import Tampered
from assay.kernel.executor import Executor, Serial
from assay.kernel.ledger import Ledger
from assay.kernel.store import Store, get_record, put_record
from assay.records.base import AnyRecord, Record, digest
from assay.records.event import Draft, Event
from assay.records.spec import Agency

Inputs = Mapping[str, Record]


def user_name() -> str:
    """Return who runs this process; a container's user may have a number only."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid-{os.getuid()}"


@dataclass(frozen=True)
class Note:
    """A line of progress: the stage, what it is doing, and how far (`done` of `total`)."""

    stage: str
    text: str
    done: int = 0
    total: int = 0
    seconds: float | None = None
    cached: bool = False


@dataclass
class Context:
    """What a stage may use besides its inputs: the store, the ledger, workers, and a voice.

    `finished` is the fold over the ledger that makes resuming work: the key of each piece of
    work to the digest of its record. `folder` is where a run may put files (packages, reports),
    `project` where the project file and its own code lie. `deadline` is when the budget of time is
    used up, by `time.monotonic`; None without one.
    """

    store: Store
    ledger: Ledger
    folder: Path
    project: Path = Path()
    run: str = ""
    actor: str = field(default_factory=user_name)
    executor: Executor = field(default_factory=Serial)
    notify: Callable[[Note], None] = lambda _: None
    allow_code: bool = True
    finished: dict[str, str] = field(default_factory=dict)
    deadline: float | None = None
    _read_to: int = 0
    _lock: Lock = field(default_factory=Lock)

    def left(self) -> float:
        """Return the seconds that are left of the budget, below 0 past it, inf without one."""
        return float("inf") if self.deadline is None else self.deadline - time.monotonic()

    def append(
        self,
        kind: str,
        subject: str,
        *,
        agency: Agency = "default",
        parents: tuple[str, ...] = (),
        **data: Any,
    ) -> Event:
        """Add an event to the ledger in the name of this context's actor."""
        draft = Draft(
            kind=kind,
            subject=subject,
            actor=self.actor,
            agency=agency,
            data=data,
            parents=parents,
        )
        return self.ledger.append(draft)

    def recall(self, key: str, kind: type[AnyRecord]) -> AnyRecord | None:
        """Return the record that finished work left under `key`, or None when it is not done.

        A record counts as not done when it, or bytes that it names, are gone; one whose bytes
        changed raises Tampered.
        """
        with self._lock:  # an executor may ask from a thread of its own
            for event in self.ledger.read(self._read_to):
                if event.kind == "work.finished":
                    self.finished[event.data["key"]] = event.data["record"]
                self._read_to = event.seq + 1
            found = self.finished.get(key)
        if found is None or not self.store.has(found):
            return None
        record = get_record(self.store, found, kind)
        return record if all(self.store.has(blob) for blob in record.blobs()) else None

    def remember(
        self,
        key: str,
        subject: str,
        record: AnyRecord,
        parents: tuple[str, ...] = (),
        **data: Any,
    ) -> AnyRecord:
        """Store the record of finished work, say so in the ledger, and return it as it reads back.

        So what follows sees the same record, to the order of its keys, as a resumed run will.
        """
        found = put_record(self.store, record)
        self.append(
            "work.finished", subject, parents=parents, key=key, record=found, run=self.run, **data
        )
        with self._lock:
            self.finished[key] = found
        return get_record(self.store, found, type(record))


@dataclass(frozen=True)
class Stage:
    """A step from records to one new record.

    `needs` names the records it is given, and nothing else: a section of the project file is a
    record too (`spec.split`). So the key of the work, a digest over the stage's name, version and
    inputs, is complete by construction. `halts` may look at the result and give a reason to stop;
    `intact` may find that what a finished record stands for, such as a folder, is gone.
    """

    name: str
    title: str
    produces: type[Record]
    needs: tuple[str, ...]
    body: Callable[[Inputs, Context], Record]
    version: int = 1
    halts: Callable[[Record], str | None] | None = None
    intact: Callable[[Record, Context], bool] | None = None

    def key(self, inputs: Inputs) -> str:
        """Return the digest that names this piece of work."""
        parts = {name: digest(inputs[name]) for name in self.needs}
        return digest({"stage": self.name, "version": self.version, "inputs": parts})


def take(inputs: Inputs, name: str, kind: type[AnyRecord]) -> AnyRecord:
    """Return the input called `name`, checked to be a `kind`."""
    record = inputs[name]
    if not isinstance(record, kind):
        raise Tampered("RECORD-KIND", f"{name} is a {type(record).__name__}, not a {kind.__name__}")
    return record
