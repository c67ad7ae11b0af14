"""One page for readers who are not technical: what was asked, how good it is, what could go wrong.

Every number on it comes from a record and names it; the list at its end says which.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from assay.report import html, plain_form, plain_result, plain_risk, words
from assay.report.hypothesis import importance
from assay.report.numbers import HUNDRED, Book, Source, Text, join, records_of, say, sources
from assay.report.plain_part import Part
from assay.report.view import RunView

SIMPLE = {
    "constant": "always give the same answer",
    "column": "go by a single column",
    "linear": "add up the columns by a fixed formula",
}
"""What the simple way does, by its kind."""

EVEN = 0.5
"""The threshold that nobody chose."""

VERDICTS = {
    "accepted": "It met every rule that was set before it was made.",
    "rejected": "It broke a rule that was set before it was made.",
    "inconclusive": "The check was too small to tell whether it meets its rules.",
    "stopped": "No model was made.",
}


@dataclass(frozen=True)
class Page:
    """The page as its template takes it."""

    style: str
    sign: str
    word: str
    verdict: str
    question: Text
    decision: Text | None
    parts: tuple[Part, ...]
    sources: tuple[Source, ...]


def render_plain(view: RunView) -> str:
    """Return the page for readers who are not technical, as one HTML file."""
    return html.environment().get_template("plain.html.j2").render(page=page(view), view=view)


def page(view: RunView) -> Page:
    """Return what the page says, part by part."""
    book = Book(records_of(view))
    verdict = words.verdict(view)
    question = (
        book.quote("seal", "question", limit=220)
        if view.seal.question
        else say("What will “{target}” be?", target=book.quote("problem", "target"))
    )
    decision = book.quote("seal", "decision", limit=300) if view.seal.decision else None
    parts = tuple(part for part in _parts(book, view) if part is not None)
    said = [text for part in parts for text in part.texts]
    return Page(
        style=verdict.style,
        sign=verdict.sign,
        word=verdict.word,
        verdict=VERDICTS[verdict.style],
        question=say("{question}", question=question),
        decision=say("{decision}", decision=decision) if decision else None,
        parts=parts,
        sources=sources(said),
    )


def _parts(book: Book, view: RunView) -> Iterator[Part | None]:
    report = view.report
    if report is None:
        yield plain_risk.stopped(book, view)
        yield _asked(book, view)
        return
    yield _asked(book, view)
    yield _answers(book, view)
    yield plain_result.good(book, view, report)
    yield plain_result.beside(book, view, report, _simple(view))
    yield plain_result.groups(book, view, report)
    yield plain_risk.risks(book, view, report)
    yield plain_risk.meaning(book, view)
    yield plain_risk.steps(book, view, report)


def _asked(book: Book, view: RunView) -> Part:
    lines = [
        say(
            "The data are a table of {rows} cases with {columns} columns; the column to be "
            "predicted is “{target}”.",
            rows=book.num("snapshot", "rows"),
            columns=book.num("snapshot", "columns", form="count"),
            target=book.quote("problem", "target"),
        )
    ]
    if view.project.data.description:
        lines.insert(0, say("{told}", told=book.quote("spec", "data", "description", limit=300)))
    left = [
        say("“{name}”", name=book.quote("snapshot", "dropped", i, limit=40))
        for i in range(len(view.snapshot.dropped))
    ]
    if left:
        lines.append(say("Left out of the table: {names}.", names=join(left, ", ")))
    if view.report is not None:
        lines.append(
            say(
                "The model learned from {train} of them. The other {test} were kept away from it, "
                "and it was judged on those alone.",
                train=book.num("split", "train"),
                test=book.num("split", "test"),
            )
        )
    return Part("What was asked", tuple(lines))


def _answers(book: Book, view: RunView) -> Part:
    used = say(
        "For each case the model looks at {columns} columns.",
        columns=book.num("problem", "features", form="count"),
    )
    lines = [join([used, _kind(book, view)]), *plain_form.form(book, view)]
    found = importance(view.report) if view.report else None
    if found is not None:
        at, curve = found
        mean = curve.data["mean"]
        strongest = sorted(range(len(mean)), key=lambda i: -mean[i])[:3]
        named = [
            say("“{name}”", name=book.quote(*at, "data", "columns", i, limit=40)) for i in strongest
        ]
        lines.append(
            say(
                "It relies most on {columns}. That says what the model looks at, not what causes "
                "what.",
                columns=join(named, ", "),
            )
        )
    return Part("How it answers", tuple(lines))


def _kind(book: Book, view: RunView) -> Text:
    """Say what an answer is."""
    if view.problem.positive is not None:
        return _from_when(book, view)
    if view.problem.classes:
        return say(
            "It names one of {classes} answers, with a chance for each.",
            classes=book.num("problem", "classes", form="count"),
        )
    return say(
        "It answers with a number, and with a range that the true one should mostly lie in."
        if view.fitted and view.fitted.signature.interval
        else "It answers with a number."
    )


def _from_when(book: Book, view: RunView) -> Text:
    """Say from which chance on the answer is the positive class."""
    positive = book.quote("problem", "positive")
    at = ("fit", "signature", "operating")
    chosen = view.fitted.signature.operating if view.fitted else None
    if chosen is not None and chosen.thresholds:
        groups = [
            say(
                "“{group}” from {threshold}",
                group=book.key(*at, "thresholds", group),
                threshold=book.cases(*at, "thresholds", group),
            )
            for group in chosen.thresholds
        ]
        return say(
            "It gives the chance of “{positive}”. From which chance on it says “{positive}” "
            "depends on “{column}”: for {groups} in {hundred} on.",
            positive=positive,
            column=book.quote(*at, "group"),
            groups=join(groups, ", for "),
            hundred=HUNDRED,
        )
    if chosen is None or chosen.threshold == EVEN:
        return say(
            "It gives the chance of “{positive}”, and says “{positive}” when that is more likely "
            "than not.",
            positive=positive,
        )
    return say(
        "It gives the chance of “{positive}”, and says “{positive}” from {threshold} in {hundred} "
        "on.",
        positive=positive,
        threshold=book.cases(*at, "threshold"),
        hundred=HUNDRED,
    )


def _simple(view: RunView) -> str:
    kind = view.fitted.baseline.candidate.kind if view.fitted else ""
    return SIMPLE.get(kind, "use the simplest sensible model")
