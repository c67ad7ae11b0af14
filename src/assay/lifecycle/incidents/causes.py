"""What may be behind an incident: candidates with the evidence that speaks for each, ranked.

A score is no probability: it orders candidates by how directly the evidence bears on what is
wrong. A broken promise of the service, or rows that are broken themselves, come first; then a
change of version just before; then columns that moved, by how far and by how much the answers rest
on them; then labels that moved alone, and what was seen before.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from assay.lifecycle.incidents.incidents import Incident, between
from assay.lifecycle.releasing.releases import STARTED as RELEASED
from assay.lifecycle.serving.journal import FAILED, STOPPED
from assay.records.event import Event
from assay.records.spec import WatchSection
from assay.records.watch import Moved, WatchVerdict
from assay.registry.fold import MOVED

FEW = 8
"""Candidates that are kept."""
_DAY = 86_400.0


@dataclass(frozen=True)
class Cause:
    """One candidate: what kind, a score from 0 to 1, a sentence, and where the evidence lies.

    `events` are numbers of events of the ledger, `records` digests of records.
    """

    kind: str
    score: float
    text: str
    events: tuple[int, ...] = ()
    records: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return asdict(self)


def causes(
    verdict: WatchVerdict,
    record: str,
    section: WatchSection,
    events: Sequence[Event],
    before: Sequence[Incident],
    now: str,
) -> tuple[Cause, ...]:
    """Return what may be behind a verdict, the likeliest first.

    `record` is the digest of the verdict, `events` are the ledger's newest, `before` the model's
    earlier incidents, `now` the time of the ledger (UTC, ISO 8601).
    """
    found = [
        *_service(verdict, record, events, now),
        *_broken(verdict, record),
        *_changed(verdict, section, events, now),
        *_columns(verdict, record),
        *_labels(verdict, record),
        *_seen_before(verdict, section, before),
    ]
    return tuple(sorted(found, key=lambda cause: -cause.score)[:FEW])


def _service(
    verdict: WatchVerdict, record: str, events: Sequence[Event], now: str
) -> Iterator[Cause]:
    slow = [o for o in verdict.objectives if o.standing == "broken"]
    for one in slow:
        text = (
            f"{one.name}: {one.total - one.good:,} of {one.total:,} answers broke the promise, "
            f"{one.burn[0]:.3g} times faster than its budget allows"
        )
        yield Cause("overload", 0.9, text, records=(record,))
    since = verdict.since or now
    for event in events:
        gone = event.kind == STOPPED and event.data.get("reason") == "died"
        if (gone or event.kind == FAILED) and (between(since, event.at) or 0) <= _DAY:
            if event.at < since and not slow:
                continue
            what = "a server died" if gone else "a version could not be loaded"
            score = 0.85 if slow else 0.3
            yield Cause("server", score, f"{what} at {event.at[:19]}", (event.seq,))


def _broken(verdict: WatchVerdict, record: str) -> Iterator[Cause]:
    weight = {moved.column: moved.matters or 0.0 for moved in verdict.drift}
    for one in verdict.quality:
        if one.severity == "error":
            score = 0.88 + 0.1 * min(1.0, weight.get(one.column, 0.0))
            yield Cause("rows", score, f"the rows are broken: {one.message}", records=(record,))


def _changed(
    verdict: WatchVerdict, section: WatchSection, events: Sequence[Event], now: str
) -> Iterator[Cause]:
    """Yield changes of version: the nearer before the first bad row, the likelier.

    Inputs that moved as well speak for another cause.
    """
    inputs = any(moved.flagged and moved.kind == "input" for moved in verdict.drift)
    for event in events:
        if event.subject != verdict.model or event.kind not in (MOVED, RELEASED):
            continue
        age = _seconds(event.at, now)
        if age > section.rollback:
            continue
        near = 1.0 - age / max(section.rollback, 1.0)
        score = (0.3 if inputs else 0.55) + 0.3 * near
        new = event.data["version" if event.kind == MOVED else "candidate"]
        number = new if event.kind == MOVED else new["version"]
        if number == 1:  # nothing was live before
            continue
        what = "became the champion" if event.kind == MOVED else "began to be released"
        text = f"version {number} {what} {_ago(age)} before the verdict"
        yield Cause("version", score, text, (event.seq,))


def _columns(verdict: WatchVerdict, record: str) -> Iterator[Cause]:
    moved = [m for m in verdict.drift if m.flagged and m.kind == "input"]
    shares = _shares(moved)
    for one, share in zip(moved, shares, strict=True):
        matters = "" if one.matters is None else f", behind {one.matters:.0%} of the change"
        text = f"{one.column} moved: effect {one.effect:.3f}{matters}"
        if one.reading:
            text += f" ({one.reading})"
        score = (0.15 + 0.6 * share) * (0.5 + 0.5 * min(1.0, one.effect / 0.3))
        yield Cause("column", score, text, records=(record,))


def _shares(moved: Sequence[Moved]) -> list[float]:
    """Return what each column has of the change: of the answers', where that is known."""
    known = [m.effect * (0.05 + (m.matters or 0.0)) for m in moved]
    if all(m.matters is None for m in moved):
        known = [m.effect for m in moved]
    total = sum(known)
    return [value / total if total else 0.0 for value in known]


def _labels(verdict: WatchVerdict, record: str) -> Iterator[Cause]:
    labels = [m for m in verdict.drift if m.flagged and m.kind == "label"]
    inputs = any(m.flagged and m.kind in ("input", "joint") for m in verdict.drift)
    measured = any(m.standing == "broken" and not m.estimated for m in verdict.performance)
    if labels or (measured and not inputs):
        text = "the labels moved" if labels else "the model is worse on labelled rows"
        text += " while the inputs did not" if not inputs else ", and so did the inputs"
        text += ": what is true of the same inputs changed, or labels are wrong"
        yield Cause("labels", 0.35 if inputs else 0.6, text, records=(record,))
    for one in verdict.performance:
        if one.standing == "unsaid" and one.reason:
            yield Cause("unsaid", 0.2, f"{one.metric} cannot be said: {one.reason}", (), (record,))
            return


def _seen_before(
    verdict: WatchVerdict, section: WatchSection, before: Sequence[Incident]
) -> Iterator[Cause]:
    """Yield an earlier incident of the same columns; about a season ago, the season is likely."""
    named = {f"drift:{m.column}" for m in verdict.drift if m.flagged and m.kind == "input"}
    for incident in reversed(before):
        if not named & set(incident.symptoms):
            continue
        ago = between(incident.since, verdict.since)
        season = section.season
        if season and ago and abs(ago / season - round(ago / season)) < 0.1 and ago > season / 2:
            text = f"the season: the same moved {_ago(ago)} before (incident {incident.id})"
            yield Cause("season", 0.65, text, (incident.history[0].seq,))
        else:
            text = f"the same was seen before: incident {incident.id}, {incident.status}"
            yield Cause("seen", 0.15, text, (incident.history[0].seq,))
        return


def _seconds(one: str, other: str) -> float:
    begun, ended = datetime.fromisoformat(one), datetime.fromisoformat(other)
    return (ended - begun).total_seconds()


def _ago(seconds: float) -> str:
    for unit, size in (("days", _DAY), ("hours", 3600.0), ("minutes", 60.0)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} seconds"
