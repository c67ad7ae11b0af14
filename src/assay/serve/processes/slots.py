"""Which place on the board each version has, for as long as it is served and room allows."""

from __future__ import annotations

from collections.abc import Iterable

from assay.errors import UsageError
from assay.serve.processes.board import Board
from assay.serve.processes.control import Service, Version


class Slots:
    """Gives out the slots of a board; a version that comes back counts on where it left off."""

    def __init__(self, board: Board) -> None:
        self._board = board
        self.taken: dict[tuple[str, int], int] = {}
        """Model and version → slot, the longest unused first."""

    def of(self, services: Iterable[Service]) -> tuple[Version, ...]:
        """Return what must be loaded for these services, each once, in a slot of its own.

        Raises UsageError where there are more versions than slots.
        """
        wanted: dict[tuple[str, int], Service] = {}
        for service in services:
            deployment = service.deployment
            for arm in deployment.arms:
                wanted[deployment.model, arm.version] = service
            if deployment.fallback:
                name, _, version = deployment.fallback.partition("@")
                wanted.setdefault((name, int(version)), service)
        return tuple(
            Version(model, version, self._slot((model, version), wanted), service.section)
            for (model, version), service in wanted.items()
        )

    def _slot(self, version: tuple[str, int], wanted: Iterable[tuple[str, int]]) -> int:
        slot = self.taken.pop(version, None)
        if slot is None and len(self.taken) < self._board.slots:
            slot = len(self.taken)
        if slot is None:
            unused = next((known for known in self.taken if known not in wanted), None)
            if unused is None:
                raise UsageError(
                    "SERVE-TOO-MANY",
                    f"one server answers with at most {self._board.slots} versions",
                    hint="start another server for some of the models",
                )
            slot = self.taken.pop(unused)
            self._board.clear(slot)
        self.taken[version] = slot
        return slot
