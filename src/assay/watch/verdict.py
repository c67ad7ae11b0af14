"""From findings to one verdict, with one plain sentence that says what decided it."""

from __future__ import annotations

from collections.abc import Sequence

from assay.records.watch import Broken, Measured, Moved, Objective, Outcome

SHOWN = 3
"""Columns that the sentence names."""


def verdict_of(
    rows: int,
    minimum: int,
    drift: Sequence[Moved] = (),
    performance: Sequence[Measured] = (),
    quality: Sequence[Broken] = (),
    objectives: Sequence[Objective] = (),
) -> tuple[Outcome, str]:
    """Return the verdict on a window, and why.

    A broken gate or objective is `degraded`, before everything else; then a flagged column or an
    error of the rows is `drift`; then fewer than `minimum` rows are `unknown`.
    """
    worse = [_missed(m) for m in performance if m.standing == "broken"]
    worse += [_burnt(o) for o in objectives if o.standing == "broken"]
    moved = [m for m in drift if m.flagged]
    errors = [b for b in quality if b.severity == "error"]
    if worse:
        also = f"; {_moved(moved)}" if moved else ""
        return "degraded", f"{'; '.join(worse[:SHOWN])}{also}"
    unsaid = [m for m in performance if m.standing == "unsaid" and m.threshold is not None]
    nobody = f"{unsaid[0].metric} cannot be said: {unsaid[0].reason}" if unsaid else ""
    if moved or errors:
        said = [*(b.message for b in errors[:SHOWN]), _moved(moved) if moved else "", nobody]
        return "drift", "; ".join(filter(None, said))
    if rows < minimum:
        return "unknown", f"{_count(rows)}: {minimum:,} are needed"
    unclear = [m for m in performance if m.standing == "unclear"]
    if unclear:
        return "steady", f"nothing moved; {_unclear(unclear[0])}"
    if nobody:
        return "steady", f"nothing moved; {nobody}"
    return "steady", "nothing moved more than chance allows"


def _missed(measured: Measured) -> str:
    how = "is estimated at" if measured.estimated else "is"
    where = f" where {measured.slice}" if measured.slice else ""
    ends = f"{_number(measured.low)} to {_number(measured.high)}"
    text = f"{measured.metric}{where} {how} {_number(measured.value)} ({ends})"
    if measured.threshold is None:
        return f"{text}, worse than the gate allows"
    return f"{text}, on the wrong side of the gate at {_number(measured.threshold)}"


def _unclear(measured: Measured) -> str:
    ends = f"{_number(measured.low)} to {_number(measured.high)}"
    where = f" where {measured.slice}" if measured.slice else ""
    return (
        f"whether {measured.metric}{where} keeps its gate at {_number(measured.threshold)} "
        f"is unclear ({ends})"
    )


def _burnt(objective: Objective) -> str:
    long, short = objective.burn
    return (
        f"the error budget of {objective.name} goes {min(long, short):.3g} times faster "
        f"than {objective.target:.4%} allows"
    )


def _moved(moved: Sequence[Moved]) -> str:
    largest = sorted(moved, key=lambda m: (-(m.matters or 0.0), -m.effect))
    # a column that fails at several scales, or in several of its views, is named once
    names = list(dict.fromkeys("the columns together" if m.kind == "joint" else m.column
                               for m in largest))  # fmt: skip
    more = len(names) - SHOWN
    return f"{', '.join(names[:SHOWN])}{f' and {more:,} more' if more > 0 else ''} moved"


def _count(rows: int) -> str:
    if not rows:
        return "no row came"
    return f"{'1 row is' if rows == 1 else f'{rows:,} rows are'} too few to judge"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.4g}"
