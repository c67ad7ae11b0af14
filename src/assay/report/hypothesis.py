"""Which model won, by how much, how sure that is, and a hypothesis why: from the records alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from assay.metrics import METRICS
from assay.records.fitted import Leaderboard, Members, Trial
from assay.records.report import Curve, Examination, Report
from assay.report import figures
from assay.report.numbers import Book, Num, Text, join, records_of, say
from assay.report.searched import Recipe, mixed
from assay.report.view import RunView

MOST_SENTENCES = 6
FEW_COLUMNS = 3
"""So many columns at most are named as those that the answers rest on."""
HALF, MOST = 0.5, 0.8

KINDS = {
    "boosting": "boosted trees",
    "histogram": "boosted trees",
    "crossed": "boosted trees that also see pairs of columns",
    "forest": "forests of trees",
    "linear": "linear models",
    "spline": "linear models on bent columns",
    "network": "neural networks",
    "column": "rules of one column",
}
_TREES = frozenset({"boosting", "histogram", "crossed", "forest"})
_LINES, _BENT = frozenset({"linear"}), frozenset({"spline"})
_GROUPS = (_TREES, _LINES, _BENT, frozenset({"network"}))


@dataclass(frozen=True)
class Why:
    """What happened, which is certain, and the hypothesis, which is not."""

    found: tuple[Text, ...]
    guess: tuple[Text, ...]

    @property
    def texts(self) -> tuple[Text, ...]:
        """Return every sentence in order."""
        return (*self.found, *self.guess)

    def __str__(self) -> str:
        said = join(self.found)
        return f"{said} Hypothesis: {join(self.guess)}" if self.guess else str(said)


@dataclass(frozen=True)
class Best:
    """The best finished candidate of a kind, and where its record stands."""

    index: int
    trial: Trial
    score: float


def why(view: RunView) -> Why | None:
    """Say which model won and why it may have; None for a run without a champion."""
    report, board = view.report, view.leaderboard
    if report is None or board is None:
        return None
    book = Book(records_of(view))
    found = tuple(_found(book, view, report, board))
    guess = tuple(_guess(book, report, board, view.members))[: MOST_SENTENCES - len(found)]
    return Why(found, guess)


def _found(book: Book, view: RunView, report: Report, board: Leaderboard) -> Iterator[Text]:
    metric = view.problem.primary
    champion = book.quote("evaluate", "champion", "name", limit=80)
    if metric in report.champion.metrics:
        at = ("evaluate", "champion", "metrics", metric)
        yield say(
            "“{name}” won. It scored {value} (between {low} and {high}) in {metric} on {rows} test "
            "rows that it had never seen.",
            name=champion,
            metric=figures.title(metric),
            **_estimate(book, metric, *at),
            rows=book.num("evaluate", "rows"),
        )
    yield _against_baseline(book, report)
    rivals = _rivals(book, board)
    if rivals is not None:
        yield rivals


def _estimate(book: Book, metric: str, *at: object, form: str = "value") -> dict[str, Num]:
    def show(value: float) -> str:
        return figures.value(metric, value)

    return {key: book.num(*at, key, form=form, show=show) for key in ("value", "low", "high")}


def _against_baseline(book: Book, report: Report) -> Text:
    compared = report.comparison
    if compared.champion == compared.baseline:
        return say("It is the baseline itself: nothing that was tried scored better.")
    gap = compared.difference
    at = ("evaluate", "comparison", "difference")
    parts = _estimate(book, compared.metric, *at, form="size")
    baseline = book.quote("evaluate", "comparison", "baseline", limit=60)
    if gap.low > 0 or gap.high < 0:
        # Both ends lie on one side, so their sizes say it; the smaller one comes first.
        ends = ("low", "high") if gap.low > 0 else ("high", "low")
        return say(
            "On the same rows it is {side} than the baseline “{baseline}” by {value} (between "
            "{least} and {most}), which is more than chance would give.",
            side="better" if gap.low > 0 else "worse",
            baseline=baseline,
            value=parts["value"],
            least=parts[ends[0]],
            most=parts[ends[1]],
        )
    return say(
        "It is {side} the baseline “{baseline}” by {value}, which may be chance: anything from "
        "{low} worse to {high} better fits these test rows.",
        side="ahead of" if gap.value >= 0 else "behind",
        baseline=baseline,
        **parts,
    )


def _rivals(book: Book, board: Leaderboard) -> Text | None:
    """Say how the two best kinds of model came out beside each other, out of fold."""
    kinds = [best for best in (_best(board, kinds) for kinds in _GROUPS) if best is not None]
    if len(kinds) < 2:
        return None
    first, second = sorted(kinds, key=lambda best: best.score, reverse=_higher(board.metric))[:2]

    def show(value: float) -> str:
        return figures.value(board.metric, value)

    gap = book.num(
        *_place(first),
        form=f"gap {_pointer(second)}",
        show=show,
    )
    sure = "in every part of the training rows" if _always(board, first, second) else ""
    return say(
        "Before that, on training rows left out in turn, the best of the {first} was ahead of "
        "the best of the {second} by {gap} {sure}.",
        first=KINDS.get(first.trial.candidate.kind, first.trial.candidate.kind),
        second=KINDS.get(second.trial.candidate.kind, second.trial.candidate.kind),
        gap=gap,
        sure=sure or "on average, though not in every part",
    )


def _place(best: Best) -> tuple[object, ...]:
    where = ("trials", best.index) if best.index >= 0 else ("baselines", -best.index - 1)
    return ("search", *where, "score")


def _pointer(best: Best) -> str:
    return "/" + "/".join(map(str, _place(best)))


def _best(board: Leaderboard, kinds: frozenset[str]) -> Best | None:
    """Return the best finished candidate of these kinds; a baseline has an index below zero."""
    every = [
        *((i, trial) for i, trial in enumerate(board.trials)),
        *((-i - 1, trial) for i, trial in enumerate(board.baselines)),
    ]
    found = [
        Best(index, trial, trial.score)
        for index, trial in every
        if trial.score is not None and trial.candidate.kind in kinds
    ]
    higher = _higher(board.metric)
    return max(found, key=lambda best: best.score if higher else -best.score, default=None)


def _higher(metric: str) -> bool:
    return metric not in METRICS or METRICS[metric].higher_is_better


def _ahead(board: Leaderboard, one: Best, other: Best) -> bool:
    return (one.score >= other.score) == _higher(board.metric)


def _always(board: Leaderboard, first: Best, second: Best) -> bool:
    """Return True when the first is ahead in every fold, of three at least."""
    pairs = list(zip(first.trial.scores, second.trial.scores, strict=False))
    higher = _higher(board.metric)
    return len(pairs) > 2 and all(a != b and (a > b) == higher for a, b in pairs)


def _guess(
    book: Book, report: Report, board: Leaderboard, members: Members | None
) -> Iterator[Text]:
    """Yield reasons that the records support, the strongest first."""
    blend = _blend(board, mixed(board, members))
    reasons = (_shape(board), blend, _rests_on(book, report), _diagnosis(book, report))
    yield from (said for said in reasons if said is not None)


def _shape(board: Leaderboard) -> Text | None:
    """Trees against straight lines says whether columns act together."""
    trees, lines, bent = (_best(board, kinds) for kinds in (_TREES, _LINES, _BENT))
    if trees is None or lines is None:
        return None
    if bent is not None and _always(board, bent, lines) and not _always(board, trees, bent):
        return say(
            "Lines that may bend do as well as trees and better than straight ones, so what a "
            "straight line misses is probably in the bends of single columns, or in a few pairs."
        )
    if not _always(board, *((trees, lines) if _ahead(board, trees, lines) else (lines, trees))):
        return say(
            "Trees and straight lines come out nearly level, so most of what the columns say they "
            "seem to say one by one, without steps or combinations."
        )
    if _ahead(board, trees, lines):
        return say(
            "Trees win everywhere, so the answer probably depends on columns in combination, or "
            "in steps, which a straight line misses."
        )
    return say(
        "Straight lines win everywhere, so the columns probably act one by one, and there are too "
        "few rows for trees to find more than that."
    )


def _blend(board: Leaderboard, recipe: Recipe) -> Text | None:
    every = (*board.trials, *board.baselines)
    kinds = {t.candidate.kind for t in every if t.candidate.name in recipe.weights}
    if len(recipe.weights) < 2:
        return None
    if len(kinds) > 1:
        return say(
            "Models of different kinds were averaged: they err on different rows, so that some of "
            "their errors cancel."
        )
    return say("Models of one kind were averaged, which mostly evens out chance in their fits.")


def _rests_on(book: Book, report: Report) -> Text | None:
    """The columns whose shuffling costs most are what the answers rest on."""
    found = importance(report)
    if found is None:
        return None
    at, curve = found
    mean = [max(0.0, float(value)) for value in curve.data["mean"]]
    total, names = sum(mean), curve.data["columns"]
    if total <= 0:
        return None
    ranked = sorted(range(len(mean)), key=lambda i: -mean[i])
    top, share = [], 0.0
    for index in ranked[:FEW_COLUMNS]:
        top.append(index)
        share += mean[index] / total
        if share >= HALF:
            break
    named = [book.quote(*at, "data", "columns", index, limit=40) for index in top]
    listed = join([say("“{name}”", name=name) for name in named], " and ")
    if share < HALF:
        return say(
            "No few columns carry the answers: even {listed} together make up less than half of "
            "what the model uses.",
            listed=listed,
        )
    rest = "nearly all" if share >= MOST else "more than half"
    alone = "alone makes up" if len(top) == 1 else "together make up"
    few = len(top) < len(names)
    return (
        say(
            "{listed} {alone} {rest} of what the model uses, so what makes it good is mostly in "
            "there.",
            listed=listed,
            alone=alone,
            rest=rest,
        )
        if few
        else None
    )


def importance(report: Report) -> tuple[tuple[object, ...], Curve] | None:
    """Return the curve of the importance of columns, and the steps to where it stands."""
    for i, curve in enumerate(report.curves):
        if curve.kind == "importance" and curve.data.get("mean"):
            return ("evaluate", "curves", i), curve
    for i, examination in enumerate(report.examinations):
        for j, curve in enumerate(examination.curves):
            if curve.kind == "importance" and curve.data.get("mean"):
                return ("evaluate", "examinations", i, "curves", j), curve
    return None


def _diagnosis(book: Book, report: Report) -> Text | None:
    """The diagnosis of the learning curve says whether rows or columns are what is short."""
    found = examination(report, "learning")
    if found is None:
        return None
    return say(
        "The learning curve adds: {reading}",
        reading=book.quote("evaluate", "examinations", found[0], "reading", limit=300),
    )


def examination(report: Report, name: str) -> tuple[int, Examination] | None:
    """Return an examination by its name, with its place among them."""
    return next(((i, e) for i, e in enumerate(report.examinations) if e.name == name), None)
