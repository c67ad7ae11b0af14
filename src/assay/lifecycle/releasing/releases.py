"""Releases as the ledger tells them: which is on, how far it is, and how each ended."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import msgspec

from assay.records.deployment import Arm, Deployment
from assay.records.event import Event
from assay.records.spec import ReleaseSection
from assay.registry.fold import MOVED
from assay.release.decide import Stage, stages

STARTED, STEP, DECIDED = "release.started", "release.step", "release.decided"

ON, PROMOTED, ABORTED = "on", "promoted", "aborted"


def acting(model: str) -> str:
    """Return the lock to hold from reading that a release is on to writing what becomes of it."""
    return f"release-act-{model}"


def starting(model: str) -> str:
    """Return the lock to hold while a release begins, or a version is made live without one."""
    return f"release-start-{model}"


@dataclass(frozen=True)
class Release:
    """One release of a version: what was asked for, the stage it is at, and how it ended.

    `state` is on, promoted, aborted or inconclusive; `decided` is the data of the last event.
    """

    id: str
    model: str
    candidate: Arm
    control: Arm
    section: ReleaseSection
    salt: str
    at: str
    actor: str
    reason: str = ""
    stage: int = 0
    stage_at: str = ""
    ended_at: str = ""
    state: str = ON
    decided: dict[str, Any] = field(default_factory=dict)

    @property
    def on(self) -> bool:
        """Return True while it is not decided."""
        return self.state == ON

    @property
    def began(self) -> float:
        """Return when it began, in seconds since 1970."""
        return datetime.fromisoformat(self.at).timestamp()

    @property
    def now(self) -> Stage:
        """Return how requests are shared at its stage; it has at least one."""
        return stages(self.section)[self.stage]

    def arms(self) -> tuple[Arm, ...]:
        """Return the versions that answer now, live first: so units only move to the new one."""
        new, share = self.now, self.now.share
        live = msgspec.structs.replace(self.control, share=1.0 - share)
        return live, msgspec.structs.replace(self.candidate, share=share, shadow=new.shadow)

    def deployment(self, otherwise: Deployment) -> Deployment:
        """Return what is to be answered with while it is on, in place of live alone."""
        return msgspec.structs.replace(
            otherwise,
            arms=self.arms(),
            sticky=self.section.sticky or "",
            salt=self.salt,
            release=self.id,
        )


class Releases:
    """A fold over the ledger: the last release of each model."""

    def __init__(self, events: Iterable[Event] = ()) -> None:
        self.last: dict[str, Release] = {}
        for event in events:
            self.take(event)

    def on(self, model: str) -> Release | None:
        """Return the release of a model that is going on."""
        found = self.last.get(model)
        return found if found is not None and found.on else None

    def take(self, event: Event) -> None:
        """Read the next event of the ledger."""
        if event.kind == STARTED:
            self.last[event.subject] = _started(event)
            return
        release = self.last.get(event.subject)
        if release is None:
            return
        own = event.data.get("release") == release.id
        if event.kind == STEP and own:
            release = replace(release, stage=event.data["stage"], stage_at=event.at)
        elif event.kind == DECIDED and own:  # after the champion was moved for it, too
            release = replace(
                release, state=event.data["decision"], decided=event.data, ended_at=event.at
            )
        elif event.kind == MOVED and release.on:
            release = _overtaken(release, event)
        self.last[event.subject] = release


def _started(event: Event) -> Release:
    data = event.data
    return Release(
        id=data["release"],
        model=event.subject,
        candidate=msgspec.convert(data["candidate"], Arm),
        control=msgspec.convert(data["control"], Arm),
        section=msgspec.convert(data["section"], ReleaseSection),
        salt=data["salt"],
        at=event.at,
        actor=event.actor,
        reason=data["reason"],
        stage_at=event.at,
    )


def _overtaken(release: Release, event: Event) -> Release:
    """End a release whose model's champion was moved before it was decided."""
    promoted = event.data["version"] == release.candidate.version
    state, how = (PROMOTED, "promoted") if promoted else (ABORTED, "replaced")
    reason = f"{how} by {event.actor}: {event.data['reason']}"
    decided = {"decision": state, "reason": reason, "numbers": []}
    return replace(release, state=state, decided=decided, ended_at=event.at)
