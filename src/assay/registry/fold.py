"""Names, versions and aliases, read off the ledger.

A version's number is its place among the registrations of its name, so two processes can
register at once; registering a package again gives the version it has.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from difflib import get_close_matches

import msgspec

from assay.errors import UsageError
from assay.records.event import Event
from assay.records.package import ModelVersion

CHAMPION = "champion"
REGISTERED = "model.registered"
MOVED = "alias.moved"


@dataclass(frozen=True)
class Move:
    """The champion alias going to a version: when, by whom, and why."""

    version: int
    at: str
    actor: str
    agency: str
    reason: str
    verdict: str


@dataclass
class Registry:
    """All models of a store: versions by name, and every move of each champion."""

    versions: dict[str, list[ModelVersion]] = field(default_factory=dict)
    moves: dict[str, list[Move]] = field(default_factory=dict)

    def take(self, event: Event) -> None:
        """Read one more event."""
        if event.kind == REGISTERED:
            _register(self, event)
        elif event.kind == MOVED:
            move = Move(
                version=event.data["version"],
                at=event.at,
                actor=event.actor,
                agency=event.agency,
                reason=event.data["reason"],
                verdict=event.data["verdict"],
            )
            self.moves.setdefault(event.subject, []).append(move)

    def champion(self, name: str) -> int | None:
        """Return the version that is live, None when none is."""
        moves = self.moves.get(name)
        return moves[-1].version if moves else None

    def listing(self) -> list[ModelVersion]:
        """Return every version, with its aliases filled in."""
        return [
            msgspec.structs.replace(v, aliases=(CHAMPION,) if v.version == live else ())
            for name, versions in sorted(self.versions.items())
            for live in (self.champion(name),)
            for v in versions
        ]

    def resolve(self, reference: str) -> ModelVersion:
        """Return the version that `NAME`, `NAME@champion` or `NAME@2` stands for.

        A bare name means the champion. Raises UsageError when there is no such thing.
        """
        name, _, wanted = reference.partition("@")
        versions = self.versions.get(name)
        if versions is None:
            close = get_close_matches(name, self.versions, n=1)
            raise UsageError(
                "MODEL-UNKNOWN",
                f"no model called {name}",
                got=name,
                allowed=sorted(self.versions),
                hint=f"did you mean {close[0]}?" if close else "`assay models` lists them",
            )
        if wanted in ("", CHAMPION):
            live = self.champion(name)
            if live is None:
                raise UsageError(
                    "MODEL-NO-CHAMPION",
                    f"{name} has no champion: no version was accepted or promoted yet",
                    got=reference,
                    allowed=[f"{name}@{v.version}" for v in versions],
                    hint=f'assay promote {name}@{versions[-1].version} --reason "…"',
                )
            wanted = str(live)
        number = int(wanted) if wanted.isdecimal() and len(wanted) < 10 else 0
        if not 1 <= number <= len(versions):
            raise UsageError(
                "MODEL-NO-VERSION",
                f"{name} has no version {wanted}",
                got=reference,
                allowed=[f"{name}@{v.version}" for v in versions],
            )
        return versions[number - 1]

    def live_at(self, name: str, at: str) -> Move | None:
        """Return the move that decided what was live at the time `at` (ISO 8601, UTC)."""
        if name not in self.versions:
            self.resolve(name)
        before = [move for move in self.moves.get(name, []) if move.at <= at]
        return before[-1] if before else None

    def previous(self, name: str) -> int | None:
        """Return the version that was live before the present one, going back past returns.

        A rollback is not undone by the next rollback: it goes one further back.
        """
        stack: list[int] = []
        for move in self.moves.get(name, []):
            if move.version in stack:
                del stack[stack.index(move.version) + 1 :]
            else:
                stack.append(move.version)
        return stack[-2] if len(stack) > 1 else None


def fold(events: Iterable[Event]) -> Registry:
    """Read the registry off the events of a ledger."""
    registry = Registry()
    for event in events:
        registry.take(event)
    return registry


def _register(registry: Registry, event: Event) -> None:
    versions = registry.versions.setdefault(event.subject, [])
    if any(v.package == event.data["package"] for v in versions):
        return
    versions.append(
        ModelVersion(
            name=event.subject,
            version=len(versions) + 1,
            package=event.data["package"],
            run=event.data["run"],
            verdict=event.data["verdict"],
            at=event.at,
        )
    )
