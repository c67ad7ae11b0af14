"""What is sent: a notice as data with a schema, as text, and as HTML."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from typing import Any, Literal

from assay.alert.faults import one_line
from assay.alert.fold import ID, RESOLVED
from assay.records.event import Event

SCHEMA = "assay.alert@1"
LISTED = 20
"""Causes that the text lists; the data has all of them."""

LONGEST = 200
"""Characters of a title, which is a mail's subject."""
NAMELESS = ("incident", "retrain", "release")
"""Kinds whose causes are ids: their title is the text."""

_ORDER = ("critical", "warning", "note")


@dataclass(frozen=True)
class Notice:
    """One message about a model: causes of one kind that began, go on or ended together.

    `id` is the same however often it is sent. `thread` is the first notice of the same alert, the
    own id in that one. `evidence` says where what it rests on is found.
    """

    id: str
    thread: str
    state: Literal["firing", "resolved", "test"]
    again: bool
    kind: str
    model: str
    alerts: tuple[dict[str, str], ...]
    at: str
    evidence: dict[str, Any]

    @property
    def severity(self) -> str:
        """Return the worst severity of its causes."""
        return min((alert["severity"] for alert in self.alerts), key=_ORDER.index)

    @property
    def title(self) -> str:
        """Return one line: the model, what is wrong with it, and why."""
        version = f"@{self.evidence['version']}" if self.evidence.get("version") else ""
        state = {"firing": "again: " if self.again else "", "resolved": "resolved: "}
        return one_line(f"[{self.model}{version}] {state.get(self.state, '')}{self._what}")[
            :LONGEST
        ]

    @property
    def _what(self) -> str:
        causes = [alert["cause"] for alert in self.alerts]
        if self.kind in NAMELESS and len(causes) == 1:
            return self.alerts[0]["text"]
        more = f" and {len(causes) - 3} more" if len(causes) > 3 else ""
        return f"{self.kind}: {', '.join(causes[:3])}{more}"

    @property
    def lines(self) -> list[str]:
        """Return the title, a line for each cause, and where the evidence is."""
        alerts = self.alerts[:LISTED]
        more = len(self.alerts) - len(alerts)
        found = [self.title, *(f"- {one_line(alert['text'])}" for alert in alerts)]
        found += [f"- and {more} more"] if more else []
        if "event" in self.evidence:
            found.append(f"event {self.evidence['event']} of the ledger, {self.at[:19]} UTC")
        for key in ("command", "url"):
            found += [one_line(self.evidence[key])] if self.evidence.get(key) else []
        return found

    def to_dict(self) -> dict[str, Any]:
        """Return plain data; `text` is for chats, where an unescaped `<!here>` is an order."""
        return {
            "schema": SCHEMA,
            "id": self.id,
            "thread": self.thread,
            "state": self.state,
            "again": self.again,
            "kind": self.kind,
            "severity": self.severity,
            "model": self.model,
            "at": self.at,
            "title": self.title,
            "text": escape("\n".join(self.lines), quote=False),
            "alerts": list(self.alerts),
            "evidence": self.evidence,
        }

    def to_json(self) -> bytes:
        """Return the data as JSON: the same bytes however often it is sent."""
        return json.dumps(self.to_dict(), sort_keys=True).encode()

    def to_html(self) -> str:
        """Return a small page for mail readers."""
        title, *lines = map(escape, self.lines)
        body = "".join(f"<p>{line}</p>" for line in lines)
        return f"<!doctype html><html><body><h3>{title}</h3>{body}</body></html>"


def notice_of(event: Event, links: Mapping[str, str]) -> Notice:
    """Return what an `alert.raised` or `alert.resolved` event sends; `links` go to the evidence."""
    data, own = event.data, event.digest[:ID]
    return Notice(
        id=own,
        thread=data["thread"] or own,
        state="resolved" if event.kind == RESOLVED else "firing",
        again=data["again"],
        kind=data["kind"],
        model=event.subject,
        alerts=tuple(data["alerts"]),
        at=event.at,
        evidence={**data["evidence"], **links},
    )
