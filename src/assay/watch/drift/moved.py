"""What moved in a window: columns, answers, labels and how columns go together, in one budget."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import msgspec
import numpy as np
from numpy.typing import NDArray

from assay.records.spec import WatchSection
from assay.records.watch import Moved, MovedKind
from assay.watch.columns.form import ColumnProfile, Counts
from assay.watch.drift.budget import holm
from assay.watch.drift.columns import Compared, compare
from assay.watch.drift.joint import JointFound
from assay.watch.profile import Profile

ALL = "(all columns together)"
"""The column that the joint test is written under."""
MOVED_THEN = 0.05
"""The p-value up to which a column counts as moved a season ago."""

Cells = NDArray[np.int64]
Scales = Mapping[int, Counts]
"""By how many windows were taken together, the last being the one judged: their counts."""


@dataclass(frozen=True)
class _Question:
    """One column at one scale, and what came of it."""

    column: ColumnProfile
    scale: int
    counts: Counts
    found: Compared
    p: float
    flagged: bool = False

    @property
    def rank(self) -> tuple[bool, float]:
        """Return what sorts questions by how much they show."""
        return self.flagged, self.found.effect if self.flagged else -self.p


def moved(
    profile: Profile,
    pooled: Scales | None,
    joint: JointFound | None,
    section: WatchSection,
    alpha: float,
    labels: Scales | None = None,
    answers: Scales | None = None,
    seasonal: Mapping[MovedKind, Scales] | None = None,
) -> tuple[Moved, ...]:
    """Return every column that was looked at, what moved most first within each kind.

    A false alarm anywhere has at most the chance `alpha`: half of it is left for performance, half
    shared evenly by the families of questions asked (inputs, answers, labels, all columns
    together), and within a family Holm's method corrects over columns and scales. `p` has all that
    in it, so a column is flagged where p <= alpha and its effect is `section.effect` or more.
    `pooled` are counts of the inputs, `answers` and `labels` those of `profile.answers` and
    `profile.target`. A column that moved against the profile, but had a season ago, too, and is not
    other than `seasonal`, what it was then, is not flagged.
    """
    target = () if profile.target is None else (profile.target,)
    inputs = tuple(column for column in profile.columns if column.of not in section.ignore)
    asked: tuple[tuple[MovedKind, Sequence[ColumnProfile], Scales | None], ...] = (
        ("input", inputs, pooled),
        ("prediction", profile.answers, answers),
        ("label", target, labels),
    )
    families = [(kind, _questions(columns, scales or {})) for kind, columns, scales in asked]
    families = [(kind, questions) for kind, questions in families if questions]
    share = 2 * (len(families) + (joint is not None))
    rows: list[Moved] = []
    for kind, questions in families:
        best = _best(questions, share, section.effect, alpha)
        before = (seasonal or {}).get(kind, {})
        rows += [_row(kind, q, _as_before(before, q, section.effect, alpha)) for q in best]
    if joint is not None:
        rows.append(_together(joint, share, section.effect, alpha))
    return _with_matters(profile, rows)


def _questions(columns: Sequence[ColumnProfile], scales: Scales) -> list[_Question]:
    return [
        _Question(column, scale, counts, found, found.p)
        for scale, counts in scales.items()
        for column in columns
        if column.name in counts.cells
        for found in [compare(column, *_of(counts, column))]
    ]


def _of(counts: Counts, column: ColumnProfile) -> tuple[Cells, NDArray[np.float64] | None]:
    return counts.cells[column.name], counts.moments.get(column.name)


def _best(
    questions: Sequence[_Question], share: int, effect: float, alpha: float
) -> list[_Question]:
    """Return for each column the scale that shows most, corrected and flagged, most first."""
    p = np.minimum(1.0, share * holm(np.array([q.p for q in questions]))).tolist()
    best: dict[str, _Question] = {}
    for q, corrected in zip(questions, p, strict=True):
        flagged = corrected <= alpha and q.found.effect >= effect
        seen = replace(q, p=corrected, flagged=flagged)
        known = best.get(q.column.name)
        if known is None or seen.rank > known.rank:
            best[q.column.name] = seen
    return sorted(best.values(), key=lambda q: q.rank, reverse=True)


def _as_before(season: Scales, q: _Question, effect: float, alpha: float) -> bool:
    """Say whether this column, flagged, is no other than it was a season ago.

    It had to have moved then, too: of few rows everything is no other.
    """
    then = season.get(q.scale)
    if not q.flagged or then is None or q.column.name not in then.cells:
        return False
    cells = tuple(then.cells[q.column.name].tolist())
    before = msgspec.structs.replace(q.column, counts=cells, rows=then.rows)
    found = compare(before, *_of(q.counts, q.column))
    moved_then = compare(q.column, then.cells[q.column.name]).p <= MOVED_THEN
    return moved_then and (found.p > alpha or found.effect < effect)


def _row(kind: MovedKind, q: _Question, as_before: bool) -> Moved:
    return Moved(
        column=q.column.name,
        kind=kind,
        effect=q.found.effect,
        p=q.p,
        flagged=q.flagged and not as_before,
        scale=q.scale,
        reading=q.found.reading + ("; as a season ago" if as_before else ""),
        counts=tuple(q.counts.cells[q.column.name].tolist()),
    )


def _together(joint: JointFound, share: int, effect: float, alpha: float) -> Moved:
    """Return the row of the joint test; its effect is 2 AUC - 1, so that 0 is none and 1 is all."""
    apart, p = 2.0 * joint.effect - 1.0, min(1.0, joint.p * share)
    return Moved(
        column=ALL,
        kind="joint",
        effect=apart,
        p=p,
        flagged=p <= alpha and apart >= effect,
        reading=f"a classifier tells these rows from training with ROC-AUC {joint.effect:.2f}",
    )


def _with_matters(profile: Profile, rows: Sequence[Moved]) -> tuple[Moved, ...]:
    """Return the rows with the share of the change that goes with each flagged input.

    What an answer rests on a column for, times how far the column moved.
    """
    known = {column.name: column.matters for column in profile.columns}
    weights = {
        row.column: row.effect * (known[row.column] or 0.0)
        for row in rows
        if row.flagged and row.kind == "input" and known[row.column] is not None
    }
    total = sum(weights.values())
    return tuple(
        msgspec.structs.replace(row, matters=weights[row.column] / total)
        if row.kind == "input" and row.column in weights and total > 0
        else row
        for row in rows
    )
