"""The order in which the search tries things, and what it may tune."""

from __future__ import annotations

from collections.abc import Sequence

from assay.records.fitted import Candidate, Space
from assay.tasks.tabular.portfolio.facts import Facts
from assay.tasks.tabular.portfolio.smooth import smooth, smooth_spaces
from assay.tasks.tabular.portfolio.trees import teachable, tree_spaces, trees

STUMPS = {"num_leaves": 2, "learning_rate": 0.1, "rounds": 100}
"""Trees of one split."""
KEEPS_MONOTONE = frozenset({"boosting", "histogram"})
"""Kinds that can keep a monotone constraint."""
KEEPS_GROUPS = KEEPS_MONOTONE | {"linear", "spline"}
"""Kinds that can keep columns from interacting."""


def baselines(facts: Facts) -> tuple[Candidate, ...]:
    """Return what any model has to beat, from trivial to simple.

    A constant, the best single column, and a plain linear model; where an answer must rise with a
    column, trees of one split stand for the last two, as they can keep to it.
    """
    words = {"text": list(facts.text)}
    constant = Candidate(name="prior" if facts.classes else "median", kind="constant", params=words)
    if facts.monotone:
        return constant, Candidate(name="stumps", kind="boosting", params=STUMPS | words)
    return (
        constant,
        Candidate(name="best_column", kind="column", params=words),
        Candidate(
            name="logistic" if facts.classes else "ridge",
            kind="linear",
            params={"strength": 1.0, **words},
        ),
    )


def candidates(facts: Facts) -> tuple[Candidate, ...]:
    """Return what to try, best guesses first, kinds alternating so that members differ."""
    most, others = trees(facts), smooth(facts)
    order = _alternate(most, others)
    if facts.text:  # words are for linear models
        order = [*others[:1], *_alternate(most, others[1:])]
    return tuple(candidate for candidate in order if _keeps(facts, candidate))


def spaces(facts: Facts) -> tuple[Space, ...]:
    """Return what tuning may turn, the kind that mostly leads first."""
    found = (*tree_spaces(facts), *smooth_spaces(facts))
    return tuple(space for space in found if _keeps(facts, space.candidate))


def student(facts: Facts) -> Candidate | None:
    """Return the single small model that can learn an ensemble's answers."""
    return teachable(facts)


def _alternate(most: Sequence[Candidate], others: Sequence[Candidate]) -> list[Candidate]:
    """Return all of both: two of `most`, then one of `others`, but an early first of these."""
    places = [(2.0 * i + 1.5, other) for i, other in enumerate(others)]
    places += [(float(i + 1), candidate) for i, candidate in enumerate(most)]
    return [candidate for _, candidate in sorted(places, key=lambda pair: pair[0])]


def _keeps(facts: Facts, candidate: Candidate) -> bool:
    if facts.monotone:
        return candidate.kind in KEEPS_MONOTONE
    return not facts.grouped or candidate.kind in KEEPS_GROUPS
