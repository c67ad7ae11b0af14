"""The postmortem of a drill, as a page and as Markdown: what a record holds, and blanks for people.

Every number names the record it stands in. What nobody measured, such as what to do about it, is
left to a person; nothing is made up.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from assay.records.deployment import Drill, Fault
from assay.report import html
from assay.report.numbers import Book, Source, Text, say, sources
from assay.report.plain_part import Part, Table
from assay.report.text import markdown, number

FAULTS: dict[Fault, str] = {
    "rollback": "A new version was made live under load, and taken back.",
    "bad-model": "A version with wrong answers, whole by every digest, was released by a canary.",
    "kill-worker": "A worker process of the server was killed without warning.",
    "overload": "Three times as many requests came as the server can take.",
    "disk-full": "The workers of the server found no room on the disk for their log.",
}
BLANK = "to be filled in"
FOLLOW_UPS = ("What is to be done", "By whom", "Until when", "How it will be checked")
QUESTIONS = (
    "What would have made the fault visible earlier?",
    "What would have made it smaller?",
    "What went well that must stay so?",
)


@dataclass(frozen=True)
class Postmortem:
    """The record of a drill with its digest, when it was written (UTC, ISO 8601), and by whom."""

    drill: Drill
    digest: str
    at: str
    actor: str

    def records(self) -> dict[str, Any]:
        """Return what its numbers come from, by the names that places start with."""
        written = {"at": self.at, "actor": self.actor, "record": self.digest}
        return {"drill": self.drill, "event": written}


@dataclass(frozen=True)
class Page:
    """The page as its template takes it."""

    style: str
    sign: str
    word: str
    sentence: str | Text
    title: Text
    written: Text
    parts: tuple[Part, ...]
    sources: tuple[Source, ...]


def render_postmortem(found: Postmortem) -> str:
    """Return the postmortem as one HTML file that loads nothing and runs no script."""
    template = html.environment().get_template("postmortem.html.j2")
    return template.render(
        page=page(found),
        questions=QUESTIONS,
        follow_ups=FOLLOW_UPS,
        blank=BLANK,
        source="the record of the drill",
    )


def markdown_postmortem(found: Postmortem) -> str:
    """Return the postmortem as Markdown."""
    return as_markdown(page(found), QUESTIONS)


def as_markdown(made: Page, questions: Sequence[str]) -> str:
    """Return a page as Markdown, with blanks after what only a person can answer."""
    lines = [f"# {markdown(str(made.title))}", f"**{made.word}.** {made.sentence}"]
    lines.append(markdown(str(made.written)))
    for part in made.parts:
        lines.append(f"## {part.title}")
        lines += [markdown(str(line)) for line in part.lines]
        if part.table is not None:
            lines.append("\n".join(_markdown_table(part.table)))
        if part.points:
            lines.append("\n".join(f"- {markdown(str(point))}" for point in part.points))
    lines.append("## Follow-ups")
    lines += [f"- {question} _{BLANK}_" for question in questions]
    blank = tuple(say(BLANK) for _ in FOLLOW_UPS)
    lines.append("\n".join(_markdown_table(Table(FOLLOW_UPS, (blank, blank)))))
    return "\n\n".join(lines) + "\n"


def _markdown_table(table: Table) -> Iterator[str]:
    yield f"| {' | '.join(map(str, table.header))} |"
    yield "|---" * len(table.header) + "|"
    for row in table.rows:
        yield f"| {' | '.join(markdown(str(cell)) for cell in row)} |"


def page(found: Postmortem) -> Page:
    """Return what the page says, part by part."""
    book, drill = Book(found.records()), found.drill
    parts = (_impact(book, drill), _seen(book, drill), *_rules(book, drill), _timeline(book, drill))
    return Page(
        style="accepted" if drill.passed else "rejected",
        sign="✓" if drill.passed else "✗",
        word="Passed" if drill.passed else "Not passed",
        sentence=FAULTS[drill.kind],
        title=say("Drill {kind} on {model}", kind=book.quote("drill", "kind"),
                  model=book.quote("drill", "model")),
        written=say("{at}, by {actor}; record {digest}", at=book.date("event", "at"),
                    actor=book.quote("event", "actor"),
                    digest=book.quote("event", "record", limit=64)),
        parts=parts,
        sources=sources([text for part in parts for text in part.texts]),
    )  # fmt: skip


def _impact(book: Book, drill: Drill) -> Part:
    lines = [
        say(
            "Of {requests} requests {failed} failed and {wrong} got a wrong answer.",
            requests=book.num("drill", "requests"),
            failed=book.num("drill", "failed"),
            wrong=book.num("drill", "wrong"),
        )
    ]
    if not drill.failed and not drill.wrong:
        lines.append(say("Nobody who asked was harmed."))
    return Part("Impact", tuple(lines))


def _seen(book: Book, drill: Drill) -> Part:
    detected = say("It was not detected.")
    if drill.detect_s is not None:
        detected = say("Detected after {seconds} s.", seconds=book.num("drill", "detect_s"))
    recovered = say("It did not recover while the drill lasted.")
    if drill.recover_s is not None:
        recovered = say("Recovered after {seconds} s.", seconds=book.num("drill", "recover_s"))
    lasts = drill.kind in ("overload", "disk-full")
    told = say("Both count from when the fault was put in.")
    if lasts:
        told = say("Detection counts from when the fault was put in, recovery from when it ended.")
    return Part("Detection and recovery", (detected, recovered, told))


def _rules(book: Book, drill: Drill) -> Iterator[Part]:
    for title, wanted in (("What held", True), ("What did not hold", False)):
        points = tuple(
            say("{rule}", rule=book.sentence("drill", "checks", i, 0, limit=300))
            for i, (_, held) in enumerate(drill.checks)
            if held == wanted
        )
        if points:
            yield Part(title, points=points)


def _timeline(book: Book, drill: Drill) -> Part:
    rows = tuple(
        (
            say("{at}", at=book.num("drill", "timeline", i, 0, show=number)),
            say("{text}", text=book.sentence("drill", "timeline", i, 1)),
        )
        for i in range(len(drill.timeline))
    )
    told = say("Seconds from when the fault was put in.")
    return Part("Timeline", (told,), table=Table(("Seconds", "What happened"), rows))
