"""Columns that give the target away only together: LEAK-JOINT."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl

from assay.data.audit.leaks.joint import Joint, combined, is_ranged, listed
from assay.data.audit.leaks.probe import Probe, probe_of
from assay.data.audit.leaks.single import counted, given_away, labels_of, limits_passed
from assay.data.audit.score import column_scores
from assay.data.audit.subject import Subject, percent, show
from assay.records.audit import Finding

EXCESS = 0.35
"""Share of the target that columns explain together beyond the sum of what each explains alone.

The largest on 21 clean real tables is 0.26: the month and the dew point, of the air in Beijing."""
OVERWHELMING = 0.6
EXACT = 0.95
GAIN = 5
"""Times less is left open by columns together, from EXACT on, than by anything else."""
MOST = 3


@dataclass(frozen=True)
class Told:
    """A combination with what it explains, what its columns add up to, and the best of others."""

    joint: Joint
    share: float
    alone: tuple[float, ...]
    others: float

    @property
    def excess(self) -> float:
        """Return what the columns explain together beyond the sum of what each explains."""
        return self.share - sum(self.alone)


def joint_leaks(subject: Subject) -> Iterator[Finding]:
    """Find two or three columns that together give the target away, though none does alone."""
    probe = probe_of(subject)
    if probe is None:
        return
    columns = [name for name in probe.alone if name not in given_away(subject)]
    told = [_told(probe, joint, columns) for joint in combined(probe, columns)]
    named: set[str] = set()
    for one in sorted(told, key=_place):
        if len(named) < MOST * 2 and not named & set(one.joint.names) and _is_leak(one):
            named |= set(one.joint.names)
            yield _finding(probe, one)


def _place(told: Told) -> float:
    """Return where a combination stands: the most excess first, fewer columns before more.

    Equals stay in the order in which they were offered, the simplest first.
    """
    return round(len(told.joint.names) / 50 - told.excess, 2)


def _told(probe: Probe, joint: Joint, columns: list[str]) -> Told:
    alone = tuple(probe.alone[name] for name in joint.names)
    share = probe.share(joint.values)
    others = 0.0
    if share >= EXACT:
        others = probe.together([name for name in columns if name not in joint.names])
    return Told(joint, share, alone, others)


def _is_leak(told: Told) -> bool:
    """Return True where the columns need each other, or leave hardly anything open together."""
    if told.excess >= EXCESS:
        return True
    best = max(*told.alone, told.others)
    return told.share >= EXACT and (1 - told.share) * GAIN <= 1 - best


def _finding(probe: Probe, told: Told) -> Finding:
    joint, target = told.joint, probe.subject.problem.target
    scores = list(column_scores(joint.values, probe.outcome))
    sure = told.excess >= OVERWHELMING or any(limits_passed(score) == 2 for score in scores)
    names = listed(joint.names)
    verb = "give" if sure else "say much more about"
    away = " away" if sure else ""
    return Finding(
        code="LEAK-JOINT",
        severity="error" if sure else "warning",
        where=", ".join(joint.names),
        message=f"The columns {names} {verb} {target}{away} together: {joint.how} explains "
        f"{percent(told.share)} of it, the best of them alone {percent(max(told.alone))}.",
        evidence={
            "how": show(joint.how),
            "explained_together": show(told.share),
            "explained_alone": {
                show(name): show(share) for name, share in zip(joint.names, told.alone, strict=True)
            },
            "rows": len(probe.rows),
            "values": counted(
                probe.subject, _shown(probe, joint), probe.subject.table[probe.rows][target]
            ),
        },
        hint=f"find out when {names} are filled in: if one of them is computed from {target}, or "
        "after it is known, add it to data.drop",
    )


def _shown(probe: Probe, joint: Joint) -> pl.Series:
    """Return the combination as evidence shows it: a number, or the values side by side."""
    if joint.values.dtype.is_numeric():
        return joint.values
    parts = [labels_of(probe.table[name], is_ranged(probe.table[name])) for name in joint.names]
    frame = pl.DataFrame([part.alias(str(i)) for i, part in enumerate(parts)])
    return frame.select(pl.concat_str(pl.all().fill_null("(missing)"), separator=" | ")).to_series()
