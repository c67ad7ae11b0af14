"""How often the test rows have been looked at, and what that costs."""

from __future__ import annotations

from collections.abc import Iterable

from assay.records.event import Event

READ = "test.read"


def looks_at(events: Iterable[Event], test: str) -> int:
    """Return under how many seals the test rows called `test` have been read.

    The same criteria read again, after a crash or for `verify --rerun`, tell nobody anything new.
    """
    return max(
        1, len({e.data["seal"] for e in events if e.kind == READ and e.data["test"] == test})
    )
