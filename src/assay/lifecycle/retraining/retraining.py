"""A new model of fresh labelled rows: asked for, made, judged against the live one, handed over.

Each step is an event of the ledger, so that whoever comes next goes on where the last one was
killed, and nothing is done twice: one process holds the lock `retrain-NAME`.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec

from assay.errors import AssayError, Refused, UsageError
from assay.kernel.stage import Context, Note
from assay.lifecycle.incidents.incidents import Incident, between
from assay.lifecycle.incidents.symptoms import of_key
from assay.lifecycle.project import Prepared, prepare_spec
from assay.lifecycle.retraining import fresh as rows
from assay.lifecycle.retraining import guard
from assay.lifecycle.retraining.against import judged
from assay.lifecycle.retraining.handing import hand_over, refused
from assay.lifecycle.retraining.live import Live
from assay.lifecycle.retraining.retrains import (
    APPROVED,
    ASKED,
    JUDGED,
    STARTED,
    Retrain,
    Retrains,
)
from assay.lifecycle.run import run_again
from assay.lifecycle.watching.settings import watching_in
from assay.records.base import digest
from assay.records.seal import Seal
from assay.records.spec import Choice, DataSection, ProjectSpec, RetrainSection
from assay.registry.fold import Registry
from assay.stores.faults import explained
from assay.stores.workspace import Workspace

FOLDER = "retrain"
"""Folder of a store with the tables of each retraining."""
NOT_ASKED = "not retrained"
"""The action of a note that says why an incident led to no new model."""
ATTEMPTS = 5
"""Times that a retraining is begun, or goes on after it was killed."""
SPELL = 10.0
"""Seconds between two starts by this process of a retraining that did not come any further."""
LABELS = "labels.json"
"""File with the share of the fresh rows whose labels had little to be compared with."""
LEARNABLE = ("WATCH-CATEGORY",)
"""What is wrong with rows that a new model may learn; any other broken row is to be mended."""

Notify = Callable[[Note], None]

_started: dict[tuple[Path, str], subprocess.Popen[bytes]] = {}
"""Store and model → the process that this one started for it."""
_last: dict[tuple[Path, str, int], float] = {}
"""Store, retraining and attempts → when this process last started one for it."""


@dataclass(frozen=True)
class Asked:
    """What came of asking for a new model, in words, "" where nothing is to be said.

    `lasting` says that the reason is worth a line in the incident's history.
    """

    text: str = ""
    asked: bool = False
    lasting: bool = False


def ask(
    workspace: Workspace,
    incident: Incident,
    section: RetrainSection,
    retrains: Retrains,
    registry: Registry,
    *,
    record: str = "",
    by_hand: bool = False,
) -> Asked:
    """Ask for a new model because of an incident, unless one was made of this cause and these rows.

    A person may ask again within `retrain.pause`, and where rows are broken.
    """
    live, root = registry.champion(incident.model), workspace.root
    if live is None or retrains.on(incident.model) or incident.area == "service":
        return Asked()
    broken = [] if by_hand else _broken(incident)
    if broken:
        reason = f"the rows are broken ({', '.join(broken)}): what feeds them is to be mended first"
        return Asked(f"{NOT_ASKED}: {reason}", lasting=True)
    if not by_hand and _paused(retrains, incident.model, section.pause):
        return Asked()
    newest = rows.newest_label(root, incident.model)
    if not newest or newest < incident.since:
        return Asked(f"{NOT_ASKED}: no row since it began has a label yet", lasting=True)
    if any((r.cause, r.labels) == (incident.cause, newest) for r in retrains.of(incident.model)):
        return Asked()
    if rows.count_labelled(root, incident.model, section) < section.minimum:
        reason = f"fewer than {section.minimum:,} rows have a label yet"
        return Asked(f"{NOT_ASKED}: {reason}", lasting=True)
    name = digest([incident.model, incident.cause, newest])[:10]
    workspace.context().append(
        ASKED,
        incident.model,
        agency="user" if by_hand else "default",
        parents=(record,) if record else (),
        retrain=name,
        incident=incident.id,
        cause=incident.cause,
        labels=newest,
        version=live,
        section=msgspec.to_builtins(section),
        record=record,
    )
    waits = ": a person has to agree first" if section.approval == "train" else ""
    return Asked(f"retraining {name} asked for{waits}", asked=True)


def go_on(workspace: Workspace, model: str, retrains: Retrains) -> Iterator[str]:
    """Start a process that carries on what is due, unless one does already."""
    retrain, ours = retrains.on(model), _started.get((workspace.root, model))
    if retrain is None or not retrain.due or (ours is not None and ours.poll() is None):
        return
    key = (workspace.root, retrain.id, retrain.attempts)
    if time.monotonic() - _last.get(key, -SPELL) < SPELL:
        return
    free = workspace.hold(_lock(model))
    if free is None:
        return
    free()
    folder = _folder(workspace, retrain)
    words = [sys.executable, "-m", "assay.cli.main", "incidents", "retrain", retrain.incident]
    words += ["--store", str(workspace.root)]
    with explained(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / "log.txt").open("ab") as said:
            process = subprocess.Popen(  # noqa: S603 (our own interpreter and module)
                words, stdin=subprocess.DEVNULL, stdout=said, stderr=said, start_new_session=True
            )
    _started[workspace.root, model], _last[key] = process, time.monotonic()
    yield f"retraining {retrain.id} goes on in process {process.pid}"


def join(workspace: Workspace, model: str) -> None:
    """Wait until no retraining of a model is going on in any process."""
    ours = _started.get((workspace.root, model))
    if ours is not None:
        ours.wait()
    with workspace.lock(_lock(model), lambda _: None):
        pass


def carry(workspace: Workspace, incident: Incident, notify: Notify = lambda _: None) -> Retrain:
    """Carry the retraining of an incident as far as it goes by itself, and return how it stands.

    Raises:
        UsageError: INCIDENT-NO-RETRAIN where none was asked for.
    """
    context = workspace.context()
    context.notify = notify
    free = workspace.hold(_lock(incident.model))
    if free is None:
        return _of(workspace, incident)
    try:
        retrain = _of(workspace, incident)
        if retrain.due and retrain.state in ("asked", "training"):
            _train(workspace, context, retrain)
            retrain = _of(workspace, incident)
        if retrain.due and retrain.state == "judged":
            hand_over(workspace, context, incident, retrain)
    finally:
        free()
    return _of(workspace, incident)


def approve(workspace: Workspace, incident: Incident) -> Retrain:
    """Agree to what a retraining waits for; raises UsageError where it waits for nobody."""
    retrain = _waiting(workspace, incident)
    workspace.context().append(
        APPROVED, incident.model, agency="user", retrain=retrain.id, incident=incident.id,
        stage=retrain.waits,
    )  # fmt: skip
    return _of(workspace, incident)


def refuse(workspace: Workspace, incident: Incident, reason: str) -> Retrain:
    """End a retraining that waits for a person; raises UsageError where it waits for nobody."""
    retrain = _waiting(workspace, incident)
    refused(workspace.context(), retrain, retrain.waits, reason, by_hand=True)
    return _of(workspace, incident)


def _train(workspace: Workspace, context: Context, retrain: Retrain) -> None:
    """Make the new model and write how it was judged; what is in the way refuses it."""
    if retrain.attempts >= ATTEMPTS:
        refused(context, retrain, "train", f"it did not come to an end {ATTEMPTS} times")
        return
    context.append(
        STARTED, retrain.model, retrain=retrain.id, incident=retrain.incident,
        attempt=retrain.attempts + 1,
    )  # fmt: skip
    try:
        live = Live.open(workspace, list(workspace.ledger.read()), retrain.model)
        context.project = live.folder
        prepared = _prepared(workspace, context, retrain, live)
        result = run_again(prepared, workspace, context)
    except AssayError as error:
        refused(context, retrain, "train", error.message, code=error.code, evidence=error.got)
        return
    finally:
        context.run = ""
    found = judged(result, live.reference, of_key(retrain.cause).kind == "degraded")
    unchecked = _unchecked(_folder(workspace, retrain))
    said = {"run": result.run, "against": live.reference, "unchecked": unchecked, **found.numbers}
    if found.good and result.view.version is not None:
        context.append(
            JUDGED, retrain.model, retrain=retrain.id, incident=retrain.incident,
            version=result.view.version.version, reason=found.reason + _in_words(unchecked),
            approval=retrain.section.approval, **said,
        )  # fmt: skip
    else:
        refused(context, retrain, "judge", found.reason, **said)


def _prepared(workspace: Workspace, context: Context, retrain: Retrain, live: Live) -> Prepared:
    """Return the run of the project on fresh rows, under the criteria of the live version."""
    live.require_code()
    folder, section, seal = _folder(workspace, retrain), retrain.section, live.view.seal
    if not (folder / rows.TRAIN).exists():  # written last, so that all is there when it is
        _write(folder, section, retrain.labels, live)
    data = rows.section_of(live.view.project.data, live.view.snapshot, folder)
    prepared = prepare_spec(_spec(live, data), live.folder, context)
    differ = differences(seal, prepared.seal)
    if differ:
        raise Refused(
            "RETRAIN-SEAL",
            f"on the fresh rows the criteria would not be the sealed ones: {', '.join(differ)}",
            got=differ,
            hint="assay run judges a model under other criteria",
        )
    return replace(prepared, seal=msgspec.structs.replace(prepared.seal, split=seal.split))


def _write(folder: Path, section: RetrainSection, labels: str, live: Live) -> None:
    """Gather fresh rows, check their labels, and write the tables."""
    view, store, root = live.view, live.workspace.store, live.workspace.root
    name, policy = live.version.name, view.seal.split
    hidden, unchecked = watching_in(str(live.folder)).hidden, 1.0
    found = rows.gather(root, name, live.signature, view.snapshot, store, section, labels, hidden)
    if section.labels == "check":
        unchecked = guard.require_sound(live, found)
    learn, judge = found.parted(section.judge)
    count = 0 if view.snapshot.raw else round(section.replay * len(live.train))
    count = rows.room_for_replay(policy, section, len(found), count)
    replay = rows.replayed(live.old, live.train, found, policy, count)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / LABELS).write_bytes(msgspec.json.encode(unchecked))
    rows.write(folder, learn, judge, replay, policy, section.half_life)


def _unchecked(folder: Path) -> float:
    """Return the share of the fresh rows whose labels had little to be compared with."""
    return msgspec.json.decode((folder / LABELS).read_bytes(), type=float)


def _in_words(unchecked: float) -> str:
    if unchecked == 1.0:
        return "; labels were trusted"
    if not unchecked:
        return ""
    return (
        f"; {unchecked:.1%} of the fresh rows are of a kind that training did not have: bursts and "
        "copies were looked for among their labels, and nothing else"
    )


def _spec(live: Live, data: DataSection) -> ProjectSpec:
    """Return the project as it was when the live version was made, on other rows.

    What a file left open is as it was decided then. The choice of the rows is the tool's.
    """
    spec, problem = live.view.project, live.view.problem
    ours: dict[str, Any] = {
        f"data.{key}": getattr(data, key) for key in ("source", "test", "sql", "connection")
    } | {"data.drop": list(data.drop)}
    return msgspec.structs.replace(
        spec,
        project=msgspec.structs.replace(spec.project, task=problem.task),
        data=msgspec.structs.replace(data, positive=problem.positive),
        metric=msgspec.structs.replace(spec.metric, primary=problem.primary),
        choices=tuple(
            Choice(path=c.path, value=ours[c.path], agency="default") if c.path in ours else c
            for c in spec.choices
        ),
    )


def differences(sealed: Seal, other: Seal) -> list[str]:
    """Return the criteria in which two seals differ; the data, and folds, are none."""
    plain = [
        msgspec.structs.replace(
            seal, data="", split=msgspec.structs.replace(seal.split, folds=sealed.split.folds)
        )
        for seal in (sealed, other)
    ]
    return [
        name for name in Seal.__struct_fields__ if len({str(getattr(s, name)) for s in plain}) > 1
    ]


def _of(workspace: Workspace, incident: Incident) -> Retrain:
    found = Retrains(workspace.ledger.read()).of_incident(incident.id)
    if found is None:
        raise UsageError(
            "INCIDENT-NO-RETRAIN",
            "this incident asked for no new model",
            got=incident.id,
            hint=f"assay incidents retrain {incident.id}",
        )
    return found


def _waiting(workspace: Workspace, incident: Incident) -> Retrain:
    retrain = _of(workspace, incident)
    if not retrain.waits:
        raise UsageError(
            "INCIDENT-NOT-WAITING",
            f"the retraining of this incident waits for nobody: it is {retrain.state}",
            got=incident.id,
            hint=f"assay incidents show {incident.id}",
        )
    return retrain


def _broken(incident: Incident) -> list[str]:
    found = [of_key(key) for key in incident.symptoms]
    named = [s.key.removeprefix("quality:") for s in found if s.kind == "quality"]
    return [name for name in named if name.partition(":")[0] not in LEARNABLE]


def _paused(retrains: Retrains, model: str, pause: float) -> bool:
    last = [r.started_at or r.asked_at for r in retrains.of(model)]
    now = datetime.now(UTC).isoformat(timespec="microseconds")
    return bool(last) and (between(max(last), now) or 0.0) < pause


def _folder(workspace: Workspace, retrain: Retrain) -> Path:
    return workspace.root / FOLDER / quote(retrain.model, safe="") / retrain.id


def _lock(model: str) -> str:
    return f"retrain-{model}"
