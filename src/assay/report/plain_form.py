"""What the model is made of, and what speed cost: for readers who are not technical."""

from __future__ import annotations

from collections.abc import Iterator

from assay.records.fitted import Members
from assay.report.course import best_shape, chosen_shape, over_limit
from assay.report.measures import measure
from assay.report.numbers import Book, Text, say
from assay.report.view import RunView


def form(book: Book, view: RunView) -> Iterator[Text]:
    """Yield how many models answer together, of how many, and what a rule on speed cost."""
    board, members = view.leaderboard, view.members
    if board is None or members is None or not board.iterations:
        return
    tried = book.num("search", "iterations")
    lead = "Models tried on the cases it learned from: {tried}; "
    if len(members.weights) == 1:
        yield say(lead + "the best one answers.", tried=tried)
    else:
        yield say(
            lead + "{models} of them answer together, those that proved better counting more.",
            tried=tried,
            models=book.num("members", "weights", form="count"),
        )
    yield from _given_up(book, view, members)


def _given_up(book: Book, view: RunView, members: Members) -> Iterator[Text]:
    chosen = chosen_shape(members)
    if chosen is None:
        return
    best = best_shape(members, view.problem.primary)
    if best == chosen or not over_limit(members.shapes[best]):
        return
    asked = measure(view.problem.primary)
    mine, other = (
        asked.number(book, "members", "shapes", i, "score", gap=True) for i in (chosen, best)
    )
    if mine.text == other.text:
        yield say(
            "A larger mix of models would be too slow or too big for the rules that were set; the "
            "smaller one is as good, as far as can be told."
        )
        return
    yield say(
        "A larger mix of models would be too slow or too big for the rules that were set. Keeping "
        "to them costs a little: {mine} in place of {best} ({label}).",
        mine=mine,
        best=other,
        label=asked.label,
    )
