"""A server carries out releases: it looks at what both versions counted, and acts on it."""

from __future__ import annotations

import os
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec

from assay.errors import AssayError
from assay.lifecycle.releasing.releases import (
    DECIDED,
    PROMOTED,
    STEP,
    Release,
    Releases,
    acting,
)
from assay.package.manifest import MANIFEST
from assay.records.base import from_json
from assay.records.deployment import Arm, Deployment, Traffic
from assay.records.event import Event
from assay.records.package import Manifest
from assay.registry.change import follow
from assay.release.decide import Decision, Progress, decide
from assay.release.evidence import Evidence
from assay.stores.workspace import Workspace

FOLDER = "releases"
"""Folder of a store with a file for each model: what its release has seen, a second ago at most."""

KEEP = 1.0
"""Seconds between two writings of that file; so much evidence is lost when the server is killed."""

Look = Callable[[], Sequence[Traffic]]


class Releasing:
    """All releases that one server carries out. Every method returns soon; none is thread-safe.

    The server reads the ledger into `take`, asks `arranged` what to answer with, says in `changed`
    and `failed` what came of that, and calls `look` ten times a second. What is decided goes to the
    ledger alone, so every server on the store follows; one decides, by the requests that it counts.
    """

    def __init__(self, workspace: Workspace) -> None:
        self.releases = Releases()
        self._workspace = workspace
        self._context = workspace.context()
        self._applied: dict[str, tuple[Arm, ...]] = {}
        self._watches: dict[str, Watch] = {}
        """Model → the release that this server decides on."""
        self._first: dict[str, Sequence[Traffic]] = {}
        """Release → what this server had counted when it first looked."""
        self._next = 0

    def take(self, event: Event) -> None:
        """Read the next event of the ledger; one that was read already counts once."""
        if event.seq >= self._next:
            self._next = event.seq + 1
            self.releases.take(event)

    def arranged(self, deployment: Deployment) -> Deployment:
        """Return what is to be answered with: as given, or as the model's release wants it.

        To be asked for a model that follows its champion, not for a version that is pinned.
        """
        release = self.releases.on(deployment.model)
        if release is None:
            return deployment
        return release.deployment(deployment)

    def changed(self, deployment: Deployment) -> None:
        """Take note that all workers answer with this."""
        self._applied[deployment.model] = deployment.arms

    def failed(self, deployment: Deployment, error: AssayError) -> None:
        """End the release that wanted this, which a worker cannot load."""
        release = self.releases.on(deployment.model)
        if release is not None and deployment.release == release.id and self._watch(release):
            reason = f"the new version cannot be loaded: {error.message}"
            self._act(release, Decision("aborted", reason), {})

    def look(self, traffic: Look) -> None:
        """Look at every release whose stage all workers have, and write what is decided."""
        for model in [m for m in self._watches if self.releases.on(m) is None]:
            self._watches.pop(model).free()
        for model, arms in self._applied.items():
            release = self.releases.on(model)
            if release is None or arms != release.arms():
                continue
            counted = traffic()
            watch = self._watch(release) if self._concerns(release, counted) else None
            if watch is not None:
                decision = _decision(watch, release, self._first[release.id], counted)
                if decision.next != "wait":
                    self._act(release, decision, watch.counts())

    def _concerns(self, release: Release, counted: Sequence[Traffic]) -> bool:
        """Return True where this server answered since the release began, or patience is over.

        One that is asked nothing must not keep those from deciding that are.
        """
        first = self._first.setdefault(release.id, counted)
        over = time.time() - release.began >= release.section.patience
        return over or _asked(release, counted) > _asked(release, first)

    def _watch(self, release: Release) -> Watch | None:
        """Return this server's watch over a release, None while another server has it."""
        watch = self._watches.get(release.model)
        if watch is not None and watch.release == release.id:
            return watch
        free = self._workspace.hold(f"release-{release.model}") if watch is None else watch.free
        if free is None:
            return None
        self._watches[release.model] = Watch(release, self._workspace.root, free)
        return self._watches[release.model]

    def _act(self, release: Release, decision: Decision, counts: Mapping[str, Any]) -> None:
        """Write a decision, unless a person was quicker; a promotion first moves the champion."""
        with self._workspace.lock(acting(release.model), lambda _: None):
            self._write(release, decision, counts)

    def _write(self, release: Release, decision: Decision, counts: Mapping[str, Any]) -> None:
        self._catch_up()
        now = self.releases.on(release.model)
        if now is None or now.id != release.id:
            return
        context, data = self._context, {"release": release.id, **decision.to_dict(), **counts}
        if decision.next == "step":
            context.append(STEP, release.model, stage=release.stage + 1, **data)
        elif decision.next == PROMOTED:
            reference = f"{release.model}@{release.candidate.version}"
            follow(context, reference, f"release {release.id}: {decision.reason}")
        if decision.next != "step":
            context.append(DECIDED, release.model, **data)
        self._catch_up()

    def _catch_up(self) -> None:
        for event in self._workspace.ledger.read(self._next):
            self.take(event)


def _decision(
    watch: Watch, release: Release, first: Sequence[Traffic], counted: Sequence[Traffic]
) -> Decision:
    """Return what is decided; a fault of ours ends the release, and not the server."""
    try:
        watch.begin(release, first)
        return watch.look(release, counted)
    except Exception as error:  # noqa: BLE001
        traceback.print_exc()
        return Decision("aborted", f"a fault of Assay: {type(error).__name__}: {error}")


