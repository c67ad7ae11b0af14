"""The trail of all events as three small numbers each, and the thread that verifies the chain."""

from __future__ import annotations

import time
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from threading import Event as Signal
from threading import Thread

import numpy as np
from numpy.typing import NDArray

from assay.errors import AssayError, StoreError
from assay.kernel.ledger import Ledger, verify_chain
from assay.records.event import Event

_PAUSE = 0.05
_CHUNK = 500
_NEAR = 400
"""Events that are read over rather than looked for anew."""


@dataclass
class Words:
    """Texts that are told apart by a number, in the order of their first use."""

    numbers: dict[str, int] = field(default_factory=dict)
    counts: array[int] = field(default_factory=lambda: array("I"))
    used: array[int] = field(default_factory=lambda: array("I"))

    def add(self, text: str) -> None:
        """Append a use of a text."""
        number = self.numbers.setdefault(text, len(self.numbers))
        if number == len(self.counts):
            self.counts.append(0)
        self.counts[number] += 1
        self.used.append(number)

    def uses(self, text: str, *, part: bool = False) -> NDArray[np.bool_]:
        """Return where the text is used; with `part` every text that holds it counts."""
        lowered = text.casefold()
        hit = [lowered in word.casefold() if part else word == text for word in self.numbers] or [
            False
        ]
        return np.array(hit)[np.frombuffer(self.used, dtype=np.uint32)]


class Trail:
    """Kind, subject and actor of every event; twelve bytes each and the texts once."""

    def __init__(self) -> None:
        self.kinds, self.subjects, self.actors = Words(), Words(), Words()

    def __len__(self) -> int:
        return len(self.kinds.used)

    def take(self, event: Event) -> None:
        """Read one more event."""
        self.kinds.add(event.kind)
        self.subjects.add(event.subject)
        self.actors.add(event.actor)

    def found(self, kind: str = "", subject: str = "", actor: str = "") -> Sequence[int]:
        """Return the numbers of the events, newest first; a part of the subject is enough."""
        hits = np.ones(len(self), dtype=bool)
        if kind:
            hits &= self.kinds.uses(kind)
        if subject:
            hits &= self.subjects.uses(subject, part=True)
        if actor:
            hits &= self.actors.uses(actor)
        return (
            np.flatnonzero(hits)[::-1].tolist()
            if kind or subject or actor
            else range(len(self) - 1, -1, -1)
        )


def events_at(ledger: Ledger, numbers: Sequence[int]) -> list[Event]:
    """Return the events of these numbers, in their order."""
    found: dict[int, Event] = {}
    wanted = sorted(set(numbers))
    place = 0
    while place < len(wanted):
        last = wanted[place]
        for event in ledger.read(last):
            if event.seq == wanted[place]:
                found[event.seq] = event
                place += 1
            if place == len(wanted) or wanted[place] - event.seq > _NEAR:
                break
        else:
            break
    return [found[number] for number in numbers if number in found]


class Verifier:
    """Checks every digest of the chain on a thread of its own, slowly, and goes on with news.

    `verified` counts the events that are sound, `fault` says what is not, "" while all is well.
    """

    def __init__(self, ledger: Ledger) -> None:
        self.verified, self.fault = 0, ""
        self._ledger, self._stop = ledger, Signal()
        self._thread = Thread(target=self._run, name="verify", daemon=True)

    def start(self) -> None:
        """Begin with the first event."""
        self._thread.start()

    def stop(self) -> None:
        """End within a chunk."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        try:
            verify_chain(self._events())
        except AssayError as error:
            self.fault = f"{error.message} ({error.where})"

    def _events(self) -> Iterator[Event]:
        """Yield events for ever, a pause after each chunk so that pages are not slowed down."""
        while not self._stop.is_set():
            try:
                for event in self._ledger.read(self.verified):
                    yield event
                    self.verified = event.seq + 1
                    if self.verified % _CHUNK == 0:
                        time.sleep(_PAUSE)
                        if self._stop.is_set():
                            return
            except StoreError:  # busy, or away for a moment
                pass
            self._stop.wait(1.0)
