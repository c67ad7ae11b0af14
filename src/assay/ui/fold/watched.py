"""Windows that were judged, newest last, as their events tell them."""

from __future__ import annotations

from dataclasses import dataclass

from assay.records.event import Event

JUDGED = "watch.judged"


@dataclass(frozen=True, slots=True)
class Window:
    """One judged window; `record` is the digest of its `WatchVerdict`."""

    number: int
    verdict: str
    reason: str
    rows: int
    labelled: int
    since: str
    until: str
    version: int
    flagged: tuple[str, ...]
    record: str
    at: str


class Watched:
    """The windows of every model, by number; one judged again replaces the first."""

    def __init__(self) -> None:
        self.windows: dict[str, dict[int, Window]] = {}

    def take(self, event: Event) -> None:
        """Read one more event."""
        if event.kind != JUDGED:
            return
        data = event.data
        self.windows.setdefault(event.subject, {})[int(data["window"])] = Window(
            number=int(data["window"]),
            verdict=data["verdict"],
            reason=data.get("reason", ""),
            rows=data.get("rows", 0),
            labelled=data.get("labelled", 0),
            since=data.get("since", ""),
            until=data.get("until", ""),
            version=data.get("version", 0),
            flagged=tuple(data.get("flagged", ())),
            record=data.get("record", ""),
            at=event.at,
        )

    def of(self, model: str) -> list[Window]:
        """Return the windows of a model, oldest first."""
        return list(self.windows.get(model, {}).values())

    def last(self, model: str) -> Window | None:
        """Return the newest window of a model."""
        return next(reversed(self.windows.get(model, {}).values()), None)
