"""What the workers counted, in memory that all of them share: each writes a row of its own.

The row outlives its worker: one that is killed leaves its counts, and the one that takes its place
goes on counting. Nobody waits for anybody, so a reader may see a request half counted.
"""

from __future__ import annotations

import mmap
from bisect import bisect_right
from collections.abc import Mapping, Sequence

from assay.records.deployment import ANSWERS, LATENCY_EDGES, Traffic

BATCHES = 16
"""Batch sizes are counted by powers of two: place i is for sizes below 2**i."""

_REQUESTS, _ROWS, _FAILED, _REFUSED, _WARNED, _COMPARED, _DIFFERED, _SECONDS, _LATENCY = range(9)
_ANSWERS = _LATENCY + len(LATENCY_EDGES) + 1
_FED = _ANSWERS + ANSWERS
_NAME = 4  # words of 8 bytes: a name has at most 32 bytes
_SUMS = 3
_FED_NAMES, _GAUGES = 4, 32
_SLOT = _FED + _FED_NAMES * (_NAME + _SUMS)
_HITS, _MISSES, _BATCHED, _BATCH = range(4)
_GAUGE = _BATCH + BATCHES
_OWN = _GAUGE + _GAUGES * (_NAME + 1)
_WORD = 8


class Board:
    """The counts of all workers: a row for each, and in it a slot for each version of a model."""

    def __init__(self, shared: mmap.mmap, workers: int, slots: int) -> None:
        self.workers, self.slots = workers, slots
        view = memoryview(shared)
        self._counts, self._sums = view.cast("q"), view.cast("d")
        self._bytes = view

    @classmethod
    def create(cls, workers: int, slots: int = 64) -> Board:
        """Return a board of zeros, to be made before the workers are forked."""
        return cls(mmap.mmap(-1, workers * _row(slots) * _WORD), workers, slots)

    def tally(self, worker: int) -> Tally:
        """Return the row of a worker, for it alone to write."""
        return Tally(self._counts, self._sums, self._bytes, worker * _row(self.slots))

    def traffic(self, slots: Mapping[int, tuple[str, int]]) -> list[Traffic]:
        """Return what these versions answered, over all workers, in the order given."""
        return [self._traffic(slot, *version) for slot, version in slots.items()]

    def seconds(self, slot: int) -> float:
        """Return the seconds that the answered requests of a slot took together."""
        return sum(self._sums[place + _SECONDS] for place in self._places(slot))

    def batches(self) -> tuple[int, ...]:
        """Return how many batches there were by size: place i is for sizes below 2**i."""
        rows = range(0, self.workers * _row(self.slots), _row(self.slots))
        return tuple(sum(self._counts[row + _BATCH + i] for row in rows) for i in range(BATCHES))

    def batched(self) -> int:
        """Return how many rows there were in all batches."""
        rows = range(0, self.workers * _row(self.slots), _row(self.slots))
        return sum(self._counts[row + _BATCHED] for row in rows)

    def cache(self) -> tuple[int, int]:
        """Return how many requests the cache answered, and how many it was asked for in vain."""
        rows = range(0, self.workers * _row(self.slots), _row(self.slots))
        hits, misses = (sum(self._counts[row + i] for row in rows) for i in (_HITS, _MISSES))
        return hits, misses

    def gauges(self) -> dict[str, list[float]]:
        """Return each gauge by name: a number for each worker, 0 where it has not set it."""
        found: dict[str, list[float]] = {}
        for worker in range(self.workers):
            row = worker * _row(self.slots) + _GAUGE
            for name, place in _names(self._bytes, row, _GAUGES, _NAME + 1).items():
                found.setdefault(name, [0.0] * self.workers)[worker] = self._sums[place]
        return found

    def clear(self, slot: int) -> None:
        """Set a slot to zero, so that another version can have it; no worker may be using it."""
        for place in self._places(slot):
            self._bytes[place * _WORD : (place + _SLOT) * _WORD] = bytes(_SLOT * _WORD)

    def _places(self, slot: int) -> list[int]:
        row = _row(self.slots)
        return [worker * row + _OWN + slot * _SLOT for worker in range(self.workers)]

    def _traffic(self, slot: int, model: str, version: int) -> Traffic:
        places = self._places(slot)

        def total(first: int, count: int) -> tuple[int, ...]:
            columns = range(first, first + count)
            return tuple(sum(self._counts[place + i] for place in places) for i in columns)

        requests, rows, failed, refused, warned, compared, differed = total(_REQUESTS, 7)
        return Traffic(
            model=model,
            version=version,
            requests=requests,
            rows=rows,
            failed=failed,
            refused=refused,
            warned=warned,
            latency=total(_LATENCY, len(LATENCY_EDGES) + 1),
            answers=total(_ANSWERS, ANSWERS),
            fed=self._fed(places),
            compared=compared,
            differed=differed,
        )

    def _fed(self, places: Sequence[int]) -> dict[str, tuple[float, float, float]]:
        found: dict[str, list[float]] = {}
        for place in places:
            names = _names(self._bytes, place + _FED, _FED_NAMES, _NAME + _SUMS)
            for name, at in names.items():
                sums = found.setdefault(name, [0.0] * _SUMS)
                for i in range(_SUMS):
                    sums[i] += self._sums[at + i]
        return {name: (sums[0], sums[1], sums[2]) for name, sums in found.items()}


