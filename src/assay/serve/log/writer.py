"""The log of predictions and feedback, as a worker writes it: small files, off the hot path."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Sequence
from functools import partial
from pathlib import Path
from threading import Event, Lock, Thread
from typing import TypeVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

from assay.records.fitted import Signature
from assay.records.spec import ServeSection
from assay.serve.log.columns import Feedback, PredictionForm, Row, Table, Values, feedback_table
from assay.serve.log.mask import Masks
from assay.serve.log.merging import Merging
from assay.serve.log.pile import Pile
from assay.serve.log.shelf import Stream, feedback_of, first_line, log_of
from assay.serve.say import say

CHUNK = 512
"""Rows that are made columns at once: a pause of about half a millisecond."""
BACKLOG = 64e6
"""Bytes that may wait in memory to be written."""
RECENT = 128
"""Chunks whose request ids a worker remembers."""
LONGEST_WAIT = 30.0
"""Seconds between two attempts to write where there is no room."""
UNWRITTEN = (OSError, pl.exceptions.PolarsError, pl.exceptions.PanicException)

Version = tuple[str, int]
Soon = Callable[[Callable[[], None]], object]
K = TypeVar("K")
T = TypeVar("T")


class PredictionLog:
    """What was asked and answered, in files that no reader ever sees half written.

    A worker makes one after it was forked, opens every version before it answers, and adds rows on
    the thread of its loop, with `soon` = `on_loop`. Every `flush` seconds, the least of any
    model's, a thread of the log's own writes a file for each version. What cannot be written waits,
    and is tried again; when `BACKLOG` bytes wait the log is `full`, and rows are left out and
    counted in `dropped`: an answer is worth more than its record.
    """

    def __init__(self, folder: Path, worker: int, soon: Soon | None = None) -> None:
        self.folder, self.worker = folder, worker
        self.full, self.dropped, self.errors, self.files = False, 0, 0, 0
        self._soon: Soon = soon or (lambda call: call())
        self._rows: list[tuple[str, int, Row]] = []
        self._tables: list[tuple[str, int, Table]] = []
        self._fed: list[tuple[str, Feedback]] = []
        self._sheets: dict[Version, tuple[PredictionForm, Pile]] = {}
        self._feedback: dict[str, Pile] = {}
        self._piles: list[Pile] = []
        self._recent: deque[dict[str, Version]] = deque(maxlen=RECENT)
        self._held = 0  # bytes of tables that no pile has yet
        self._taking, self._writing = Lock(), Lock()
        self._wake, self._closed = Event(), False
        self._intervals: dict[str, float] = {}
        self._interval, self._failures, self._lost = 1.0, 0, 0
        self._merging = Merging()
        self._thread = Thread(target=self._work, name="assay-log", daemon=True)
        self._thread.start()

    def open(self, model: str, version: int, signature: Signature, section: ServeSection) -> None:
        """Take rows of this version from now on; again where its settings have changed.

        Raises:
            UsageError: `section` names a column that the model does not have (SERVE-LOG-COLUMN).
            StoreError: the key for pseudonyms cannot be made or read (SERVE-LOG-KEY).
        """
        form = PredictionForm(model, version, signature, Masks(signature, section, self.folder))
        self._gather()  # by the settings under which they were answered
        with self._taking:
            pile = Pile(Stream(log_of(self.folder, model), version, self.worker))
            self._piles.append(pile)
            self._sheets[model, version] = form, pile
            if model not in self._feedback:
                fed = Pile(Stream(feedback_of(self.folder, model), 0, self.worker))
                self._piles.append(fed)
                self._feedback[model] = fed
            for shelf in (pile.stream.shelf, self._feedback[model].stream.shelf):
                self._merging.expect(shelf, section.segment, section.keep)
            self._intervals[model] = section.flush
            self._interval = min(self._intervals.values())
        self._wake.set()

    def add(
        self,
        request: str,
        at: float,
        model: str,
        version: int,
        cells: Sequence[object],
        values: Values,
        micros: float,
        code: int = -1,
        row: int = 0,
        warned: bool = False,
        shadow: bool = False,
    ) -> None:
        """Take one answered row, in less than a microsecond.

        `at` is seconds since 1970, `cells` the row as `Servable.read` gave it, `values` its
        probabilities or number, `micros` what the answer took, `code` the class that was answered,
        `row` its place in the request; a `shadow` answer was given to nobody.
        """
        if self.full:
            self.dropped += 1
            return
        rows = self._rows
        taken = (request, at, cells, values, micros, code, row, warned, shadow)
        rows.append((model, version, taken))
        if len(rows) == CHUNK:
            self._soon(self._gather)

    def add_table(
        self,
        request: str,
        at: float,
        model: str,
        version: int,
        frame: pl.DataFrame,
        values: NDArray[np.float64],
        micros: float,
        codes: NDArray[np.int64] | None = None,
        warned: Collection[int] = (),
        shadow: bool = False,
    ) -> None:
        """Take an answered table, on any thread; the arguments are those of `Table`."""
        if self.full:
            self.dropped += frame.height
            return
        table = Table(request, at, frame, values, micros, codes, warned, shadow)
        with self._taking:
            self._tables.append((model, version, table))
            self._held += int(frame.estimated_size())
        if self._held > BACKLOG / 16:
            self._wake.set()

    def feedback(
        self,
        model: str,
        request: str,
        row: int,
        label: str | None,
        value: float | None,
        metric: str,
        observed: float,
    ) -> None:
        """Take what came to be known of a row, or a number by which a request is judged.

        `metric` names the number, "" for the truth; `observed` is seconds since 1970.
        """
        told = Feedback(request, row, time.time(), observed, metric, label, value)
        self._fed.append((model, told))

    def version_of(self, request: str) -> Version | None:
        """Return which model and version answered, where this worker still remembers."""
        for known in reversed(tuple(self._recent)):  # the log's thread adds to it
            if request in known:
                return known[request]
        waiting = ((model, version) for model, version, row in self._rows if row[0] == request)
        return next(waiting, None)

    @property
    def backlog(self) -> int:
        """Return how many rows are not written yet."""
        waiting = sum(pile.rows for pile in self._piles)
        tables = sum(table.frame.height for _, _, table in list(self._tables))
        return len(self._rows) + len(self._fed) + tables + waiting

    def flush(self) -> bool:
        """Write what was added so far; False where that failed, and it waits."""
        with self._writing:
            self._gather()
            try:
                for pile in self._piles[:]:
                    self._write(pile)
            except UNWRITTEN as error:
                self._failed(error)
                return False
            self._weigh()
            self._recovered()
            return True

    def _write(self, pile: Pile) -> None:
        size = pile.write()
        if size:
            self.files += 1
            self._merging.wrote(pile.stream.shelf, size)

    def close(self) -> None:
        """Write everything and end; after two attempts without room what is left is lost."""
        self._closed = True
        self._wake.set()
        self._thread.join()
        if not self.flush() and not self.flush():
            say(f"{self.backlog:,} rows of the log could not be written and are lost")
        self._merging.end()

    def _work(self) -> None:
        while not self._ended():
            try:
                self.flush()
                self._merging.start()
            except Exception as error:  # noqa: BLE001  the next interval tries again
                self._failed(error)

    def _ended(self) -> bool:
        """Wait for an interval, longer while there is no room, shorter when much waits."""
        self._wake.wait(min(self._interval * 2 ** min(self._failures, 10), LONGEST_WAIT))
        self._wake.clear()
        return self._closed

    def _gather(self) -> None:
        """Make columns of the rows that were added so far."""
        with self._taking:  # two threads gather; one appends, which needs no lock
            rows = self._rows[:]
            del self._rows[: len(rows)]
            fed = self._fed[:]
            del self._fed[: len(fed)]
            tables, self._tables, self._held = self._tables, [], 0
        for name, group in _grouped(
            ((model, version), row) for model, version, row in rows
        ).items():
            form, pile = self._sheets[name]
            self._pile(pile, form.rows, group)
            self._recent.append(dict.fromkeys([row[0] for row in group], name))
        for name, several in _grouped(
            ((model, version), table) for model, version, table in tables
        ).items():
            form, pile = self._sheets[name]
            self._pile(pile, form.tables, several)
            self._recent.append(dict.fromkeys([table.request for table in several], name))
        for model, told in _grouped(fed).items():
            self._pile(self._feedback[model], partial(feedback_table, model), told)
        self._weigh()

    def _weigh(self) -> None:
        self.full = sum(pile.bytes for pile in self._piles) >= BACKLOG

    def _pile(self, pile: Pile, made: Callable[[Sequence[T]], pl.DataFrame], rows: list[T]) -> None:
        """Let rows wait; where some cannot be columns, the others are kept."""
        try:
            pile.add(made(rows))
        except Exception as error:  # noqa: BLE001  the log never takes the server down
            if len(rows) > 1:
                for row in rows:
                    self._pile(pile, made, [row])
                return
            self.dropped += 1
            say(f"a row could not be logged: {type(error).__name__}: {first_line(error)}")

    def _failed(self, error: BaseException) -> None:
        """Wait longer before the next attempt; tell it once."""
        self.errors += 1
        if not self._failures:
            self._lost = self.dropped
            say(
                f"the log cannot be written: {first_line(error)}; rows wait in memory, up to "
                f"{BACKLOG / 1e6:.0f} MB, and answers go on"
            )
        self._failures += 1

    def _recovered(self) -> None:
        if self._failures:
            self._failures = 0
            say(f"the log is written again; {self.dropped - self._lost:,} rows were left out")


def on_loop(call: Callable[[], None]) -> None:
    """Have `call` made in the next turn of the event loop that runs on this thread."""
    asyncio.get_running_loop().call_soon(call)


def _grouped(pairs: Iterable[tuple[K, T]]) -> dict[K, list[T]]:
    groups: dict[K, list[T]] = {}
    for key, value in pairs:
        groups.setdefault(key, []).append(value)
    return groups
