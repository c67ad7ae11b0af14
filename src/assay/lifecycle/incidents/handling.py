"""Incidents as a person handles them: list, read, note, resolve, ask for a new model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from assay.errors import Refused, UsageError
from assay.kernel.stage import Note
from assay.lifecycle.incidents.incidents import Incident, Incidents, note, resolve
from assay.lifecycle.retraining import retraining
from assay.lifecycle.retraining.retrains import Retrain, Retrains
from assay.lifecycle.watching.settings import watching_of
from assay.registry.fold import fold
from assay.stores.workspace import Workspace, find_workspace

Where = str | Path | None
BY_HAND = "note"
"""The action of what a person wrote down."""


def listing(name: str = "", *, store: Where = None) -> list[Incident]:
    """Return the incidents of a model, or of all, the newest first; raises UsageError."""
    events = list(find_workspace(store).ledger.read())
    if name:
        name = fold(events).resolve(f"{name.partition('@')[0]}@1").name
    found = reversed(Incidents(events).all.values())
    return [incident for incident in found if name in ("", incident.model)]


def show(reference: str, *, store: Where = None) -> tuple[Incident, Retrain | None]:
    """Return an incident by the start of its id, and its last retraining; raises UsageError."""
    events = list(find_workspace(store).ledger.read())
    incident = Incidents(events).find(reference)
    return incident, Retrains(events).of_incident(incident.id)


def write_note(reference: str, text: str, *, store: Where = None) -> Incident:
    """Write a line of your own into an incident's history; raises UsageError."""
    workspace = find_workspace(store)
    incident = _find(workspace, reference)
    if not text.strip():
        raise UsageError("INCIDENT-NOTE", "there is nothing to note", got=text)
    note(workspace.context(), incident, BY_HAND, text.strip(), by_hand=True)
    return _find(workspace, incident.id)


def close(reference: str, reason: str, *, store: Where = None) -> Incident:
    """Resolve an incident in the name of the person who asks.

    Raises:
        UsageError: no such incident, or it is resolved.
        Refused: INCIDENT-REASON without a reason.
    """
    workspace = find_workspace(store)
    with workspace.lock(f"closing-{_find(workspace, reference).model}", lambda _: None):
        incident = _find(workspace, reference)
        if not incident.open:
            raise UsageError(
                "INCIDENT-RESOLVED",
                f"this incident was resolved at {incident.resolved_at[:19]}",
                got=incident.id,
                hint=f"assay incidents show {incident.id}",
            )
        resolve(workspace.context(), incident, _reason(reason), by_hand=True)
    return _find(workspace, incident.id)


def retrain(
    reference: str, *, store: Where = None, notify: Callable[[Note], None] = lambda _: None
) -> Retrain:
    """Go on with the retraining of an incident; ask for one where none is going on.

    Raises UsageError INCIDENT-NO-RETRAIN, with the reason, where none can be asked for.
    """
    workspace = find_workspace(store)
    events = list(workspace.ledger.read())
    incident, retrains = Incidents(events).find(reference), Retrains(events)
    known = retrains.of_incident(incident.id)
    if known is None or not known.on:
        registry = fold(events)
        section = watching_of(events, registry.resolve(incident.model)).retrain
        asked = retraining.ask(workspace, incident, section, retrains, registry, by_hand=True)
        if not asked.asked:
            raise UsageError(
                "INCIDENT-NO-RETRAIN",
                asked.text or "a new model was made of this cause and these rows already",
                got=incident.id,
                hint="send more labels to /feedback",
            )
        notify(Note("wait", asked.text))
    return retraining.carry(workspace, incident, notify)


def approve(
    reference: str, *, store: Where = None, notify: Callable[[Note], None] = lambda _: None
) -> Retrain:
    """Agree to what the retraining of an incident waits for, and carry it on; raises UsageError."""
    workspace = find_workspace(store)
    incident = _find(workspace, reference)
    retraining.approve(workspace, incident)
    return retraining.carry(workspace, incident, notify)


def refuse(reference: str, reason: str, *, store: Where = None) -> Retrain:
    """End a retraining that waits for a person; raises UsageError, or Refused without a reason."""
    workspace = find_workspace(store)
    return retraining.refuse(workspace, _find(workspace, reference), _reason(reason))


def _find(workspace: Workspace, reference: str) -> Incident:
    return Incidents(workspace.ledger.read()).find(reference)


def _reason(reason: str) -> str:
    if not reason.strip():
        raise Refused(
            "INCIDENT-REASON",
            "this needs a reason, which goes to the ledger under your name",
            hint='--reason "…"',
        )
    return reason.strip()
