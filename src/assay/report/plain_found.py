"""What the examinations found, and what to do about it, in words that need no statistics."""

from __future__ import annotations

from collections.abc import Callable

from assay.records.report import Examination
from assay.report.measures import Measure, measure
from assay.report.numbers import Book, Text, join, say
from assay.report.view import RunView

MOST_TROUBLES = 3
TROUBLES = {
    "robustness_missing": "values are missing",
    "robustness_noise": "numbers are a little off",
    "robustness_unseen": "it meets words it has never seen",
    "robustness_extreme": "numbers are far outside the usual",
    "robustness_swapped": "columns are mixed up",
    "robustness_shift": "the mix of cases changes",
}
"""What can be wrong with new cases, by the number that says what it costs."""
SHARES = {
    "calibration": (
        ("ece", "The chances that it gives are off by {number} in a hundred on average."),
    ),
    "conformal": (
        (
            "conformal_coverage",
            "the true answer lies in the range or among the answers that it gives in {number} of a "
            "hundred cases, which is less often than was asked for.",
        ),
    ),
    "labels": (
        (
            "label_noise",
            "of a hundred recorded answers that it learned from, about {number} look wrong.",
        ),
    ),
    "smallest_changes": (
        (
            "flip_rate",
            "of a hundred answers, {number} turn around when one or two numbers of the case change "
            "a little.",
        ),
        (
            "switch_rate",
            "of a hundred answers, {number} turn around when a single word of the case changes.",
        ),
    ),
    "errors": (
        ("predicted_too_high", "of a hundred answers, {number} are too high, the others too low."),
    ),
}
"""Examinations that one share says most of; the first number that there is counts."""
ALIKE = {
    "average_odds": "how often it finds the right cases and how often it raises a false alarm",
    "equalized_odds": "how often it finds the right cases or raises a false alarm",
    "equal_opportunity": "how often it finds the cases that it should find",
    "demographic_parity": "how often it says “{positive}”",
}
"""What is compared between groups, by the definition that the project chose."""
ADVICE = {
    "worst_slices": "Let a person decide the cases of the weak groups until it does better there. "
    "Look at some of them, and ask what the table does not say about them.",
    "fairness": "Decide whether the difference between the groups can be justified. If it cannot, "
    "ask for a model that lessens it, and for what that costs.",
    "calibration": "Use the chances to put cases in order, not as shares to count on, until they "
    "have been repaired.",
    "conformal": "Do not count on the range or the set that is given with an answer; ask for wider "
    "ones.",
    "labels": "Have the suspicious cases looked up in the source and corrected (the full report "
    "lists them), and run it again.",
    "learning": "Gather more cases like these, or have a simpler model tried; where it does badly "
    "on all cases alike, look for columns that tell more.",
    "errors": "Do not add answers up, or average them, before it is known why they lean to one "
    "side.",
}
"""What to do about a concern, where the examination says it in words of the project file."""


def found(book: Book, view: RunView, index: int, one: Examination) -> Text:
    """Return what an examination found; one that has no plain words here in its own."""
    told = _learned(book, view) if one.name == "learning" else _share(book, index, one)
    if one.name in _SPECIAL:
        told = _SPECIAL[one.name](book, view, index, one)
    own = ("evaluate", "examinations", index, "reading")
    return told or say("{own}", own=book.quote(*own, limit=500))


def advice(book: Book, index: int, one: Examination) -> Text:
    """Return what to do about an examination of concern."""
    if one.name in ADVICE:
        return say(ADVICE[one.name])
    return say("{own}", own=book.sentence("evaluate", "examinations", index, "advice"))


def _share(book: Book, index: int, one: Examination) -> Text | None:
    """Say it by a share, as cases in a hundred with their interval."""
    for name, template in SHARES.get(one.name, ()):
        if name in one.numbers:
            return say(template, number=_hundred(book, index, name))
    return None


def _hundred(book: Book, index: int, name: str) -> Text:
    at = ("evaluate", "examinations", index, "numbers", name)
    return Measure(name, "", "hundred").said(book, *at)


