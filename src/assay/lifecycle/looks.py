"""How often the test rows have been looked at, and what that costs."""

from __future__ import annotations

from collections.abc import Iterable

from assay.records.event import Event

READ = "test.read"


def looks_at(events: Iterable[Event], test: str) -> int:
    """Return how often the test rows called `test` have been looked at.

    Every model judged on them, and every seal under which one was, is a look. The same model under
    the same seal again, after a crash or for `verify --rerun`, tells nobody anything new.
    """
    read = (e.data for e in events if e.kind == READ and e.data["test"] == test)
    return max(1, len({(d["seal"], d.get("model", "")) for d in read if not d.get("rerun")}))