class Watch:
    """The evidence of one release as this server gathers it, kept in a file from time to time.

    `free` lets another server decide on the model's next release.
    """

    def __init__(self, release: Release, root: Path, free: Callable[[], None]) -> None:
        self.release, self.free = release.id, free
        self._path = kept_at(root, release.model)
        self._progress = Progress(stage=-1, began=release.began)
        self._evidence: Evidence | None = None
        self._start: list[int] = [0, 0]
        """Requests of live and new when the stage began."""
        self._kept = 0.0
        self._resume = read_kept(root, release)
        self._places = _places(root, release)

    def begin(self, release: Release, traffic: Sequence[Traffic]) -> None:
        """Count from these counters on, if it does not yet."""
        if self._evidence is None:
            self._see(release, traffic)

    def look(self, release: Release, traffic: Sequence[Traffic]) -> Decision:
        """Take what was counted by now, and decide."""
        evidence, live = self._see(release, traffic)
        now = time.time()
        progress = replace(self._progress, live=live.requests)
        decision = decide(release.section, progress, evidence, now)
        if decision.next != "wait" or now - self._kept >= KEEP:
            self._kept = now
            self._keep(release, decision, evidence)
        return decision

    def _see(self, release: Release, traffic: Sequence[Traffic]) -> tuple[Evidence, Traffic]:
        """Return the evidence with what was counted by now, and what live counted."""
        by_version = {t.version: t for t in traffic if t.model == release.model}
        live, new = (
            by_version.get(arm.version, Traffic(model=release.model, version=arm.version))
            for arm in (release.control, release.candidate)
        )
        evidence = self._gathered(release, live)
        evidence.see(live, _as_live(new, self._places))
        return evidence, live

    def counts(self) -> dict[str, Any]:
        """Return, of live and new, all requests, and exposure and outcome of this stage."""
        evidence = self._evidence
        if evidence is None:
            return {}
        asked = _seen(evidence)
        return {
            "requests": asked,
            "exposure": [now - then for now, then in zip(asked, self._start, strict=True)],
            "outcome": evidence.metric.parts[-1].tolist(),
        }

    def _gathered(self, release: Release, live: Traffic) -> Evidence:
        """Return the evidence for the stage that the release is at."""
        evidence, resume = self._evidence, self._resume
        alone = release.now.share == 1.0
        if evidence is None:
            evidence = self._evidence = Evidence(release.section, live, alone=alone)
            if resume is not None:
                evidence.restore(resume["evidence"])
                self._progress = Progress(**resume["progress"])
                self._start, self._resume = resume["start"], None
        if self._progress.stage != release.stage:
            if alone:
                evidence = self._evidence = Evidence(release.section, live, alone=True)
            evidence.part()
            self._start = _seen(evidence)
            self._progress = Progress(release.stage, release.began, evidence.requests, evidence.fed)
        return evidence

    def _keep(self, release: Release, decision: Decision, evidence: Evidence) -> None:
        """Write the file anew; a disk that is full costs only what it would have kept."""
        kept = {
            "release": release.id,
            "at": self._kept,
            "share": release.now.share,
            "progress": asdict(self._progress),
            "start": self._start,
            "evidence": evidence.saved(),
            "requests": _seen(evidence),
            "slow": evidence.slow,
            **decision.to_dict(),
        }
        new = self._path.with_suffix(f".{os.getpid()}")
        with suppress(OSError):
            self._path.parent.mkdir(exist_ok=True)
            new.write_bytes(msgspec.json.encode(kept))
            new.replace(self._path)


def kept_at(root: Path, model: str) -> Path:
    """Return where the file of a model's release is."""
    return root / FOLDER / f"{quote(model, safe='')}.json"


def read_kept(root: Path, release: Release) -> dict[str, Any] | None:
    """Return what the file has of this release, None where it has nothing that can be read."""
    try:
        kept: dict[str, Any] = msgspec.json.decode(kept_at(root, release.model).read_bytes())
    except (OSError, msgspec.DecodeError):
        return None
    return kept if kept.get("release") == release.id else None


def _places(root: Path, release: Release) -> list[int]:
    """Return for each class of the new version its place among those of live."""
    arms = (release.control, release.candidate)
    try:
        live, new = (_manifest(root, arm).signature.classes for arm in arms)
    except (OSError, AssayError):  # removed since the workers loaded it
        return []
    known = [*live, *(name for name in new if name not in live)]
    return [known.index(name) for name in new]


def _manifest(root: Path, arm: Arm) -> Manifest:
    return from_json((root / "packages" / arm.package / MANIFEST).read_bytes(), Manifest)


def _as_live(new: Traffic, places: Sequence[int]) -> Traffic:
    """Return what the new version counted with its classes in the order of live's."""
    if not places:
        return new
    answers = [0] * max(len(new.answers), max(places) + 1)
    for place, count in zip(places, new.answers, strict=False):
        answers[place] += count
    return msgspec.structs.replace(new, answers=tuple(answers))


def _asked(release: Release, traffic: Sequence[Traffic]) -> int:
    return sum(t.requests + t.failed for t in traffic if t.model == release.model)


def _seen(evidence: Evidence) -> list[int]:
    """Return the requests of live and new that were compared so far."""
    counts = evidence.errors.counts
    return [round(float(counts[1])), round(float(counts[3]))]
