"""Rows of several requests, answered in one call at the end of a turn of the event loop.

Nothing waits for a timer: what arrived in the same turn is answered together, and a request that
came alone is answered alone. Each entry carries its own reply, so no answer can be another's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain
from time import perf_counter
from typing import Any

from assay.serve.answering.aside import Pair
from assay.serve.answering.cache import Key
from assay.serve.answering.check import Found
from assay.serve.http.message import Reply, Request
from assay.serve.lane import Lane
from assay.serve.servable import Cells


@dataclass(slots=True)
class Entry:
    """A request whose rows are typed; nobody is told the answer of a shadow, which has no reply.

    `arrived` is what its latency counts from. `found` has its warnings, `key` is its place in the
    cache of its version. The answer is one of a `pair` while a release is on; `aside` it is asked
    for that alone, and neither told nor counted.
    """

    request: Request
    reply: Reply | None
    lane: Lane
    cells: list[Cells]
    arrived: float
    found: Found
    key: Key | None = None
    pair: Pair | None = None
    aside: bool = False


Done = Callable[[Entry, list[Any], list[float]], None]
"""Takes an entry, the values of its rows as plain floats, and the threshold of each."""
Failed = Callable[[Entry, Exception], None]


class Batcher:
    """Collects entries by version, and answers those of a version in one call if it gains."""

    def __init__(self, done: Done, failed: Failed, count: Callable[[int], None]) -> None:
        self._done, self._failed, self._count = done, failed, count
        self._waiting: dict[Lane, list[Entry]] = {}

    def add(self, entry: Entry) -> None:
        """Put an entry off to the end of the turn; shadows come after what is waited for."""
        entries = self._waiting.get(entry.lane)
        if entries is None:
            self._waiting[entry.lane] = [entry]
        else:
            entries.append(entry)

    def flush(self) -> None:
        """Answer all that waits."""
        waiting, self._waiting = self._waiting, {}
        for lane, entries in waiting.items():
            if lane.together:
                self._answer(lane, entries)
            else:
                for entry in entries:
                    self._answer(lane, [entry])

    def _answer(self, lane: Lane, entries: list[Entry]) -> None:
        cells = entries[0].cells if len(entries) == 1 else _joined(entries)
        began = perf_counter()
        try:
            found = lane.servable.rows(cells)
        except Exception as error:  # noqa: BLE001 (one bad row must not fail another's)
            self._again(lane, entries, error)
            return
        count = len(cells)
        lane.cost.learn((perf_counter() - began) / count)
        self._count(count)
        values, cut = found.values.tolist(), found.threshold
        cuts = [cut] * count if isinstance(cut, float) else cut.tolist()
        start = 0
        for entry in entries:
            end = start + len(entry.cells)
            try:
                self._done(entry, values[start:end], cuts[start:end])
            except Exception as error:  # noqa: BLE001 (nor may what comes after it)
                self._failed(entry, error)
            start = end

    def _again(self, lane: Lane, entries: list[Entry], error: Exception) -> None:
        """Answer one by one what could not be answered together."""
        if len(entries) == 1:
            self._failed(entries[0], error)
            return
        for entry in entries:
            self._answer(lane, [entry])


def _joined(entries: list[Entry]) -> list[Cells]:
    return list(chain.from_iterable(entry.cells for entry in entries))
