"""Whether a new model may take over: accepted by its gates, and not worse than the live one."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import msgspec

from assay.lifecycle.result import RunResult
from assay.records.report import Comparison


@dataclass(frozen=True)
class Judged:
    """The verdict on a new model in words, with the numbers that decided it."""

    good: bool
    reason: str
    numbers: dict[str, Any] = field(default_factory=dict)


def judged(result: RunResult, live: str, must_be_better: bool) -> Judged:
    """Judge a run on the newest rows against what is live (`NAME@VERSION`).

    Its gates have to accept it, and the interval of the difference in the headline metric must not
    lie below zero; where the live model's performance was the cause it has to lie above zero.
    """
    view = result.view
    if view.decision is None:
        return Judged(False, f"the run was stopped: {view.reason}", {"verdict": "rejected"})
    numbers: dict[str, Any] = {"verdict": view.decision.verdict}
    if view.decision.verdict != "accepted":
        failed = [g for g in view.decision.gates if g.verdict != "accepted"]
        named = "; ".join(f"{g.name}: {g.value:.4g} ({g.low:.4g} to {g.high:.4g})" for g in failed)
        return Judged(False, f"its gates say {view.decision.verdict}: {named}", numbers)
    found = _comparison(result)
    if found is None:
        why = view.report.unasked if view.report else ""
        return Judged(False, f"it could not be compared with {live}: {why}", numbers)
    numbers |= {"metric": found.metric, "difference": msgspec.to_builtins(found.difference)}
    gap = found.difference
    said = (
        f"{found.metric} differs from {found.baseline}'s by {gap.value:+.4f} "
        f"({gap.low:+.4f} to {gap.high:+.4f}) on the {gap.n:,} newest labelled rows"
    )
    if gap.high < 0:
        return Judged(False, f"it is worse: {said}", numbers)
    if must_be_better and gap.low <= 0:
        return Judged(False, f"it is not shown to be better: {said}", numbers)
    return Judged(True, f"it is {'better' if gap.low > 0 else 'not worse'}: {said}", numbers)


def _comparison(result: RunResult) -> Comparison | None:
    report, primary = result.view.report, result.view.problem.primary
    if report is None:
        return None
    asked = [c for c in report.comparisons if c.against == "champion"]
    return next((c for c in asked if c.metric == primary), asked[0] if asked else None)
