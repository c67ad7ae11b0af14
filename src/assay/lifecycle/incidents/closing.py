"""What a verdict leads to: incidents, a way back, a new model; each written with its reason."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from assay.errors import AssayError
from assay.kernel.stage import Context, Note
from assay.kernel.store import put_record
from assay.lifecycle.incidents.causes import causes
from assay.lifecycle.incidents.incidents import (
    CALM,
    OPENED,
    SEEN,
    Incident,
    Incidents,
    between,
    note,
    resolve,
)
from assay.lifecycle.incidents.symptoms import Symptom, cause_of, explains, of_key, symptoms
from assay.lifecycle.models import rollback
from assay.lifecycle.releasing.releases import ON, Release, Releases
from assay.lifecycle.retraining import retraining
from assay.lifecycle.retraining.retrains import HANDED, Retrains
from assay.records.base import digest
from assay.records.event import Event
from assay.records.spec import RetrainSection, WatchSection
from assay.records.watch import WatchVerdict
from assay.registry.fold import Registry
from assay.stores.workspace import Workspace

BACK = "rolled back"
"""The action of a note that the version before was made live again."""
RELEASE_ENDED = "release ended"

TOGETHER = 16
"""Windows after its first one in which other columns that show up belong to the same incident.

As many as are pooled: what moved little is seen in several windows only.
"""
RECENT = 2_000
"""Newest events of the ledger that are looked through for causes."""

Notify = Callable[[Note], None]


@dataclass
class State:
    """What the ledger says of incidents, retrainings, releases and versions, read on and on."""

    incidents: Incidents = field(default_factory=Incidents)
    retrains: Retrains = field(default_factory=Retrains)
    releases: Releases = field(default_factory=Releases)
    registry: Registry = field(default_factory=Registry)
    recent: list[Event] = field(default_factory=list)
    moves: dict[str, Event] = field(default_factory=dict)
    """Model → the last time that its champion was moved."""
    next: int = 0

    def read(self, events: Iterable[Event]) -> State:
        """Read on."""
        for event in events:
            self.next = event.seq + 1
            for fold in (self.incidents, self.retrains, self.releases, self.registry):
                fold.take(event)
            if event.kind == "alias.moved":
                self.moves[event.subject] = event
            if not event.kind.startswith("work."):
                self.recent.append(event)
        del self.recent[:-RECENT]
        return self


class Closing:
    """Acts on the verdicts on the models of one store; what is known is kept between two calls."""

    def __init__(self, workspace: Workspace, notify: Notify = lambda _: None) -> None:
        self.workspace, self._notify = workspace, notify
        self._context: Context = workspace.context()
        self._state = State()

    def act(
        self, verdict: WatchVerdict, section: WatchSection, retrain: RetrainSection
    ) -> tuple[str, ...]:
        """Do what the sections ask after a verdict, and return it in words.

        Acting twice on a verdict does no more than once. A retraining goes on in a process of its
        own after this returns; `retraining.join` waits for it.
        """
        with self.workspace.lock(f"closing-{verdict.model}", lambda _: None):
            said = list(self._act(verdict, section, retrain))
        for text in said:
            self._notify(Note("closing", text))
        return tuple(said)

    def _act(
        self, verdict: WatchVerdict, section: WatchSection, retrain: RetrainSection
    ) -> Iterator[str]:
        record = put_record(self.workspace.store, verdict)
        self._read()
        wanted = _wanted(verdict, section)
        if wanted:
            yield from self._file(verdict, section, record)
        shown = [i for i in self._read().incidents.open(verdict.model) if _shows(i, verdict)]
        if "rollback" in wanted:
            yield from self._back(shown, verdict, section, record)
        yield from self._releases(verdict.model)
        if "retrain" in wanted and self._stays(verdict):
            for incident in shown:
                yield from self._retrain(incident, retrain, record)
        yield from self._over(verdict, record)
        yield from self._go_on(verdict.model)

    def look(self, model: str) -> None:
        """Go on with what is due between two windows: a retraining that was killed, or approved."""
        for text in self._go_on(model):
            self._notify(Note("closing", text))

    def _go_on(self, model: str) -> Iterator[str]:
        """Go on with a retraining, but for one whose version waits for the release of another."""
        state = self._read()
        retrain, release = state.retrains.on(model), state.releases.on(model)
        new = retrain.new if retrain is not None and retrain.state == "judged" else None
        if new is not None and release is not None and release.candidate.version != new:
            return
        yield from retraining.go_on(self.workspace, model, state.retrains)

    def _stays(self, verdict: WatchVerdict) -> bool:
        """Return True where the version that was judged is live, and no other is on its way."""
        state, model = self._read(), verdict.model
        return state.registry.champion(model) == verdict.version and not state.releases.on(model)

    def _read(self) -> State:
        return self._state.read(self.workspace.ledger.read(self._state.next))

    def _file(self, verdict: WatchVerdict, section: WatchSection, record: str) -> Iterator[str]:
        """Note each symptom in the incident that explains it, open one for those that none does."""
        state = self._state
        left: dict[str, list[Symptom]] = {}
        shown: dict[str, list[str]] = {}
        known = state.incidents.open(verdict.model)
        for symptom in symptoms(verdict):
            incident = _incident_of(symptom, known, verdict)
            if incident is None:
                left.setdefault(symptom.area, []).append(symptom)
            else:
                shown.setdefault(incident.id, []).append(symptom.key)
        for incident in known:
            again = incident.window == verdict.window or _noted(incident, verdict.window)
            if incident.id in shown and not again:
                self._seen(incident, verdict, shown[incident.id], record)
        for found in left.values():
            yield self._open(found, verdict, section, record)

    def _seen(
        self, incident: Incident, verdict: WatchVerdict, keys: Sequence[str], record: str
    ) -> None:
        note(
            self._context, incident, SEEN, verdict.reason, record=record, symptoms=list(keys),
            window=verdict.window, rows=verdict.rows, until=verdict.until, version=verdict.version,
        )  # fmt: skip

    def _open(
        self, found: Sequence[Symptom], verdict: WatchVerdict, section: WatchSection, record: str
    ) -> str:
        cause = cause_of(found)
        name = digest([verdict.model, cause, verdict.window, verdict.since])[:10]
        before = [i for i in self._state.incidents.all.values() if i.model == verdict.model]
        now = datetime.now(UTC).isoformat(timespec="microseconds")
        behind = causes(verdict, record, section, self._state.recent, before, now)
        self._context.append(
            OPENED,
            verdict.model,
            parents=(record,),
            incident=name,
            cause=cause,
            symptoms=[s.key for s in found],
            reason=verdict.reason,
            version=verdict.version,
            window=verdict.window,
            since=verdict.since,
            until=verdict.until,
            rows=verdict.rows,
            record=record,
            causes=[one.to_dict() for one in behind],
        )
        return f"incident {name} opened: {cause}"

    def _back(
        self, shown: Sequence[Incident], verdict: WatchVerdict, section: WatchSection, record: str
    ) -> Iterator[str]:
        """Go back to the version before, where the change of version is to blame."""
        for incident in shown:
            if self._untold(incident, verdict, record):
                return
            reason = self._to_blame(incident, verdict, section)
            if not reason:
                continue
            why = f"incident {incident.id}: {reason}"
            try:
                version = rollback(
                    verdict.model, why, store=self.workspace.root, by_hand=False
                ).version
            except AssayError as error:
                note(self._context, incident, "not rolled back", error.message, record=record)
                yield f"not rolled back: {error.message}"
                return
            text = f"version {version} has every request again: {reason}"
            note(
                self._context, incident, BACK, text, record=record, version=verdict.version,
                to=version,
            )  # fmt: skip
            self._read()
            yield text
            return

    def _untold(self, incident: Incident, verdict: WatchVerdict, record: str) -> bool:
        """Note a way back that was gone just before this process was killed."""
        move = self._state.moves.get(verdict.model)
        if incident.actions(BACK) or move is None or move.agency == "user":
            return False
        if not move.data["reason"].startswith(f"incident {incident.id}: version "):
            return False
        note(
            self._context, incident, BACK, move.data["reason"], record=record,
            version=verdict.version, to=move.data["version"],
        )  # fmt: skip
        self._read()
        return True

    def _to_blame(self, incident: Incident, verdict: WatchVerdict, section: WatchSection) -> str:
        """Return why the last change of version is taken back, "" where it is not to be.

        It was made within `watch.rollback`, before the incident showed, and not by going back;
        never twice for one incident, and never to a version that was itself taken back.
        """
        state, model = self._state, verdict.model
        move, release = state.moves.get(model), state.releases.on(model)
        if incident.actions(BACK) or (release is None and move is None):
            return ""
        changed = release.at if release is not None else move.at if move else ""
        if not _recent(changed, section.rollback) or incident.opened_at < changed:
            return ""
        if release is not None:
            return f"version {release.candidate.version} was being released since {changed[:19]}"
        live = state.registry.champion(model)
        if live != verdict.version or any(live == to for _, to in self._taken_back(model)):
            return ""
        before = state.registry.previous(model)
        if before is None or any(before == bad for bad, _ in self._taken_back(model)):
            return ""
        return f"version {live}, live since {changed[:19]}, degraded ({verdict.reason})"

    def _taken_back(self, model: str) -> list[tuple[int, int]]:
        """Return each way back that a verdict led to: from which version to which."""
        return [
            (entry.data["version"], entry.data["to"])
            for incident in self._state.incidents.all.values()
            if incident.model == model
            for entry in incident.actions(BACK)
        ]

    def _releases(self, model: str) -> Iterator[str]:
        """Note how a release ended that a retraining led to."""
        release = self._state.releases.last.get(model)
        if release is None or release.state == ON:
            return
        for incident in self._read().incidents.open(model):
            handed = [e.data.get("release") for e in incident.actions(HANDED)]
            told = [e.data.get("release") for e in incident.actions(RELEASE_ENDED)]
            if release.id in handed and release.id not in told:
                text = _ended(release)
                note(self._context, incident, RELEASE_ENDED, text, release=release.id)
                yield text

    def _retrain(self, incident: Incident, section: RetrainSection, record: str) -> Iterator[str]:
        told = {entry.text for entry in incident.actions(retraining.NOT_ASKED)}
        state = self._read()
        asked = retraining.ask(
            self.workspace, incident, section, state.retrains, state.registry, record=record
        )
        if asked.text and asked.text not in told:
            if not asked.asked and asked.lasting:
                note(self._context, incident, retraining.NOT_ASKED, asked.text, record=record)
            yield asked.text

    def _over(self, verdict: WatchVerdict, record: str) -> Iterator[str]:
        """Resolve what no window shows any longer, unless a new model is still on its way."""
        state = self._read()
        busy = state.retrains.on(verdict.model), state.releases.on(verdict.model)
        if any(busy):
            return
        for incident in state.incidents.open(verdict.model):
            if incident.calm >= CALM:
                reason = f"{incident.calm} windows in a row show nothing of it"
                resolve(self._context, incident, reason, record=record)
                yield f"incident {incident.id} resolved: {reason}"


def act(
    workspace: Workspace,
    verdict: WatchVerdict,
    section: WatchSection,
    retrain: RetrainSection,
    notify: Notify = lambda _: None,
) -> tuple[str, ...]:
    """Do what `[watch]` and `[retrain]` ask after a verdict, and return what was done in words."""
    return Closing(workspace, notify).act(verdict, section, retrain)


def _wanted(verdict: WatchVerdict, section: WatchSection) -> tuple[str, ...]:
    return {"drift": section.on_drift, "degraded": section.on_degraded}.get(verdict.verdict, ())


def _incident_of(
    symptom: Symptom, known: Sequence[Incident], verdict: WatchVerdict
) -> Incident | None:
    """Return the open incident that has this symptom, else one that goes on and may explain it.

    One goes on while each window of a version shows it; after a calm window, or with another
    version, what is new is a thing of its own.
    """
    for incident in known:
        if symptom.key in incident.symptoms:
            return incident
    # this window is already counted, and as a calm one until it is noted otherwise
    on = [i for i in known if i.calm <= 1 and verdict.version in i.versions]
    for incident in on:
        if explains(map(of_key, incident.symptoms), symptom):
            return incident
    for incident in on:
        near = verdict.window - incident.window <= TOGETHER
        if incident.area == symptom.area and near:
            return incident
    return None


def _shows(incident: Incident, verdict: WatchVerdict) -> bool:
    return incident.window == verdict.window or _noted(incident, verdict.window)


def _noted(incident: Incident, window: int) -> bool:
    return any(entry.data["window"] == window for entry in incident.actions(SEEN))


def _recent(at: str, seconds: float) -> bool:
    now = datetime.now(UTC).isoformat(timespec="microseconds")
    return (between(at, now) or 0.0) <= seconds


def _ended(release: Release) -> str:
    reason = release.decided.get("reason", "")
    return f"the release of version {release.candidate.version} was {release.state}: {reason}"
