"""From one lineup to the next: every worker prepares it, then every worker swaps, or none does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from assay.serve.processes.control import Lineup, Prepare, Problem, Service, Swap, Version

Order = Prepare | Swap


@dataclass
class Standing:
    """How far one worker is: the numbers of lineups, -1 before the first.

    It was `told` to prepare one, is `ready` with one, was told to swap in one, and answers with
    the one that it `has`. `problem` is why it cannot prepare the one that it was told to, and
    `version` what it could not load for it.
    """

    told: int = -1
    ready: int = -1
    swapping: int = -1
    has: int = -1
    problem: Problem | None = None
    version: Version | None = None


class Rollout:
    """Decides what each worker is told; a worker that is new or was away catches up by itself."""

    def __init__(self) -> None:
        self.current: Lineup | None = None
        """What every worker is to answer with."""
        self.next: Lineup | None = None
        """What is being prepared to take its place."""
        self._number = 0

    def begin(self, services: Sequence[Service], versions: tuple[Version, ...]) -> None:
        """Have these prepared; what was being prepared before is dropped."""
        self.next = Lineup(self._number, tuple(services), versions)
        self._number += 1

    def drop(self) -> None:
        """Call off what is being prepared: nobody swaps."""
        self.next = None

    def orders(self, standings: Mapping[int, Standing]) -> Iterator[tuple[int, Order]]:
        """Yield what to tell which worker now, given those that live."""
        if self.next is not None and standings and _all(standings, "ready", self.next):
            self.current, self.next = self.next, None
        target = self.next or self.current
        if target is None:
            return
        for worker, standing in standings.items():
            if standing.told != target.number:
                standing.told, standing.problem = target.number, None
                yield worker, Prepare(target)
            elif (
                target is self.current
                and standing.ready == target.number
                and target.number not in (standing.has, standing.swapping)
            ):
                standing.swapping = target.number
                yield worker, Swap(target.number)

    def done(self, standings: Mapping[int, Standing], workers: int) -> bool:
        """Return True when all workers live and answer with the current lineup."""
        return (
            self.next is None
            and self.current is not None
            and len(standings) == workers
            and _all(standings, "has", self.current)
        )


def _all(standings: Mapping[int, Standing], what: str, lineup: Lineup) -> bool:
    return all(getattr(each, what) == lineup.number for each in standings.values())
