"""Columns that repeat the target with mistakes: LEAK-SUSPECT below the limits of one column.

A copy with mistakes is told from an honest strong column by two things. It says more than all
other columns together; or its mistakes are chance: among rows of the same answer, nothing else in
the table says which value it has, while honest columns, which describe the same case, go along
with each other.
"""

from __future__ import annotations

from collections.abc import Iterator

from assay.data.audit.leaks.probe import Probe, probe_of
from assay.data.audit.leaks.single import cross_table, given_away, leaks, suspects
from assay.data.audit.subject import Subject, percent, show
from assay.records.audit import Finding

LEAST = 0.3
AHEAD = 0.15
"""Share of the target by which a column leads all others together; not seen in 21 clean tables."""
STRONG = 0.45
NOTABLE = 0.15
LEADING = 1.25
"""Times the next best column explains, from which a weaker column leads, given so many rows."""
MANY = 500


def column_leaks(subject: Subject) -> Iterator[Finding]:
    """Find columns that alone tell the target: beyond the limits, or as a copy with mistakes."""
    yield from leaks(subject)
    yield from noisy_copies(subject)


def noisy_copies(subject: Subject) -> Iterator[Finding]:
    """Find columns that tell the target with mistakes that nothing else in the table explains."""
    probe = probe_of(subject)
    if probe is None:
        return
    dates = {name for name in subject.features if subject.table[name].dtype.is_temporal()}
    skipped = suspects(subject) | dates
    others = [name for name in probe.alone if name not in given_away(subject)]
    for name in sorted(others, key=lambda name: -probe.alone[name]):
        share = probe.alone[name]
        if share < NOTABLE or name in skipped:
            continue
        rest = [other for other in others if other != name]
        together = probe.together(rest)
        best = max((probe.alone[other] for other in rest), default=0.0)
        mistakes = probe.mistakes(probe.answers[name], rest)
        if _is_copy(probe, share, together, best, mistakes):
            others.remove(name)
            yield _finding(subject, probe, name, together, mistakes)


def _is_copy(probe: Probe, share: float, rest: float, best: float, mistakes: float) -> bool:
    """Judge what a column explains, all others together, the best of them, and its mistakes."""
    if share >= LEAST and share >= rest + AHEAD:
        return True
    leads = share >= LEADING * best and rest >= NOTABLE / 2 and len(probe.rows) >= MANY
    return (share >= STRONG or leads) and mistakes <= 0


def _finding(subject: Subject, probe: Probe, name: str, rest: float, mistakes: float) -> Finding:
    target, share = subject.problem.target, probe.alone[name]
    why = (
        "and nothing else in the table explains where it is wrong"
        if mistakes <= 0
        else f"all others together {percent(rest)}"
    )
    return Finding(
        code="LEAK-SUSPECT",
        severity="warning",
        where=name,
        message=f"The column {name} looks like a copy of {target} with mistakes: alone it explains "
        f"{percent(share)} of it, {why}.",
        evidence={
            "explained_alone": show(share),
            "explained_by_all_others": show(rest),
            "mistakes_follow_other_columns": mistakes > 0,
            "rows": len(probe.rows),
            "values": cross_table(subject, name),
        },
        hint=f"find out how {name} is made: if someone or something that knew {target} wrote it, "
        "add it to data.drop",
    )
