"""What could go wrong, what the verdict means, what to do: for readers who are not technical."""

from __future__ import annotations

from collections.abc import Iterator

from assay.records.report import Examination, Report
from assay.records.spec import GateSpec
from assay.report import figures, plain_found
from assay.report.measures import measure
from assay.report.numbers import Book, Text, say
from assay.report.plain_part import Part, Table
from assay.report.view import RunView

MOST_WARNINGS = 5
TOLD_BEFORE = frozenset({"worst_slices", "fairness"})
"""Examinations that another part of the page quotes."""

PARTS = {
    "every slice": ", in every group that was named",
    "worst slice": ", in the worst group that a search finds",
}
OUTCOMES = {"accepted": "met", "rejected": "broken", "inconclusive": "cannot be told"}


def risks(book: Book, view: RunView, report: Report) -> Part:
    """Say what could go wrong: what the examinations and the audit found."""
    points = [*_concerns(book, view, report), *_warnings(book, view), *_unknown(view)]
    return Part("What could go wrong", points=tuple(points))


def _concerns(book: Book, view: RunView, report: Report) -> Iterator[Text]:
    """Yield the examinations that are of concern, the serious ones first."""
    order = {"serious": 0, "look": 1}
    found = [(i, e) for i, e in enumerate(report.examinations) if e.concern in order]
    for i, one in sorted(found, key=lambda pair: order[pair[1].concern]):
        if one.name in TOLD_BEFORE:
            continue
        at = ("evaluate", "examinations", i)
        yield say(
            "{mark}{title}{reading}",
            mark="Serious. " if one.concern == "serious" else "",
            # A question as a title is answered by the sentence itself.
            title=""
            if one.title.endswith("?")
            else say("{title}: ", title=book.quote(*at, "title", limit=80)),
            reading=plain_found.found(book, view, i, one),
        )


def _warnings(book: Book, view: RunView) -> Iterator[Text]:
    found = [
        i
        for i, finding in enumerate(view.audit.findings)
        if finding.severity != "note" and finding.accepted is None
    ]
    for i in found[:MOST_WARNINGS]:
        yield say(
            "About the data: {message}",
            message=book.quote("audit", "findings", i, "message", limit=400),
        )
    for i, finding in enumerate(view.audit.findings):
        if finding.accepted is not None:
            at = ("audit", "findings", i)
            yield say(
                "About the data: {message} Someone took responsibility for it, because: “{why}”",
                message=book.quote(*at, "message", limit=400),
                why=book.quote(*at, "accepted", limit=200),
            )


def _unknown(view: RunView) -> Iterator[Text]:
    if "time" not in view.split.policy:
        yield say(
            "It was judged on cases of the same time as those it learned from. Whether it still "
            "holds later is not known until it is looked at again."
        )
    yield say(
        "It knows nothing of cases that are unlike those in the table, and it is silent about why "
        "things happen."
    )


def meaning(book: Book, view: RunView) -> Part | None:
    """Say what the rules were, when they were set, and how they came out."""
    decision = view.decision
    if decision is None:
        return None
    asked: tuple[GateSpec | None, ...] = view.seal.gates
    if len(asked) != len(decision.gates):
        asked = (None,) * len(decision.gates)
    rows = tuple(
        (
            measure(gate.metric).label,
            _threshold(book, i, spec),
            _found(book, i, gate.metric, spec),
            say(OUTCOMES[gate.verdict]),
        )
        for i, (gate, spec) in enumerate(zip(decision.gates, asked, strict=True))
    )
    lines = [
        say(
            "The rules were fixed on {at}, before the model was made, so that nobody could bend "
            "them to fit the result.",
            at=book.date("run", "sealed"),
        ),
        *_looks(book, view),
    ]
    table = Table(("Rule about", "Asked", "Found", "So it is"), rows) if rows else None
    lines += [] if rows else [say("No rule was set, so there is nothing to be met.")]
    return Part("What the verdict means", tuple(lines), table=table)


def _threshold(book: Book, index: int, asked: GateSpec | None) -> Text:
    at = ("judge", "gates", index)
    if asked is not None and asked.beats is not None:
        return say(
            "better than the {other}",
            other="model in use" if asked.beats == "champion" else "simple way",
        )
    number = measure(book.records["judge"].gates[index].metric).number(book, *at, "threshold")
    side = "" if asked is None else "at most " if asked.at_most is not None else "at least "
    where = say("")
    if asked is not None and asked.on is not None:
        part = book.quote("seal", "gates", index, "on", limit=60)
        where = say(PARTS.get(asked.on, ", where {part}"), part=part)
    return say("{side}{number}{where}", side=side, number=number, where=where)


def _found(book: Book, index: int, metric: str, asked: GateSpec | None) -> Text:
    ahead = asked is not None and asked.beats is not None
    if figures.untold(book.records["judge"].gates[index]):
        return say("nothing to compare with" if ahead else "nothing to judge")
    said = measure(metric).said(book, "judge", "gates", index, gap=ahead)
    return say("ahead by {said}", said=said) if ahead else said


def _looks(book: Book, view: RunView) -> Iterator[Text]:
    looks = view.report.looks if view.report else 1
    if looks > 1:
        yield say(
            "The cases kept aside were looked at under {looks} versions of the rules. Whoever may "
            "look often can pick what happens to come out well, so a clearer result was asked for "
            "this time. Cases that nobody has looked at yet would settle it.",
            looks=book.num("evaluate", "looks"),
        )


def steps(book: Book, view: RunView, report: Report) -> Part:
    """Say what to do next."""
    points = list(_by_verdict(book, view))
    for i, one in enumerate(report.examinations):
        if _advised(one):
            points.append(plain_found.advice(book, i, one))
    points.append(
        say("Look at the results again from time to time: what was true of the past may change.")
    )
    return Part("What to do next", points=tuple(points))


def _advised(one: Examination) -> bool:
    return bool(one.advice) and one.concern != "none"


def _by_verdict(book: Book, view: RunView) -> Iterator[Text]:
    decision = view.decision
    if decision is None:
        return
    if decision.verdict == "accepted":
        yield say(
            "It may be used for the decision that it was made for, on cases like those it was "
            "judged on, with a person who can overrule it."
        )
    elif decision.verdict == "rejected":
        yield say(
            "Do not use it as it is. Better data, or other columns, may help; softer rules would "
            "only hide what was found."
        )
    else:
        yield say("Do not rely on it yet.")
    for i, gate in enumerate(decision.gates):
        if gate.verdict == "inconclusive" and gate.rows_needed:
            yield say(
                "About {rows} cases to judge it by, in all, would settle “{label}”.",
                rows=book.num("judge", "gates", i, "rows_needed"),
                label=measure(gate.metric).label,
            )


def stopped(book: Book, view: RunView) -> Part:
    """Say why nothing was trained and what to do about it."""
    points: list[Text] = []
    for i, finding in enumerate(view.audit.findings):
        if finding not in view.audit.blocking:
            continue
        at = ("audit", "findings", i)
        points.append(
            say("{message}", message=book.quote(*at, "message", limit=400))
            if not finding.hint
            else say(
                "{message} What to do: {hint}",
                message=book.sentence(*at, "message"),
                hint=book.sentence(*at, "hint"),
            )
        )
    line = (
        "The data were looked at first, and something in them would make any result look better "
        "than it is. So no model was made, and no time was lost on one."
        if points
        else "The work ended before there was a result to judge."
    )
    return Part("Why there is no model", (say(line),), tuple(points))
