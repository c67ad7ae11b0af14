"""The postmortem of an incident, drafted from the ledger: every number and word names its record.

What the ledger cannot know, such as what is to change so that it does not come again, is left blank
for people.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from assay.report import html
from assay.report.numbers import Book, Text, say, sources
from assay.report.plain_part import Part, Table
from assay.report.postmortem import BLANK, FOLLOW_UPS, Page, as_markdown
from assay.report.text import duration

QUESTIONS = (
    "Who was affected, and how, and were they told?",
    "Which of the candidates was the cause, and how is that known?",
    "What would have made it visible earlier?",
    "What would have kept it from happening?",
    "What went well that must stay so?",
)
_WORDS = {"open": ("rejected", "✗", "Open"), "resolved": ("accepted", "✓", "Resolved")}


@dataclass(frozen=True)
class Told:
    """An incident and what belongs to it, as plain data by the names that places start with.

    `incident` is that of the fold; `requests` has how many requests and rows the log holds from its
    first to its last bad row, `retrain` its last retraining, `ledger` when the draft was written,
    by whom, and how many events were read for it.
    """

    incident: Mapping[str, Any]
    requests: Mapping[str, Any]
    retrain: Mapping[str, Any] | None
    ledger: Mapping[str, Any]

    def records(self) -> dict[str, Any]:
        """Return what its numbers come from."""
        found = {"incident": self.incident, "log": self.requests, "ledger": self.ledger}
        return found if self.retrain is None else {**found, "retrain": self.retrain}


def render_incident(told: Told) -> str:
    """Return the draft as one HTML file that loads nothing and runs no script."""
    template = html.environment().get_template("postmortem.html.j2")
    return template.render(
        page=page(told),
        questions=QUESTIONS,
        follow_ups=FOLLOW_UPS,
        blank=BLANK,
        source="the ledger",
    )


def markdown_incident(told: Told) -> str:
    """Return the draft as Markdown."""
    return as_markdown(page(told), QUESTIONS)


def page(told: Told) -> Page:
    """Return what the draft says, part by part."""
    book = Book(told.records())
    parts = (
        _impact(book, told),
        _times(book, told),
        *_causes(book, told),
        *_retrained(book, told),
        _timeline(book, told),
    )
    style, sign, word = _WORDS[told.incident["status"]]
    reason = "incident", "reason"
    return Page(
        style=style,
        sign=sign,
        word=word,
        sentence=say("{reason}", reason=book.sentence(*reason)),
        title=say(
            "Incident {id} on {model}",
            id=book.quote("incident", "id"),
            model=book.quote("incident", "model"),
        ),
        written=say(
            "Draft of {at}, by {actor}, from {events} events of the ledger",
            at=book.date("ledger", "at"),
            actor=book.quote("ledger", "actor"),
            events=book.num("ledger", "events"),
        ),
        parts=parts,
        sources=sources([text for part in parts for text in part.texts]),
    )


def _impact(book: Book, told: Told) -> Part:
    lines = [
        say(
            "{rows} rows were answered in {windows} windows that show it.",
            rows=book.num("incident", "rows"),
            windows=book.num("incident", "windows"),
        )
    ]
    if told.requests.get("requests"):
        lines.append(
            say(
                "Between its first and its last bad row the log holds {requests} requests with "
                "{rows} rows.",
                requests=book.num("log", "requests"),
                rows=book.num("log", "rows"),
            )
        )
    versions = told.incident["versions"]
    points = tuple(
        say("Version {version} answered.", version=book.num("incident", "versions", place))
        for place in range(len(versions))
    )
    signs = tuple(
        say("{sign}", sign=book.quote("incident", "symptoms", place, limit=200))
        for place in range(len(told.incident["symptoms"]))
    )
    return Part("Impact", tuple(lines), points=(*signs, *points))


def _times(book: Book, told: Told) -> Part:
    found = told.incident
    rows: list[tuple[Text, ...]] = []
    for name, key in (
        ("First row of the first window that shows it", "since"),
        ("Last row of the window that found it", "found"),
        ("Incident opened", "opened_at"),
        ("Last row of the last window that shows it", "until"),
        ("First row of the first calm window", "calm_since"),
        ("Incident resolved", "resolved_at"),
    ):
        if found[key]:
            rows.append((say(name), say("{at}", at=book.date("incident", key))))
    lines = []
    for text, key in (
        ("Detected after {time}.", "detected_s"),
        ("Recovered after {time}.", "recovered_s"),
    ):
        if found[key] is not None:
            lines.append(say(text, time=book.num("incident", key, show=duration)))
    lines.append(say("Both count from the first row of the first window that shows it."))
    return Part("Detection and recovery", tuple(lines), table=Table(("What", "When"), tuple(rows)))


def _causes(book: Book, told: Told) -> Iterator[Part]:
    found = told.incident["causes"]
    if not found:
        return
    rows = tuple(
        (
            say("{kind}", kind=book.quote("incident", "causes", place, "kind")),
            say("{text}", text=book.sentence("incident", "causes", place, "text")),
            say("{score}", score=book.num("incident", "causes", place, "score")),
            _evidence(book, place, cause),
        )
        for place, cause in enumerate(found)
    )
    told_so = say(
        "Candidates, by how directly the evidence bears on what is wrong. "
        "A score is no probability."
    )
    header = ("Candidate", "What speaks for it", "Score", "Evidence")
    yield Part("What may be behind it", (told_so,), table=Table(header, rows))


def _evidence(book: Book, place: int, cause: Mapping[str, Any]) -> Text:
    base = ("incident", "causes", place)
    if cause["events"]:
        return say("event {seq}", seq=book.num(*base, "events", 0))
    if cause["records"]:
        return say("record {digest}", digest=book.quote(*base, "records", 0, limit=64))
    return say("none")


def _retrained(book: Book, told: Told) -> Iterator[Part]:
    found = told.retrain
    if found is None:
        return
    lines = [
        say(
            "Retraining {id} is {state}: {reason}",
            id=book.quote("retrain", "id"),
            state=book.quote("retrain", "state"),
            reason=book.sentence("retrain", "reason", limit=600)
            if found["reason"]
            else say("nothing was decided yet."),
        )
    ]
    difference = found["data"].get("difference")
    if difference:
        base = ("retrain", "data", "difference")
        lines.append(
            say(
                "{metric} differs by {value} ({low} to {high}) on {n} rows.",
                metric=book.quote("retrain", "data", "metric"),
                value=book.num(*base, "value"),
                low=book.num(*base, "low"),
                high=book.num(*base, "high"),
                n=book.num(*base, "n"),
            )
        )
    yield Part("The new model", tuple(lines))


def _timeline(book: Book, told: Told) -> Part:
    rows = []
    for place, entry in enumerate(told.incident["history"]):
        base = ("incident", "history", place)
        rows.append(
            (
                say("{at}", at=book.date(*base, "at")),
                say("{action}", action=book.quote(*base, "action")),
                say("{text}", text=book.sentence(*base, "text", limit=600)),
                say("{by}", by=book.quote(*base, "actor")),
                _link(book, base, entry),
            )
        )
    header = ("When", "What", "In words", "By", "Evidence")
    return Part("Timeline", table=Table(header, tuple(rows)))


def _link(book: Book, base: tuple[object, ...], entry: Mapping[str, Any]) -> Text:
    seq = say("event {seq}", seq=book.num(*base, "seq"))
    if not entry["record"]:
        return seq
    return say("{seq}, verdict {record}", seq=seq, record=book.quote(*base, "record", limit=64))