def _weakest(book: Book, view: RunView, index: int, one: Examination) -> Text | None:
    """Say where the model does worst, of the groups that a search found."""
    looked = "A search through all columns, one or two at a time,"
    if one.concern == "none":
        return say(
            "{looked} found no other group in which it does worse by more than chance explains.",
            looked=looked,
        )
    table = one.tables[0] if one.tables else None
    here = "Wrong answers here" if view.problem.classes else "Mean error here"
    if table is None or not {"Slice", "Rows", here, "Elsewhere"} <= set(table.columns):
        return None
    at = ("evaluate", "examinations", index, "tables", 0, "rows")
    cells = {
        key: book.quote(*at, 0, table.columns.index(heading), limit=90)
        for key, heading in (
            ("group", "Slice"), ("here", here), ("elsewhere", "Elsewhere"),
        )
    }  # fmt: skip
    return say(
        "{looked} found {count} in which it does clearly worse. The worst is “{group}” ({rows} "
        "cases): " + ("{here} of its answers are wrong there, elsewhere {elsewhere}."
        if view.problem.classes
        else "there an answer is off by {here} on average, elsewhere by {elsewhere}."),
        looked=looked,
        count=say(
            "{number} group" if len(table.rows) == 1 else "{number} groups",
            number=book.num(*at, form="count"),
        ),
        rows=book.num(*at, 0, table.columns.index("Rows")),
        **cells,
    )  # fmt: skip


def _alike(book: Book, view: RunView, index: int, one: Examination) -> Text | None:
    """Say by how much groups are treated unlike, by the definition that was chosen."""
    definition = view.project.fairness.definition
    name = f"{definition}_difference"
    if name not in one.numbers or view.problem.positive is None:
        return None
    asked = [
        book.quote("spec", "fairness", "columns", i, limit=40)
        for i in range(len(view.project.fairness.columns))
    ]
    return say(
        "Groups by {columns} differ in {what}: by {number} in a hundred cases.",
        columns=join([say("“{name}”", name=each) for each in asked], " and "),
        what=say(ALIKE[definition], positive=book.quote("problem", "positive")),
        number=_hundred(book, index, name),
    )


def _troubles(book: Book, view: RunView, index: int, one: Examination) -> Text | None:
    """Say which bad rows do most harm."""
    harmful = [name for name, cost in one.numbers.items() if name in TROUBLES and cost.low > 0]
    if not harmful:
        return None
    harmful.sort(key=lambda name: -one.numbers[name].value)
    asked = measure(view.problem.primary)
    at = ("evaluate", "examinations", index, "numbers")
    costs = [
        say(
            "{trouble} ({loss})",
            trouble=TROUBLES[name],
            loss=asked.number(book, *at, name, "value", gap=True),
        )
        for name in harmful[:MOST_TROUBLES]
    ]
    return say(
        "it gets worse when {costs}. In brackets is by how much, counted as: {label}.",
        costs=join(costs, ", when "),
        label=asked.label,
    )


def _learned(book: Book, view: RunView) -> Text | None:
    """Say how it does on cases it has seen beside others."""
    curves = view.report.curves if view.report else ()
    for place, curve in enumerate(curves):
        if curve.kind != "learning" or not curve.data.get("valid"):
            continue
        at = ("evaluate", "curves", place, "data")
        last = len(curve.data["valid"]) - 1
        asked = measure(view.problem.primary)
        return say(
            "On cases it learned from it reaches {seen}, on others {unseen} (counted as: {label}). "
            "Far apart means that it learned cases by heart; both poor, that it is too simple.",
            seen=asked.number(book, *at, "train", last),
            unseen=asked.number(book, *at, "valid", last),
            label=asked.label,
        )
    return None


_SPECIAL: dict[str, Callable[[Book, RunView, int, Examination], Text | None]] = {
    "worst_slices": _weakest,
    "fairness": _alike,
    "robustness": _troubles,
}