class Tally:
    """One worker's row of the board. Every method but the first of a new name takes under 1 µs."""

    def __init__(
        self,
        counts: memoryview[int],
        sums: memoryview[float],
        view: memoryview[int],
        row: int,
    ) -> None:
        self._counts, self._sums, self._bytes, self._row = counts, sums, view, row
        self._gauges = _names(view, row + _GAUGE, _GAUGES, _NAME + 1)

    def answered(
        self, slot: int, rows: int, seconds: float, answer: int | Sequence[int], warned: int = 0
    ) -> None:
        """Count an answered request.

        `answer` is the class code or bin of its one row, or the number of rows in each of them.
        """
        counts, place = self._counts, self._row + _OWN + slot * _SLOT
        counts[place] += 1
        counts[place + _ROWS] += rows
        counts[place + _LATENCY + bisect_right(LATENCY_EDGES, seconds)] += 1
        self._sums[place + _SECONDS] += seconds
        if warned:
            counts[place + _WARNED] += warned
        if isinstance(answer, int):
            counts[place + _ANSWERS + (answer if answer < ANSWERS else ANSWERS - 1)] += 1
            return
        for code, count in enumerate(answer):
            counts[place + _ANSWERS + min(code, ANSWERS - 1)] += count

    def failed(self, slot: int) -> None:
        """Count a request that was not answered by a fault of ours."""
        self._counts[self._row + _OWN + slot * _SLOT + _FAILED] += 1

    def refused(self, slot: int) -> None:
        """Count a request that was turned away because there was too much to do."""
        self._counts[self._row + _OWN + slot * _SLOT + _REFUSED] += 1

    def compared(self, slot: int, *, differs: bool) -> None:
        """Count a row that live and this version were both asked."""
        place = self._row + _OWN + slot * _SLOT
        self._counts[place + _COMPARED] += 1
        self._counts[place + _DIFFERED] += differs

    def batch(self, size: int) -> None:
        """Count a call of the model for `size` rows that came one by one."""
        self._counts[self._row + _BATCHED] += size
        self._counts[self._row + _BATCH + min(size.bit_length(), BATCHES - 1)] += 1

    def cache(self, hit: bool) -> None:
        """Count a request that the cache was asked for."""
        self._counts[self._row + (_HITS if hit else _MISSES)] += 1

    def fed(self, slot: int, metric: str, value: float) -> None:
        """Add a number that came as feedback; a fifth name, or one over 32 bytes, is left out."""
        start = self._row + _OWN + slot * _SLOT + _FED
        names = _names(self._bytes, start, _FED_NAMES, _NAME + _SUMS)
        place = names.get(metric) or _enter(
            self._bytes, start, _FED_NAMES, _NAME + _SUMS, metric, len(names)
        )
        if place:
            self._sums[place] += 1
            self._sums[place + 1] += value
            self._sums[place + 2] += value * value

    def set(self, name: str, value: float) -> None:
        """Set a gauge to what it is now; there is room for 32 names of at most 32 bytes."""
        place = self._place(name)
        if place:
            self._sums[place] = value

    def add(self, name: str, value: float) -> None:
        """Add to a gauge, also to what another worker left in this row."""
        place = self._place(name)
        if place:
            self._sums[place] += value

    def _place(self, name: str) -> int:
        place = self._gauges.get(name)
        if place is None:
            start = self._row + _GAUGE
            place = _enter(self._bytes, start, _GAUGES, _NAME + 1, name, len(self._gauges))
            self._gauges[name] = place
        return place


def _row(slots: int) -> int:
    """Return the words of a worker's row."""
    return _OWN + slots * _SLOT


def _names(view: memoryview[int], start: int, room: int, width: int) -> dict[str, int]:
    """Return where the numbers of each name begin, as words."""
    found: dict[str, int] = {}
    for place in range(start, start + room * width, width):
        name = bytes(view[place * _WORD : (place + _NAME) * _WORD]).rstrip(b"\0")
        if not name:
            break
        found[name.decode(errors="replace")] = place + _NAME
    return found


def _enter(view: memoryview[int], start: int, room: int, width: int, name: str, taken: int) -> int:
    """Write a new name behind those there; return where its numbers begin, 0 for no room."""
    data = name.encode()
    if taken >= room or not 0 < len(data) <= _NAME * _WORD:
        return 0
    place = start + taken * width
    view[place * _WORD : place * _WORD + len(data)] = data
    return place + _NAME
