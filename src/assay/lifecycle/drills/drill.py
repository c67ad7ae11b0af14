"""Run a drill: set the scene, put the fault in, keep the record, and write the postmortem."""

from __future__ import annotations

import sys
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import msgspec
import uvloop

from assay.errors import UsageError
from assay.kernel.store import put_record
from assay.lifecycle.drills.bad_model import bad_model
from assay.lifecycle.drills.disk_full import disk_full
from assay.lifecycle.drills.kill_worker import kill_worker
from assay.lifecycle.drills.outcome import Outcome
from assay.lifecycle.drills.overload import overload
from assay.lifecycle.drills.rollback import rollback
from assay.lifecycle.drills.scene import Scene
from assay.lifecycle.drills.spoil import add_twin, add_wrong
from assay.lifecycle.load_testing.measure import Say
from assay.lifecycle.load_testing.questions import Questions, Right, questions, right_answers
from assay.lifecycle.load_testing.scratch import scratch
from assay.lifecycle.predict import load
from assay.lifecycle.serving.settings import settings_of
from assay.records.deployment import Drill, Fault
from assay.records.package import ModelVersion
from assay.registry.fold import Registry, fold
from assay.report.postmortem import Postmortem, markdown_postmortem, render_postmortem
from assay.stores.faults import explained
from assay.stores.workspace import Workspace, find_workspace

DONE = "drill.done"


@dataclass(frozen=True)
class Kind:
    """A drill: what runs it, its load by default, and which second version it needs."""

    run: Callable[[Scene], Coroutine[Any, Any, Outcome]]
    seconds: float
    rps: float
    other: Literal["", "any", "wrong"] = ""


KINDS: Mapping[Fault, Kind] = {
    "rollback": Kind(rollback, 8.0, 300.0, "any"),
    "bad-model": Kind(bad_model, 20.0, 500.0, "wrong"),
    "kill-worker": Kind(kill_worker, 6.0, 300.0),
    "overload": Kind(overload, 8.0, 0.0),
    "disk-full": Kind(disk_full, 10.0, 300.0),
}


@dataclass(frozen=True)
class DrillResult:
    """The record of a drill, its digest, and where its postmortem lies."""

    record: Drill
    digest: str
    page: Path

    @property
    def exit_code(self) -> int:
        """Return 0 when every rule held, else 3."""
        return 0 if self.record.passed else 3

    def to_dict(self) -> dict[str, Any]:
        """Return the `data` of the JSON envelope."""
        found: dict[str, Any] = msgspec.to_builtins(self.record)
        del found["record"]
        return {**found, "record": self.digest, "report": str(self.page)}


def drill(
    kind: Fault,
    reference: str,
    *,
    seconds: float | None = None,
    rps: float | None = None,
    url: str = "",
    token: str = "",
    store: str | Path | None = None,
    say: Say = lambda _: None,
) -> DrillResult:
    """Put a fault into a server under load; by default one of its own on a copy of the store.

    Raises:
        UsageError: DRILL-URL for a drill that changes more than the load; DRILL-SYSTEM where the
            system has no way to inject the fault; SERVER-NOT-READY; no such model.
    """
    _check(kind, url)
    workspace = find_workspace(store)
    registry = fold(workspace.ledger.read())
    good, found = registry.resolve(reference), KINDS[kind]
    section, _ = settings_of(workspace.ledger.read(), good)
    other = _other(registry, good) if found.other == "any" else None
    with scratch(workspace, good, other) as (copy, folder):
        second = _second(found, copy, good, other)
        scene = Scene(
            workspace=copy,
            folder=folder,
            name=good.name,
            good=good.version,
            other=second.version if second else 0,
            serve=section,
            ask=_asker(workspace, good, copy, second, same=other is None),
            rps=rps or found.rps,
            seconds=seconds or found.seconds,
            say=say,
            url=url,
            headers={"authorization": f"Bearer {token}"} if token else {},
        )
        outcome = uvloop.run(found.run(scene))
        scene.diary.take(scene.events())
    return _keep(workspace, kind, good, outcome, scene)


def _check(kind: Fault, url: str) -> None:
    if url and kind != "overload":
        raise UsageError(
            "DRILL-URL",
            "this drill changes the registry or the processes of its server, so it starts its own",
            where="--url",
            got=kind,
            allowed=["overload"],
        )
    if kind in ("kill-worker", "disk-full") and sys.platform != "linux":
        raise UsageError(
            "DRILL-SYSTEM",
            "this drill needs /proc and limits of other processes, which only Linux has",
            got=sys.platform,
            allowed=["linux"],
        )


def _other(registry: Registry, good: ModelVersion) -> ModelVersion | None:
    """Return the newest other version of the model."""
    others = [v for v in registry.versions[good.name] if v.version != good.version]
    return others[-1] if others else None


def _second(
    kind: Kind, copy: Workspace, good: ModelVersion, other: ModelVersion | None
) -> ModelVersion | None:
    if kind.other == "any":
        return other or add_twin(copy, good)
    return add_wrong(copy, good) if kind.other == "wrong" else None


def _asker(
    workspace: Workspace,
    good: ModelVersion,
    copy: Workspace,
    second: ModelVersion | None,
    *,
    same: bool,
) -> Callable[[int], tuple[Questions, dict[str, Right]]]:
    """Return what makes requests, with the right answers of each version.

    Those of a second version that is the `same` as `good`, or should be, are the answers of `good`.
    """
    model = load(f"{good.name}@{good.version}", store=workspace.root)
    versions = {model.reference: (good, model)}
    if second is not None:
        name = f"{second.name}@{second.version}"
        versions[name] = (second, model if same else load(name, store=copy.root))

    def ask(per: int) -> tuple[Questions, dict[str, Right]]:
        asked = questions(workspace, versions, per)
        return asked, {name: right_answers(model, asked) for name, (_, model) in versions.items()}

    return ask


def _keep(
    workspace: Workspace, kind: Fault, good: ModelVersion, outcome: Outcome, scene: Scene
) -> DrillResult:
    record = Drill(
        kind=kind,
        model=f"{good.name}@{good.version}",
        detect_s=outcome.detect_s,
        recover_s=outcome.recover_s,
        failed=outcome.failed,
        wrong=outcome.wrong,
        requests=outcome.requests,
        passed=outcome.passed,
        checks=outcome.checks,
        timeline=scene.diary.lines(),
    )
    digest = put_record(workspace.store, record)
    context = workspace.context()
    event = context.append(
        DONE, good.name, parents=(good.package, digest), drill=kind, version=good.version,
        record=digest, passed=record.passed,
    )  # fmt: skip
    found = Postmortem(record, digest, event.at, event.actor)
    page = workspace.folder("reports") / f"drill-{kind}-{digest[:8]}.html"
    with explained(page):
        page.write_text(render_postmortem(found), encoding="utf-8")
        page.with_suffix(".md").write_text(markdown_postmortem(found), encoding="utf-8")
    return DrillResult(record, digest, page)
