"""Common ways for a project to go wrong, decided by the records of a run and the ledger.

The names PIT-01 to PIT-09 are the mission's. The checklist about leakage and learning by heart is
filled from the audit and the scores. What the records cannot decide stays open, with the reason.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Literal

from assay.evaluate.diagnosis import HINTS
from assay.metrics import METRICS
from assay.records.audit import Finding
from assay.records.event import Event
from assay.records.fitted import Operating
from assay.report.text import count, cut, listing, plural
from assay.report.view import CheckLine, Reading, RunView

State = Literal["satisfied", "hit", "open"]
MANY_LOOKS, MANY_RUNS = 3, 10
"""Seals and runs from which reading the same test rows counts as chasing a score."""

LEAKS: tuple[tuple[str, str, str], ...] = (
    ("COLUMNS", "No column gives the answer away",
     r"LEAK-(?!AFTER|FUTURE|ID|ENCODED).*|LABEL-COPY"),
    ("ROWS", "No test row is a training row as well", r"(NEAR-)?DUPLICATE.*|TEST-IS-TRAIN"),
    ("ENTITIES", "Nobody and nothing is on both sides of the split", r"GROUP-.*"),
    ("TIME", "Nothing from after the time of the prediction is used",
     r"TIME-.*|LEAK-(AFTER|FUTURE)"),
    ("ORDER", "Neither ids nor the order of rows tell the answer", r"ROW-ORDER|ID-.*|LEAK-ID"),
    ("PREPARED", "Nothing was computed from all rows at once", r"PREPARED-.*|LEAK-ENCODED"),
)  # fmt: skip
"""Lines of the checklist: an id, what should hold, and the findings that say otherwise."""


def judged(view: RunView, read: tuple[Reading, ...]) -> RunView:
    """Return the view with the readings of its test rows, its pitfalls and its checklist."""
    seen = replace(view, readings=read, checklist=checklist(view, read))
    return replace(seen, pitfalls=pitfalls(seen))


def readings(events: Iterable[Event], test: str) -> tuple[Reading, ...]:
    """Return every reading of these test rows by any run, oldest first."""
    return tuple(
        Reading(event.at, event.subject, event.data.get("seal", ""))
        for event in events
        if event.kind == "test.read" and event.data["test"] == test
    )


def pitfalls(view: RunView) -> tuple[CheckLine, ...]:
    """Return PIT-01 to PIT-09 as the records decide them; the view has its checklist already."""
    return (
        _career("PIT-01", "No tool for the sake of the tool"),
        _evaluation(view),
        _deployment(view),
        _documented(view),
        _own_question(view),
        _told(view),
        _chasing(view),
        _career("PIT-08", "Certificates come with projects"),
        _checked(view),
    )


def _career(id_: str, title: str) -> CheckLine:
    return CheckLine(
        id_, title, "open", "This is about a person's projects taken together; one run cannot say.",
        "no record of this run",
    )  # fmt: skip


def _evaluation(view: RunView) -> CheckLine:
    """PIT-02: a baseline, and acceptance criteria that were there before anyone looked."""
    gates = view.seal.gates
    faults = []
    quality = [g for g in gates if not (g.metric in METRICS and METRICS[g.metric].operational)]
    if not quality:
        faults.append("no gate asks how good the answers must be")
    if not any(gate.beats for gate in gates):
        faults.append("no gate asks the model to beat the baseline")
    before = {r.seal for r in view.readings if r.at < view.sealed_at and r.seal != view.seal_digest}
    if before:
        seals = plural(len(before), "other seal")
        faults.append(f"the test rows had been read under {seals} before these criteria were set")
    return _line(
        "PIT-02", "The evaluation is sound", faults,
        "Baseline and gates were set before anything was trained, and before anyone had looked.",
        "seal: gates; ledger: readings of the test rows",
    )  # fmt: skip


def _deployment(view: RunView) -> CheckLine:
    """PIT-03: the work ends in use, not in a score."""
    id_, title, by = "PIT-03", "The model gets into use", "ledger: registered models and aliases"
    version = view.version
    if version is None:
        return CheckLine(id_, title, "hit", "No model of this run is registered.", by)
    name = f"{cut(version.name, 40)}@{version.version}"
    if not version.aliases:
        return CheckLine(id_, title, "hit", f"{name} is registered, but not promoted for use.", by)
    said = f"{name} is the one in use; whether it is served and watched, no record says yet."
    return CheckLine(id_, title, "open", said, by)


def _documented(view: RunView) -> CheckLine:
    """PIT-04: data, assumptions and limits are written down."""
    faults = []
    if not view.project.data.description.strip():
        faults.append("the project file does not say what a row is (data.description)")
    bare = [f.code for f in view.audit.findings if f.accepted is not None and not f.accepted]
    if bare:
        faults.append(f"{listing(bare)} was accepted without a reason")
    licence = "" if view.snapshot.licence else " The licence of the data is not known."
    return _line(
        "PIT-04", "The work is open to others", faults,
        f"The data are described, and the cards and this report state their limits.{licence}",
        "project file: data.description; snapshot: licence; audit: accepted findings",
    )  # fmt: skip


def _own_question(view: RunView) -> CheckLine:
    """PIT-05: a question and a measure of one's own, not those of a template."""
    made = {choice.path: choice.agency for choice in view.project.choices}
    faults = []
    asked = [path for path in ("project.question", "project.decision") if made.get(path) == "user"]
    if not asked:
        faults.append("question and decision are as a template or the tool proposed them")
    answers = view.project.answers
    ways = (answers.costs, answers.capacity, answers.threshold, answers.precision, answers.recall)
    if not view.seal.decision and not any(ways):
        faults.append("nothing says what is done with an answer, or what a mistake costs")
    return _line(
        "PIT-05", "It is more than an exercise", faults,
        "A person wrote the question or the decision that the model serves.",
        "project file: who chose project.question, project.decision; answers",
    )  # fmt: skip


