"""What to do next with a release: wait, step, promote, abort, or give up; and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from assay.records.spec import ReleaseSection
from assay.release.ab import planned_end
from assay.release.evidence import Difference, Evidence

Next = Literal["wait", "step", "promoted", "aborted", "inconclusive"]

GUARDS = ("errors", "latency", "answers")
"""What every promotion has looked at."""


@dataclass(frozen=True)
class Stage:
    """How requests are shared for a while: the new version's part, and whether it only shadows."""

    share: float
    shadow: bool = False


@dataclass(frozen=True)
class Progress:
    """Where a release is: the number of its stage, and what had come when that began.

    `began` is when the release began, in seconds as `now`. `requests` and the numbers `fed` are the
    new version's; `live` are the requests that live has answered since the server started.
    """

    stage: int
    began: float
    requests: int = 0
    fed: int = 0
    live: int = 0


@dataclass(frozen=True)
class Decision:
    """What comes next, why in plain words, and the numbers that said so."""

    next: Next
    reason: str
    numbers: tuple[Difference, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for the ledger."""
        numbers = [number.to_dict() for number in self.numbers]
        return {"decision": self.next, "reason": self.reason, "numbers": numbers}


def stages(section: ReleaseSection) -> tuple[Stage, ...]:
    """Return the stages of a strategy; none where the versions are simply exchanged.

    Blue/green first has the new version loaded and warm beside live, without a request.
    """
    if section.strategy == "direct":
        return ()
    if section.strategy == "shadow":
        return (Stage(0.0, shadow=True),)
    if section.strategy == "blue_green":
        return (Stage(0.0), Stage(1.0))
    return tuple(Stage(share) for share in section.steps)


def decide(section: ReleaseSection, progress: Progress, evidence: Evidence, now: float) -> Decision:
    """Look at the evidence once more; any number of looks keeps `section.alpha`.

    Harm aborts at any time. A stage lasts for its minimum of requests, in an A/B test of numbers
    fed; the last one until harm is ruled out, too. After its patience a release is given up.
    """
    seen = evidence.differences()
    harm = next((d for d in seen if d.harmful), None)
    if harm:
        return Decision("aborted", f"harm is shown: {said(harm)}", seen)
    ready = all(d.clear for d in seen) and {d.guard for d in seen}.issuperset(GUARDS)
    if section.strategy == "ab" and ready:
        return Decision("promoted", f"better at this look already: {said(seen[-1])}", seen)
    waits_for = _missing(section, progress, evidence)
    last = progress.stage + 1 == len(stages(section))
    if not waits_for and not last:
        return Decision("step", "as many requests as wanted, and no harm is shown", seen)
    if not waits_for and section.strategy == "ab":
        return _by_plan(section, evidence, seen)
    if not waits_for and (ready or evidence.used_up):
        how = "harm is ruled out" if ready else "no harm is shown beside what live did before"
        return Decision("promoted", f"{how}: {'; '.join(map(said, seen))}", seen)
    waits_for = waits_for or _undecided(seen)
    if now - progress.began >= section.patience:
        return Decision("inconclusive", f"patience is over; it still waited for {waits_for}", seen)
    return Decision("wait", waits_for, seen)


def said(d: Difference) -> str:
    """Say a difference in words, with its interval, counts and limit."""
    if d.guard == "answers":
        return (
            f"answers: moved by {d.value:.3f} ({d.low:.3f} to {d.high:.3f}) of at most "
            f"{d.limit:g}, {_counts(d)}"
        )
    if d.guard == "differing":
        return (
            f"differing: {d.new:.1%} of the rows that live was asked, too, were answered otherwise "
            f"({d.low:.1%} to {d.high:.1%}) of at most {d.limit:.0%}, n = {d.n_new:,}"
        )
    if d.guard in GUARDS:
        what = "failed" if d.guard == "errors" else "were slow"
        return (
            f"{d.guard}: {d.new:.2%} {what}, of live {d.live:.2%}; the difference is "
            f"{100 * d.value:+.2f} points ({100 * d.low:+.2f} to {100 * d.high:+.2f}), {_counts(d)}"
        )
    return (
        f"{d.guard}: {d.new:.4g}, of live {d.live:.4g}; worse by {d.value:.3g} "
        f"({d.low:.3g} to {d.high:.3g}) of at most {d.limit:g}, {_counts(d)}"
    )


def _counts(d: Difference) -> str:
    return f"n = {d.n_new:,} and {d.n_live:,}"


def _missing(section: ReleaseSection, progress: Progress, evidence: Evidence) -> str:
    """Say what this stage still lacks of its minimum; "" where nothing."""
    if section.strategy == "ab":
        have, what = evidence.fed - progress.fed, f"numbers of {section.metric} for the new version"
    elif stages(section)[progress.stage] == Stage(0.0):
        have, what = progress.live, "requests of live to compare with"
    else:
        have, what = evidence.requests - progress.requests, "requests of the new version"
    return f"{section.minimum - have:,} more {what}" if have < section.minimum else ""


def _undecided(seen: tuple[Difference, ...]) -> str:
    """Say what a promotion still lacks."""
    absent = sorted(set(GUARDS) - {d.guard for d in seen})
    if absent:
        return f"enough requests of live to judge {' and '.join(absent)}"
    d = next(d for d in seen if not d.clear)
    return f"evidence that {d.guard} stay below {d.bound:g}: so far at most {d.high:.3g}"


def _by_plan(section: ReleaseSection, evidence: Evidence, seen: tuple[Difference, ...]) -> Decision:
    """Decide an A/B test that has reached its planned size."""
    end = planned_end(section, evidence.metric.parts)
    numbers = (*seen[:-1], end)
    if end.harmful:
        return Decision("aborted", f"worse at the planned size: {said(end)}", numbers)
    if end.clear:
        return Decision("promoted", f"better at the planned size: {said(end)}", numbers)
    return Decision("inconclusive", f"no difference at the planned size: {said(end)}", numbers)
