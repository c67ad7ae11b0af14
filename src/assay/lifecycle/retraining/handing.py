"""What becomes of a retraining: its model is released or made live, or it is refused."""

from __future__ import annotations

from typing import Any

from assay.errors import AssayError
from assay.kernel.stage import Context
from assay.lifecycle.incidents.incidents import Incident, note
from assay.lifecycle.releasing import release
from assay.lifecycle.releasing.releases import Release, Releases, starting
from assay.lifecycle.retraining.retrains import HANDED, REFUSED, Retrain
from assay.lifecycle.serving.live import spells
from assay.lifecycle.serving.settings import settings_of
from assay.registry.change import follow
from assay.registry.fold import fold
from assay.stores.workspace import Workspace


def hand_over(workspace: Workspace, context: Context, incident: Incident, retrain: Retrain) -> None:
    """Release the new version where a server answers, else make it the champion.

    It waits while another release is on. What a person made live meanwhile stays.
    """
    reference = f"{retrain.model}@{retrain.new}"
    why = f"incident {incident.id}: {retrain.reason}"
    with workspace.lock(starting(retrain.model), lambda _: None):
        if not _is_to_release(workspace, context, incident, retrain, why):
            return
    try:
        on = release.start(reference, reason=why, store=workspace.root, by_hand=False).release
    except AssayError as error:
        if error.code != "RELEASE-ON":  # that one ends, and then this one begins
            refused(context, retrain, "release", error.message, code=error.code)
        return
    _began(context, incident, retrain, on)


def refused(
    context: Context,
    retrain: Retrain,
    stage: str,
    reason: str,
    *,
    by_hand: bool = False,
    **said: Any,
) -> None:
    """Write that a retraining ended without a new model, and why."""
    context.append(
        REFUSED,
        retrain.model,
        agency="user" if by_hand else "default",
        retrain=retrain.id,
        incident=retrain.incident,
        stage=stage,
        reason=reason,
        **said,
    )


def _is_to_release(
    workspace: Workspace, context: Context, incident: Incident, retrain: Retrain, why: str
) -> bool:
    """Return True where a release is to be started; what needs none is done here.

    The caller holds the lock with which releases and promotions begin.
    """
    events = list(workspace.ledger.read())
    registry, model = fold(events), retrain.model
    reference, on = f"{model}@{retrain.new}", Releases(events).last.get(model)
    if registry.champion(model) == retrain.new:  # it was done, and not noted
        note(context, incident, HANDED, f"{reference} is live", retrain=retrain.id)
        return False
    if f"{model}@{registry.champion(model)}" != retrain.data["against"]:
        reason = f"{retrain.data['against']}, which it was compared with, is no longer live"
        refused(context, retrain, "release", reason)
        return False
    if on is not None and on.candidate.version == retrain.new:
        _began(context, incident, retrain, on)
        return False
    if on is not None and on.on:  # that one ends, and then this one begins
        return False
    _, section = settings_of(events, registry.resolve(reference))
    served = any(not s.until for s in spells(events, model, workspace.root))
    if section.strategy != "direct" and served:
        return True
    follow(context, reference, why)
    note(context, incident, HANDED, f"{reference} is live: {why}", retrain=retrain.id)
    return False


def _began(context: Context, incident: Incident, retrain: Retrain, on: Release) -> None:
    text = f"release {on.id} of {retrain.model}@{retrain.new} began ({on.section.strategy})"
    note(context, incident, HANDED, text, retrain=retrain.id, release=on.id)
