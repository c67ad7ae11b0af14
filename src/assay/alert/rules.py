"""What an event of the ledger says is wrong, or is so no longer: rules without a memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from assay.records.event import Event
from assay.records.watch import Measured, Moved, Objective, WatchVerdict

Severity = Literal["critical", "warning", "note"]

Name = tuple[str, str]
"""Kind and cause of a condition."""

JUDGED = "watch.judged"
INCIDENT_OPENED, INCIDENT_RESOLVED = "incident.opened", "incident.resolved"
RELEASE_DECIDED = "release.decided"
RETRAIN = "retrain."

_WAITS = {("asked", "train"): "the training", ("judged", "release"): "the release"}
"""Step of a retraining and the approval that is missing then → what is waited for."""

WINDOW_KINDS = ("drift", "degraded", "quality", "objective")
"""What the verdict on a window raises and ends."""
LEAST_P = 1e-99
"""A smaller p-value is told as smaller than this; far out numbers end at 0."""
UNSURE = ("unclear", "unsaid")
"""Standings that neither raise nor end."""


@dataclass(frozen=True)
class Condition:
    """Something a person may want to be told of, named by its kind and its cause.

    `text` says it in one line; `column` is the column that it is about, "" for none.
    """

    kind: str
    cause: str
    text: str
    severity: Severity = "warning"
    column: str = ""

    @property
    def name(self) -> Name:
        """Return its kind and its cause."""
        return self.kind, self.cause


@dataclass(frozen=True)
class Said:
    """What one event says.

    `holds` is true from now on, `happened` once, `over` no longer. Of the kinds in `whole` all that
    holds is listed, so whatever else was raised is over, except `open`, of which it says nothing.
    """

    holds: tuple[Condition, ...] = ()
    happened: tuple[Condition, ...] = ()
    over: tuple[Name, ...] = ()
    whole: tuple[str, ...] = ()
    open: tuple[Name, ...] = ()

    def ends(self, name: Name) -> bool:
        """Return True where what was raised as `name` is over."""
        if name in self.over:
            return True
        held = any(c.name == name for c in self.holds)
        return name[0] in self.whole and name not in self.open and not held


def said(event: Event, verdict: WatchVerdict | None = None) -> Said | None:
    """Return what an event says, None where nobody is ever told of its kind.

    `verdict` is the record that a `watch.judged` names.
    """
    if event.kind == JUDGED:
        return None if verdict is None else _judged(verdict)
    if event.kind == INCIDENT_OPENED:
        return Said(holds=(_incident(event),))
    if event.kind == INCIDENT_RESOLVED:
        return Said(over=(("incident", str(event.data["incident"])),))
    if event.kind == RELEASE_DECIDED:
        return Said(happened=(_release(event),))
    if event.kind.startswith(RETRAIN):
        return _retrain(event)
    return None


def _judged(verdict: WatchVerdict) -> Said:
    """Read a window's verdict; one on too few rows ends nothing."""
    broken = [m for m in verdict.performance if m.standing == "broken"]
    holds = (
        *(_degraded(m) for m in broken),
        *(_drifted(m) for m in verdict.drift if m.flagged),
        *(
            Condition("quality", f"{b.code} {b.column}".strip(), b.message, "warning", b.column)
            for b in verdict.quality
            if b.severity == "error"
        ),
        *(
            Condition("objective", o.name, _spent(o), "critical")
            for o in verdict.objectives
            if o.standing == "broken"
        ),
    )
    known = verdict.verdict != "unknown"
    return Said(
        holds=tuple({c.name: c for c in holds}.values()),
        whole=WINDOW_KINDS if known else (),
        open=(
            *(("degraded", _metric(m)) for m in verdict.performance if m.standing in UNSURE),
            *(("objective", o.name) for o in verdict.objectives if o.standing in UNSURE),
        ),
    )


def _spent(objective: Objective) -> str:
    bad, total = objective.total - objective.good, objective.total
    return (
        f"{objective.name}: {bad:,} of {total:,} answers broke the promise, "
        f"{objective.left:.0%} of the error budget is left, "
        f"it goes {objective.burn[0]:.3g} times too fast"
    )


def _metric(measured: Measured) -> str:
    return f"{measured.metric} {measured.slice}".strip()


def _degraded(measured: Measured) -> Condition:
    how = "estimated" if measured.estimated else "measured"
    ends = f"{measured.low:.4g} to {measured.high:.4g}" if measured.low is not None else "?"
    gate = "" if measured.threshold is None else f", the gate asks for {measured.threshold:.4g}"
    value = "?" if measured.value is None else f"{measured.value:.4g}"
    text = f"{_metric(measured)} is {value} ({how}, {ends}){gate}"
    return Condition("degraded", _metric(measured), text, "critical")


def _drifted(moved: Moved) -> Condition:
    pooled = f" over the last {moved.scale} windows" if moved.scale > 1 else ""
    reading = f": {moved.reading}" if moved.reading else ""
    chance = f"p {moved.p:.2g}" if moved.p >= LEAST_P else f"p below {LEAST_P:.0e}"
    text = f"{moved.column} moved by {moved.effect:.3g} ({chance}){pooled}{reading}"
    column = moved.column if moved.kind == "input" else ""
    return Condition("drift", moved.column or moved.kind, text, "warning", column)


def _incident(event: Event) -> Condition:
    incident = str(event.data["incident"])
    text = f"incident {incident}: {event.data['cause']} ({event.data['reason']})"
    return Condition("incident", incident, text, "critical")


def _release(event: Event) -> Condition:
    data = event.data
    severity: Severity = "note" if data["decision"] == "promoted" else "warning"
    text = f"release {data['release']} was {data['decision']}: {data.get('reason', '')}"
    return Condition("release", str(data["release"]), text, severity)


def _retrain(event: Event) -> Said | None:
    """Read a step of a retraining: its end is told, and that a person has to agree before."""
    data, word = event.data, event.kind.removeprefix(RETRAIN)
    retrain = str(data["retrain"])
    waits = f"{retrain} waits"
    approval = data["section"]["approval"] if word == "asked" else data.get("approval", "")
    if (word, approval) in _WAITS:
        text = f"retraining {retrain} waits for somebody to agree to {_WAITS[word, approval]}"
        return Said(holds=(Condition("retrain", waits, text),))
    if word not in ("asked", "judged", "refused"):
        return Said(over=(("retrain", waits),))
    why = data.get("reason") or data.get("cause") or ""
    severity: Severity = "warning" if word == "refused" else "note"
    text = f"retraining {retrain} was {word}" + (f": {why}" if why else "")
    told = Condition("retrain", f"{retrain} {word}", text, severity)
    return Said(happened=(told,), over=(("retrain", waits),))
