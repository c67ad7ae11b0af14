"""Register a package, and move the champion alias: by a verdict, or by a person with a reason."""

from __future__ import annotations

from assay.errors import Refused, UsageError
from assay.kernel.stage import Context
from assay.records.package import ModelVersion, Package
from assay.registry.fold import CHAMPION, MOVED, REGISTERED, Registry, fold


def register(
    context: Context, package: Package, verdict: str, *, by_release: bool = False
) -> ModelVersion:
    """Give the package a version under its name; once registered it keeps that version.

    An accepted verdict makes it the champion; `by_release` only where there is none yet, else a
    release is to decide.
    """
    registry = fold(context.ledger.read())
    if not _has(registry, package):
        context.append(
            REGISTERED,
            package.name,
            package=package.digest,
            run=context.run,
            verdict=verdict,
            parents=(package.digest,),
        )
        registry = fold(context.ledger.read())
    version = next(v for v in registry.versions[package.name] if v.package == package.digest)
    been_live = any(
        move.version == version.version for move in registry.moves.get(package.name, [])
    )
    waits = by_release and registry.champion(package.name) is not None
    # one that has been live would undo what a person decided since
    if verdict == "accepted" and not been_live and not waits:
        _move(context, version, f"run {context.run} was accepted by its gates", "accepted")
        registry = fold(context.ledger.read())
    return next(
        v for v in registry.listing() if v.name == package.name and v.package == package.digest
    )


def promote(context: Context, reference: str, reason: str) -> ModelVersion:
    """Make a version the champion, in the name of the person who asks.

    Raises:
        Refused: the version was not accepted by its gates and no reason is given.
        UsageError: no such version, or it is the champion already.
    """
    registry = fold(context.ledger.read())
    version = registry.resolve(reference)
    if registry.champion(version.name) == version.version:
        raise UsageError(
            "MODEL-ALREADY-CHAMPION",
            f"{version.name}@{version.version} is the champion already",
            got=reference,
        )
    if version.verdict != "accepted" and not reason.strip():
        raise Refused(
            "PROMOTE-REASON",
            f"{version.name}@{version.version} was {version.verdict} by its gates",
            got=reference,
            hint='take responsibility with --reason "…": it goes to the ledger under your name',
        )
    _move(
        context, version, reason.strip() or "accepted by its gates", version.verdict, by_hand=True
    )
    return fold(context.ledger.read()).resolve(version.name)


def follow(context: Context, reference: str, reason: str) -> None:
    """Make a version the champion because a release was decided so, not a person."""
    version = fold(context.ledger.read()).resolve(reference)
    _move(context, version, reason, version.verdict)


def rollback(context: Context, name: str, reason: str, *, by_hand: bool = True) -> ModelVersion:
    """Make the version that was live before the champion again; `by_hand` where a person asks.

    Raises:
        UsageError: no such model, or nothing was live before.
    """
    registry = fold(context.ledger.read())
    current = registry.resolve(name)
    before = registry.previous(current.name)
    if before is None:
        raise UsageError(
            "ROLLBACK-NOTHING",
            f"there is nothing before version {current.version} of {current.name} to go back to",
            got=name,
            hint=f"`assay promote {current.name}@VERSION --reason …` makes any version live; "
            f"`assay history {current.name}` shows what was live when",
        )
    version = registry.versions[current.name][before - 1]
    why = reason.strip() or f"rolled back from version {current.version}"
    _move(context, version, why, version.verdict, by_hand=by_hand)
    return fold(context.ledger.read()).resolve(current.name)


def _has(registry: Registry, package: Package) -> bool:
    return any(v.package == package.digest for v in registry.versions.get(package.name, []))


def _move(
    context: Context, version: ModelVersion, reason: str, verdict: str, *, by_hand: bool = False
) -> None:
    context.append(
        MOVED,
        version.name,
        agency="user" if by_hand else "default",
        alias=CHAMPION,
        version=version.version,
        reason=reason,
        verdict=verdict,
        parents=(version.package,),
    )
