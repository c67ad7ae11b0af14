"""The registry's verbs on a store: list, promote, roll back, and what was live when."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from assay.errors import UsageError
from assay.lifecycle.releasing.kept import require_kept
from assay.lifecycle.releasing.release import abort
from assay.lifecycle.releasing.releases import Releases, starting
from assay.lifecycle.result import plain
from assay.lifecycle.serving.live import spells
from assay.package.manifest import read_files
from assay.records.package import ModelVersion
from assay.registry import change
from assay.registry.fold import Registry, fold
from assay.stores.workspace import find_workspace

Where = str | Path | None


def models(store: Where = None) -> list[ModelVersion]:
    """Return every version of every model, the champions marked by their alias."""
    return fold(find_workspace(store).ledger.read()).listing()


def promote(reference: str, reason: str = "", *, store: Where = None) -> ModelVersion:
    """Make `NAME@VERSION` the champion, once its package is verified.

    Raises:
        Refused: its gates did not accept it, or it broke them under load, and no reason is given.
        Tampered: its package is not what it was built as.
    """
    workspace = find_workspace(store)
    events = list(workspace.ledger.read())
    version = fold(events).resolve(reference)
    require_kept(events, version, reason)
    read_files(workspace.root / "packages" / version.package)
    with workspace.lock(starting(version.name), lambda _: None):
        return change.promote(workspace.context(), reference, reason)


def rollback(
    name: str, reason: str = "", *, store: Where = None, by_hand: bool = True
) -> ModelVersion:
    """Make the version that was live before the champion again, once its package is verified.

    While a release is going on that is the one live beside it: the release is aborted. `by_hand`
    says that a person asks for it, and not a verdict.
    """
    workspace = find_workspace(store)
    events = list(workspace.ledger.read())
    registry = fold(events)
    if Releases(events).on(name) is not None:
        abort(name, reason, store=store, by_hand=by_hand)
        return registry.resolve(name)
    before = registry.previous(registry.resolve(_bare(name)).name)
    if before is not None:
        read_files(workspace.root / "packages" / registry.versions[name][before - 1].package)
    return change.rollback(workspace.context(), name, reason, by_hand=by_hand)


def history(name: str, at: str = "", *, store: Where = None) -> dict[str, Any]:
    """Return every move of a model's champion, and what servers answered with; `at`: what then.

    `at` is ISO 8601; without a time zone it is UTC. Raises UsageError for anything else.
    """
    workspace = find_workspace(store)
    events = list(workspace.ledger.read())
    registry = fold(events)
    if _bare(name) not in registry.versions:
        registry.resolve(name)
    answer: dict[str, Any] = {
        "name": name,
        "moves": [vars(move) for move in registry.moves.get(name, [])],
        "versions": [plain(version) for version in _versions(registry, name)],
    }
    served = spells(events, name, workspace.root)
    if at:
        moment = _utc(at)
        move, served = registry.live_at(name, moment), [s for s in served if s.covers(moment)]
        answer["at"] = at
        answer["live"] = vars(move) if move else None
    answer["served"] = [vars(spell) for spell in served]
    return answer


def _bare(name: str) -> str:
    """Return `name`; raises UsageError when it names a version too."""
    if "@" in name:
        raise UsageError(
            "MODEL-NAME",
            "this takes the name of a model, without a version",
            got=name,
            allowed=[name.partition("@")[0]],
            hint="`assay promote NAME@VERSION` makes the version of your choice the champion",
        )
    return name


def _versions(registry: Registry, name: str) -> list[ModelVersion]:
    return [version for version in registry.listing() if version.name == name]


def _utc(at: str) -> str:
    try:
        moment = datetime.fromisoformat(at)
        aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        utc = aware.astimezone(UTC).isoformat(timespec="microseconds")
    except (ValueError, OverflowError) as error:
        raise UsageError(
            "TIME-FORMAT",
            "this is no point in time",
            got=at,
            allowed=["2026-11-22", "2026-11-22T14:30", "2026-11-22T14:30:00+01:00"],
        ) from error
    return utc