def _told(view: RunView) -> CheckLine:
    """PIT-06: others can read what it is for and what it changes."""
    empty = [
        name
        for name, text in (("question", view.seal.question), ("decision", view.seal.decision))
        if not text.strip()
    ]
    faults = [f"the {listing(empty)} in the project file is empty"] if empty else []
    return _line(
        "PIT-06", "Its use is told to others", faults,
        "Question and decision are stated; the plain page tells the result without jargon.",
        "seal: question, decision",
    )  # fmt: skip


def _chasing(view: RunView) -> CheckLine:
    """PIT-07: the same test rows are not read until a score comes out well."""
    id_, title = "PIT-07", "No score was chased"
    by = "ledger: readings of the test rows"
    if view.report is None:
        return CheckLine(id_, title, "satisfied", "The test rows were not read.", by)
    looks = max(len({r.seal for r in view.readings}), view.report.looks)
    runs = len({r.run for r in view.readings})
    said = (
        f"These test rows were looked at {plural(looks, 'time')}"
        + (f", in {plural(runs, 'run')}" if runs else "")
        + "."
    )
    if looks >= MANY_LOOKS or runs >= MANY_RUNS:
        advice = " Take fresh test rows (data.test) before you believe a further gain."
        return CheckLine(id_, title, "hit", said + advice, by)
    return CheckLine(id_, title, "satisfied", said, by)


def _checked(view: RunView) -> CheckLine:
    """PIT-09: the checklist below holds."""
    wrong = [line.title for line in view.checklist if line.state == "hit"]
    open_ = [line.title for line in view.checklist if line.state == "open"]
    id_, title, by = "PIT-09", "The checklist on leakage and learning by heart holds", "checklist"
    if wrong:
        said = f"Not met: {listing(wrong)}."
        return CheckLine(id_, title, "hit", said, by)
    if open_:
        said = f"Could not be told: {listing(open_)}."
        return CheckLine(id_, title, "open", said, by)
    return CheckLine(id_, title, "satisfied", "Every line of it holds.", by)


def _line(id_: str, title: str, faults: list[str], fine: str, by: str) -> CheckLine:
    if not faults:
        return CheckLine(id_, title, "satisfied", fine, by)
    said = "; ".join(faults)
    return CheckLine(id_, title, "hit", f"{said[:1].upper()}{said[1:]}.", by)


def checklist(view: RunView, read: tuple[Reading, ...]) -> tuple[CheckLine, ...]:
    """Return the checklist on leakage and on learning by heart."""
    return (*_leaks(view), _sealed_first(view, read), _folds(view), _agrees(view), _by_heart(view))


