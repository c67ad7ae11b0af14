"""Retrainings as the ledger tells them: asked for, approved, trained, judged, handed over."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import msgspec

from assay.lifecycle.incidents.incidents import NOTED
from assay.records.event import Event
from assay.records.spec import RetrainSection

ASKED, APPROVED, STARTED = "retrain.asked", "retrain.approved", "retrain.started"
JUDGED, REFUSED = "retrain.judged", "retrain.refused"
HANDED = "handed over"
"""The action of a note to the incident that a new version was released or promoted."""

State = Literal["asked", "training", "judged", "done", "refused"]


@dataclass(frozen=True)
class Retrain:
    """One new model that an incident asked for, and how far it is.

    `labels` is the time of the newest labelled row when it was asked for: with the cause it says
    what is not to be trained twice. `version` is the live one it is to take over from, `new` the
    version it became. `waits` is the approval that is missing: `train`, `release` or "".
    """

    id: str
    model: str
    incident: str
    cause: str
    labels: str
    version: int
    section: RetrainSection
    asked_at: str
    state: State = "asked"
    waits: str = ""
    attempts: int = 0
    started_at: str = ""
    run: str = ""
    new: int = 0
    reason: str = ""
    data: dict[str, Any] = field(default_factory=dict)

    @property
    def on(self) -> bool:
        """Return True until it was handed over or refused."""
        return self.state not in ("done", "refused")

    @property
    def due(self) -> bool:
        """Return True where there is something to do that no person has to agree to first."""
        return self.on and not self.waits


class Retrains:
    """A fold over the ledger: every retraining by its id."""

    def __init__(self, events: Iterable[Event] = ()) -> None:
        self.all: dict[str, Retrain] = {}
        for event in events:
            self.take(event)

    def of(self, model: str) -> list[Retrain]:
        """Return the retrainings of a model in order."""
        return [r for r in self.all.values() if r.model == model]

    def on(self, model: str) -> Retrain | None:
        """Return the retraining of a model that is going on."""
        return next((r for r in self.of(model) if r.on), None)

    def of_incident(self, incident: str) -> Retrain | None:
        """Return the last retraining that an incident asked for."""
        return next((r for r in reversed(self.all.values()) if r.incident == incident), None)

    def take(self, event: Event) -> None:
        """Read the next event of the ledger."""
        if event.kind == ASKED:
            self.all[event.data["retrain"]] = _asked(event)
            return
        known = self.all.get(event.data.get("retrain", ""))
        if known is not None and event.kind in _NEXT:
            self.all[known.id] = _NEXT[event.kind](known, event)


def _asked(event: Event) -> Retrain:
    data = event.data
    section = msgspec.convert(data["section"], RetrainSection)
    return Retrain(
        id=data["retrain"],
        model=event.subject,
        incident=data["incident"],
        cause=data["cause"],
        labels=data["labels"],
        version=data["version"],
        section=section,
        asked_at=event.at,
        waits="train" if section.approval == "train" else "",
    )


def _started(known: Retrain, event: Event) -> Retrain:
    return replace(
        known, state="training", attempts=known.attempts + 1, started_at=event.at, waits=""
    )


def _judged(known: Retrain, event: Event) -> Retrain:
    data = event.data
    return replace(
        known,
        state="judged",
        run=data["run"],
        new=data["version"],
        reason=data["reason"],
        waits="release" if known.section.approval == "release" else "",
        data=data,
    )


def _refused(known: Retrain, event: Event) -> Retrain:
    return replace(
        known, state="refused", reason=event.data["reason"], waits="", data=event.data,
        run=event.data.get("run", known.run),
    )  # fmt: skip


def _noted(known: Retrain, event: Event) -> Retrain:
    return replace(known, state="done") if event.data.get("action") == HANDED else known


_NEXT = {
    APPROVED: lambda known, _: replace(known, waits=""),
    STARTED: _started,
    JUDGED: _judged,
    REFUSED: _refused,
    NOTED: _noted,
}
