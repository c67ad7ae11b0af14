"""Columns that are written after the outcome: LEAK-AFTER.

A refund, a reason for leaving, a date of discharge: such a column is filled in, or more than
zero, for one answer only, and empty for all cases that are still open. Kaufman, Rosset and
Perlich, "Leakage in data mining" (TKDD 2012), section 3, call the rule that it breaks "no time
machine".
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from assay.data.audit.leaks.probe import Probe, probe_of
from assay.data.audit.leaks.single import counted, cross_table, given_away, suspects
from assay.data.audit.score import FEW, Floats, Ints
from assay.data.audit.subject import Subject, percent, plain, show
from assay.records.audit import Finding

ONE_SIDED = 0.99
"""Share of one answer among the rows in a state that makes the state suspicious."""
COMMON = 0.8
"""Share of all rows from which an answer is too common for that."""
LARGE_SHARE = 0.5
"""Share of the largest, or smallest, targets that all rows in a state must be among."""
FEWEST = 8
CHANCE = 1e-6
"""Largest probability that chance would make so many rows of one answer."""
DEFAULT = 0.2
"""Share of the filled cells from which the most frequent number is taken for "nothing yet"."""
TELLS = 0.15

LATER_NAME = re.compile(
    r"duration|outcome|refund|final|clos(ed|ing|ure)|resol(ved|ution)|settle|cancel|reason|discharg"
    r"|payout|paid_(out|back)|recover(y|ed)|churn|end_date|exit|after|follow_?up|verdict|result",
    re.IGNORECASE,
)
"""Words in the names of columns that are often written when the outcome is known."""


@dataclass(frozen=True)
class State:
    """Some rows of a column: `rows` (n,) True where they are in a state, put in words."""

    words: str
    rows: NDArray[np.bool_]


def written_after(subject: Subject) -> Iterator[Finding]:
    """Find columns that are in a state, such as filled in, for one answer only."""
    probe = probe_of(subject)
    named, given = suspects(subject), given_away(subject)
    for name in subject.features:
        found = None if name in named else _one_sided(subject, name)
        if found is None and probe is not None and name not in named:
            found = _tells_by_state(subject, probe, name)
        if found is None and probe is not None and name not in given:
            found = _named_so(subject, probe, name)
        if found is not None:
            yield found


def _states(values: pl.Series) -> Iterator[State]:
    """Return the states a column (n,) can be in: missing or not, its default number or not."""
    missing = values.is_null().to_numpy()
    if missing.any() and not missing.all():
        yield State("missing", missing)
        yield State("filled in", ~missing)
    if values.dtype.is_numeric() and values.n_unique() > FEW:
        common = values.drop_nulls().mode().sort()[0]
        default = (values == common).fill_null(False).to_numpy()
        extreme = common in (0, values.min(), values.max())
        if extreme and default.sum() >= DEFAULT * values.count():
            yield State(f"{common:g}", default)
            yield State(f"other than {common:g}", ~default & ~missing)


def _one_sided(subject: Subject, name: str) -> Finding | None:
    target = subject.target[subject.sample]
    for state in _states(plain(subject.sampled[name])):
        if subject.problem.classes:
            answer, usual, share = _main_class(subject, target.astype(np.int64), state.rows)
        else:
            answer, usual, share = _main_side(target.astype(np.float64), state.rows)
        rows = int(state.rows.sum())
        if rows < FEWEST or share < ONE_SIDED or usual > COMMON or usual**rows > CHANCE:
            continue
        return Finding(
            code="LEAK-AFTER",
            severity="warning",
            where=name,
            message=f"The column {name} is {state.words} in {rows:,} training rows; "
            f"{round(share * rows):,} of them are {answer}, the answer of only {percent(usual)} "
            "of all rows.",
            evidence={
                "state": state.words,
                "rows_in_this_state": rows,
                "of_one_answer": show(share),
                "usual": show(usual),
                **subject.basis,
                "values": _by_state(subject, state, subject.sampled),
            },
            hint=f"find out when {name} is written; if it is after the answer, add it to data.drop",
        )
    return None


def _by_state(subject: Subject, state: State, table: pl.DataFrame) -> list[dict[str, Any]]:
    """Return the rows (n,) of a table in the state, and the others, counted by the target."""
    words = pl.Series(np.where(state.rows, state.words, f"not {state.words}"))
    return counted(subject, words, table[subject.problem.target])


def _main_class(subject: Subject, codes: Ints, rows: NDArray[np.bool_]) -> tuple[str, float, float]:
    """Return the class of most of the rows, its share of all rows, and its share of these."""
    counts = np.bincount(codes[rows], minlength=len(subject.problem.classes))
    code = int(counts.argmax())
    usual = float((codes == code).mean()) if len(codes) else 1.0
    label = str(show(subject.problem.classes[code]))
    return label, usual, float(counts[code] / max(rows.sum(), 1))


def _main_side(target: Floats, rows: NDArray[np.bool_]) -> tuple[str, float, float]:
    """Return the same for a number: whether nearly all of the rows are large, or small."""
    if not rows.any() or rows.all():
        return "", 1.0, 0.0
    best = ("", 1.0, 0.0)
    for word, sign in (("at least", 1), ("at most", -1)):
        values = sign * target
        edge = np.quantile(values[rows], 1 - ONE_SIDED, method="lower")
        usual = float((values >= edge).mean())
        if usual < min(best[1], LARGE_SHARE):
            share = float((values[rows] >= edge).mean())
            best = (f"{word} {sign * edge:.4g}", usual, share)
    return best


def _tells_by_state(subject: Subject, probe: Probe, name: str) -> Finding | None:
    """Judge a column whose state, not its value, says much, though not all, about the target."""
    rated = [(probe.share_by_flag(state.rows), state) for state in _states(probe.table[name])]
    share, state = max(rated, key=lambda one: one[0], default=(0.0, None))
    others = [other for other in probe.alone if other != name]
    if state is None or share < TELLS:
        return None
    if probe.mistakes(probe.told_by(pl.Series(state.rows)), others) > 0:
        return None
    target = subject.problem.target
    return Finding(
        code="LEAK-AFTER",
        severity="warning",
        where=name,
        message=f"Whether {name} is {state.words} explains {percent(share)} of {target}, and "
        "nothing else in the table explains when it is: it may be written with the answer.",
        evidence={
            "state": state.words,
            "explained_by_the_state": show(share),
            "explained_by_the_column": show(probe.alone[name]),
            "rows": len(probe.rows),
            "values": _by_state(subject, state, subject.table[probe.rows]),
        },
        hint=f"find out when {name} is written; if it is after the answer, add it to data.drop",
    )


def _named_so(subject: Subject, probe: Probe, name: str) -> Finding | None:
    """Judge a column that leads all others and whose name sounds like the end of the story."""
    share = probe.alone.get(name, 0.0)
    best = max((probe.alone[other] for other in probe.alone if other != name), default=0.0)
    if share < TELLS or share <= best or not LATER_NAME.search(name):
        return None
    return Finding(
        code="LEAK-AFTER",
        severity="warning",
        where=name,
        message=f"The column {name} says more about {subject.problem.target} than any other, and "
        "by its name it may be known only when the answer is.",
        evidence={
            "explained_alone": show(share),
            "explained_by_the_best_other_column": show(best),
            "rows": len(probe.rows),
            "values": cross_table(subject, name),
        },
        hint=f"if {name} is known only after the answer, add it to data.drop; if it is known when "
        "the model is asked, accept LEAK-AFTER for it, with the reason",
    )