def _leaks(view: RunView) -> Iterator[CheckLine]:
    by = f"audit: {plural(len(view.audit.checks), 'check')}"
    for id_, title, codes in LEAKS:
        found = [
            f for f in view.audit.findings if f.severity != "note" and re.fullmatch(codes, f.code)
        ]
        left = [f for f in found if f.accepted is None]
        if left:
            more = f" and {plural(len(left) - 1, 'more finding')}" if len(left) > 1 else ""
            said = f"{_named(left[0])}{more}: {cut(left[0].message, 160)}"
            yield CheckLine(id_, title, "hit", said, by)
        elif found:
            said = f"{_named(found[0])} was found and accepted: “{cut(found[0].accepted, 120)}”"
            yield CheckLine(id_, title, "satisfied", said, by)
        else:
            yield CheckLine(id_, title, "satisfied", "The audit found nothing of the kind.", by)


def _named(finding: Finding) -> str:
    return f"{finding.code} on {cut(finding.where, 40)}"


def _sealed_first(view: RunView, read: tuple[Reading, ...]) -> CheckLine:
    id_, title = "SEALED", "The criteria were fixed before the test rows were read"
    by = "ledger: seal and readings"
    mine = [r.at for r in read if r.seal == view.seal_digest]
    if not mine:
        return CheckLine(id_, title, "satisfied", "The test rows were not read under it.", by)
    if not view.sealed_at or min(mine) < view.sealed_at:
        said = "The test rows were read before this seal was made."
        return CheckLine(id_, title, "hit", said, by)
    return CheckLine(id_, title, "satisfied", "The seal is older than the first reading.", by)


def _folds(view: RunView) -> CheckLine:
    id_, title = "FITTED", "Nothing was fitted on rows that it was scored on"
    said = (
        "A Python function of the project's own sees the rows before the split; it must not learn "
        "from them."
        if view.project.features.transform
        else "Every model and every encoding of columns was fitted inside its part of the rows."
    )
    state: State = "open" if view.project.features.transform else "satisfied"
    return CheckLine(id_, title, state, said, "split: parts; project file: features.transform")


def _agrees(view: RunView) -> CheckLine:
    """The score on rows left out in training should lie where the test rows put it."""
    id_, title = "CONFIRMED", "The test rows confirm the score of the training"
    by = "search: score; evaluate: champion"
    report, board = view.report, view.leaderboard
    if report is None or board is None or board.metric not in report.champion.metrics:
        return CheckLine(id_, title, "open", "There is no score on test rows to compare.", by)
    found = report.champion.metrics[board.metric]
    metric = METRICS.get(board.metric)
    if metric is not None and metric.takes == "label" and _cut_elsewhere(view):
        said = f"In training {metric.title} was taken at a threshold of a half, here at another."
        return CheckLine(id_, title, "open", said, by)
    higher = metric is None or metric.higher_is_better
    show = metric.format if metric else str
    span = f"{show(found.low)} to {show(found.high)}"
    said = f"{show(board.score)} in training, {show(found.value)} ({span}) on test rows"
    if board.score > found.high if higher else board.score < found.low:
        return CheckLine(id_, title, "hit", f"The test rows are clearly worse: {said}.", by)
    return CheckLine(id_, title, "satisfied", f"They agree: {said}.", by)


def _cut_elsewhere(view: RunView) -> bool:
    """Return True where answers are cut at other thresholds than in the search."""
    operating = view.fitted.signature.operating if view.fitted else Operating()
    return operating.threshold != 0.5 or bool(operating.thresholds)


def _by_heart(view: RunView) -> CheckLine:
    id_, title, by = "BY-HEART", "The model did not learn its rows by heart", "evaluate: learning"
    examined = view.report.examinations if view.report else ()
    found = next((e for e in examined if e.name == "learning"), None)
    if found is None:
        said = "No learning curve was examined in this run."
        return CheckLine(id_, title, "open", said, by)
    state: State = "hit" if found.advice == HINTS["overfit"] else "satisfied"
    return CheckLine(id_, title, state, cut(found.reading, 300), by)


def summary(lines: Iterable[CheckLine]) -> str:
    """Return how many lines hold, fail and stay open, in words."""
    states = [line.state for line in lines]
    words: tuple[tuple[State, str], ...] = (
        ("satisfied", "hold"), ("hit", "not met"), ("open", "open"),
    )  # fmt: skip
    said = [f"{count(states.count(key))} {word}" for key, word in words if states.count(key)]
    return ", ".join(said) or "nothing to check"
