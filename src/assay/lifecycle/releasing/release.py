"""Release a version: start it, see how it stands, end it by hand, plan and report an A/B test."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from assay.errors import Refused, UsageError
from assay.kernel.stage import Context
from assay.lifecycle.releasing.deciding import read_kept
from assay.lifecycle.releasing.kept import require_kept
from assay.lifecycle.releasing.releases import (
    ABORTED,
    DECIDED,
    PROMOTED,
    STARTED,
    Release,
    Releases,
    acting,
    starting,
)
from assay.lifecycle.serving.live import spells
from assay.lifecycle.serving.settings import settings_of
from assay.package.manifest import read_files
from assay.records.deployment import Arm
from assay.records.event import Event
from assay.records.package import ModelVersion
from assay.records.spec import ReleaseSection
from assay.registry.change import follow
from assay.registry.fold import Registry, fold
from assay.release.ab import Size, end_alpha, size_for_means, size_for_rates
from assay.release.decide import stages
from assay.stores.workspace import find_workspace

Where = str | Path | None


@dataclass(frozen=True)
class Standing:
    """A release as it stands: what the ledger says, what was last looked at, who carries it out.

    `kept` has the numbers of the last look of the server that decides, or of the decision, or is
    empty. `servers` are the addresses of those that answer with this model now.
    """

    release: Release
    kept: dict[str, Any]
    servers: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        release, kept = self.release, self.kept
        return {
            "release": release.id,
            "model": release.model,
            "strategy": release.section.strategy,
            "state": release.state,
            "candidate": release.candidate.version,
            "control": release.control.version,
            "at": release.at,
            "stage": release.stage,
            "stages": [s.share for s in stages(release.section)],
            "arms": [msgspec.to_builtins(arm) for arm in release.arms()] if release.on else [],
            "requests": kept.get("requests", []),
            "reason": kept.get("reason", ""),
            "numbers": kept.get("numbers", []),
            "servers": list(self.servers),
        }


def start(
    reference: str,
    overrides: Sequence[str] = (),
    reason: str = "",
    *,
    store: Where = None,
    wait: Callable[[str], None] = lambda _: None,
    by_hand: bool = True,
) -> Standing:
    """Release `NAME@VERSION` as its project file and `overrides` (`release.KEY=VALUE`) say.

    It is written to the ledger, and carried out by the server that answers with the model. The
    strategy `direct` makes it the champion at once. `by_hand` says that a person asks for it, and
    not a retraining.

    Raises:
        Refused: its gates did not accept it, or it broke them under load, and no reason is given;
            or a release is on already.
        UsageError: no such version, no champion to compare with, or it is the champion already.
        Tampered: a package is not what it was built as.
    """
    workspace = find_workspace(store)
    name = reference.partition("@")[0]
    with workspace.lock(starting(name), wait):
        events = list(workspace.ledger.read())
        registry = fold(events)
        candidate, control = _versions(registry, reference, reason)
        _none_is_on(Releases(events), name)
        require_kept(events, candidate, reason)
        section = _section(events, candidate, overrides)
        for version in (candidate, control):
            read_files(workspace.root / "packages" / version.package)
        _begin(workspace.context(), candidate, control, section, reason.strip(), by_hand=by_hand)
    return status(name, store=store)


def status(name: str, *, store: Where = None) -> Standing:
    """Return how the last release of a model stands; raises UsageError where there was none."""
    workspace = find_workspace(store)
    events = list(workspace.ledger.read())
    release = last_release(events, name)
    kept = read_kept(workspace.root, release) if release.on else release.decided
    live = [spell for spell in spells(events, name, workspace.root) if not spell.until]
    return Standing(release, kept or {}, tuple(spell.url for spell in live))


def abort(name: str, reason: str = "", *, store: Where = None, by_hand: bool = True) -> Standing:
    """End the release that is on: the version that was live before has every request again.

    `by_hand` says that a person asks for it, and not a verdict. Raises UsageError where none is on.
    """
    workspace = find_workspace(store)
    with workspace.lock(acting(name), lambda _: None):
        release = last_release(workspace.ledger.read(), name)
        if not release.on:
            raise UsageError(
                "RELEASE-NONE-ON",
                f"no release of {name} is going on: the last one was {release.state}",
                got=name,
                hint=f"assay release {name}@VERSION",
            )
        context = workspace.context()
        who = context.actor if by_hand else "a verdict"
        why = f"aborted by {who}: {reason.strip() or 'no reason given'}"
        _decided(context, release, ABORTED, why, by_hand=by_hand)
    return status(name, store=store)


def plan(
    section: ReleaseSection, rate: float, effect: float, deviation: float | None, power: float
) -> Size:
    """Return how many numbers an A/B test needs to find `effect`, as its last step shares them.

    `rate` is live's share, or with `deviation` the metric is any number that deviates so much.
    Raises UsageError for what no test can find.
    """
    share, alpha = section.steps[-1], end_alpha(section)
    if deviation is None:
        return size_for_rates(rate, effect, share, alpha, power)
    return size_for_means(deviation, effect, share, alpha, power)


def section_of(reference: str, overrides: Sequence[str], *, store: Where = None) -> ReleaseSection:
    """Return what the project file of a version, and `overrides`, say of releasing it."""
    events = list(find_workspace(store).ledger.read())
    return _section(events, fold(events).resolve(reference), overrides)


def last_release(events: Iterable[Event], name: str) -> Release:
    """Return the last release of a model; raises UsageError where there was none."""
    found = Releases(events).last.get(name)
    if found is None:
        raise UsageError(
            "RELEASE-NONE",
            f"there was no release of {name}",
            got=name,
            hint=f"start one: assay release {name.partition('@')[0]}@VERSION",
        )
    return found


def _versions(registry: Registry, reference: str, reason: str) -> tuple[ModelVersion, ModelVersion]:
    """Return the version to release and the one that is live; raises what `start` does."""
    candidate = registry.resolve(reference)
    control = registry.resolve(candidate.name)
    if candidate.version == control.version:
        raise UsageError(
            "MODEL-ALREADY-CHAMPION",
            f"{candidate.name}@{candidate.version} is the champion already",
            got=reference,
            allowed=[f"{v.name}@{v.version}" for v in registry.versions[candidate.name]],
            hint="a [release] section in the project file makes accepted runs wait for a release; "
            "`assay rollback` goes back first",
        )
    if candidate.verdict != "accepted" and not reason.strip():
        raise Refused(
            "PROMOTE-REASON",
            f"{candidate.name}@{candidate.version} was {candidate.verdict} by its gates",
            got=reference,
            hint='take responsibility with --reason "…": it goes to the ledger under your name',
        )
    return candidate, control


def _none_is_on(releases: Releases, name: str) -> None:
    release = releases.on(name)
    if release is not None:
        raise Refused(
            "RELEASE-ON",
            f"a release of {name}@{release.candidate.version} is going on since {release.at[:19]}",
            got=name,
            hint=f'see it with `assay release {name}`, or end it: --abort --reason "…"',
        )


def _section(
    events: Sequence[Event], version: ModelVersion, overrides: Sequence[str]
) -> ReleaseSection:
    _, section = settings_of(events, version, overrides)
    if section.strategy == "ab" and section.metric is None:
        raise UsageError(
            "RELEASE-METRIC",
            "an A/B test decides by a number that comes as feedback, and none is named",
            where="release.metric",
            hint="--set release.metric=conversion",
        )
    return section


def _begin(
    context: Context,
    candidate: ModelVersion,
    control: ModelVersion,
    section: ReleaseSection,
    reason: str,
    *,
    by_hand: bool,
) -> None:
    arms = {
        role: msgspec.to_builtins(Arm(version=v.version, package=v.package))
        for role, v in (("candidate", candidate), ("control", control))
    }
    event = context.append(
        STARTED,
        candidate.name,
        agency="user" if by_hand else "default",
        parents=(candidate.package, control.package),
        release=secrets.token_hex(6),
        salt=secrets.token_hex(8),
        section=msgspec.to_builtins(section),
        reason=reason,
        **arms,
    )
    if not stages(section):
        release = Releases([event]).last[candidate.name]
        why = "exchanged at once, as the strategy direct asks"
        follow(context, f"{candidate.name}@{candidate.version}", f"release {release.id}: {why}")
        _decided(context, release, PROMOTED, why)


def _decided(
    context: Context, release: Release, state: str, why: str, *, by_hand: bool = False
) -> None:
    context.append(
        DECIDED,
        release.model,
        agency="user" if by_hand else "default",
        release=release.id,
        decision=state,
        reason=why,
        numbers=[],
    )
