"""Answers that may be repeated: bounded, and forgotten after a while."""

from __future__ import annotations

from collections import OrderedDict
from typing import Generic, TypeVar

from assay.serve.servable import Cells

ROOM = 10_000
"""Answers that are kept, at most; the one that was not asked for longest goes first."""

T = TypeVar("T")
Key = tuple[object, ...]


class Cache(Generic[T]):
    """Keeps what was answered for a row, for `seconds`.

    One belongs to one version of a model and goes with it, so that a swap repeats no old answer.
    """

    def __init__(self, seconds: float, room: int = ROOM) -> None:
        self._seconds, self._room = seconds, room
        self._kept: OrderedDict[Key, tuple[float, T]] = OrderedDict()

    def get(self, key: Key, now: float) -> tuple[float, T] | None:
        """Return an answer and its age in seconds; None where there is none that is young."""
        kept = self._kept.get(key)
        if kept is None:
            return None
        age = now - kept[0]
        if age > self._seconds:
            del self._kept[key]
            return None
        self._kept.move_to_end(key)
        return age, kept[1]

    def put(self, key: Key, now: float, answer: T) -> None:
        """Keep an answer that was found at `now`."""
        self._kept[key] = now, answer
        self._kept.move_to_end(key)
        if len(self._kept) > self._room:
            self._kept.popitem(last=False)

    def __len__(self) -> int:
        return len(self._kept)


def key_of(cells: Cells) -> Key:
    """Return typed cells as a key: the same for all spellings of a row; NaN equals NaN."""
    return tuple(None if cell != cell else cell for cell in cells)
