"""Where a drill takes place: a store with the versions it needs, a server on it, and its load."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from assay.lifecycle.drills.diary import Diary
from assay.lifecycle.load_testing.measure import Say
from assay.lifecycle.load_testing.questions import Checker, Questions, Right
from assay.lifecycle.load_testing.served import Served, served
from assay.loadgen.fired import LATE, Fired, Floats
from assay.loadgen.open_loop import fire_at, schedule
from assay.records.event import Event
from assay.records.spec import ServeSection
from assay.stores.workspace import Workspace

CONNECTIONS = 32


@dataclass(frozen=True)
class Seen:
    """An answer: when it came, by `time.perf_counter`, the version it names, and its id."""

    at: float
    model: str
    request: str


@dataclass
class Scene:
    """What a drill has: a store, a model in it, what is asked and what is right.

    `good` is the version that is live before anything happens, `other` the one that comes in
    between, 0 in a drill that has one. `ask` makes requests of so many rows each, with the right
    answers by version. With `url` a server that runs already is used, else `server` starts one.
    """

    workspace: Workspace
    folder: Path
    name: str
    good: int
    other: int
    serve: ServeSection
    ask: Callable[[int], tuple[Questions, dict[str, Right]]]
    rps: float
    seconds: float
    say: Say
    url: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    diary: Diary = field(default_factory=Diary)

    def __post_init__(self) -> None:
        self._first = sum(1 for _ in self.workspace.ledger.read())
        self.of_rows(1)

    def of_rows(self, per: int) -> None:
        """Put so many rows into each request from now on, and forget what was answered so far."""
        self.asked, right = self.ask(per)
        self.seen: list[Seen] = []
        self.checker = Checker(right, told=self._told)

    @contextmanager
    def server(self, *more: str) -> Iterator[Served]:
        """Run a server for the model until the block ends."""
        self.say(f"starting a server for {self.name}")
        with served([self.name], self.workspace.root, *more, folder=self.folder) as server:
            self.url = server.url
            yield server

    @property
    def target(self) -> str:
        """Return the address that answers rows."""
        return f"{self.url.rstrip('/')}/models/{self.name}/predict"

    async def load(
        self,
        script: Callable[[], Awaitable[None]] | None = None,
        due: Floats | None = None,
        connections: int = CONNECTIONS,
    ) -> Fired:
        """Ask for as long as is planned, while a script runs; raises what the script raises."""
        due = schedule(self.rps, self.seconds) if due is None else due
        self.say(f"{len(due):,} requests in {due[-1]:.0f} s")
        firing = asyncio.create_task(
            fire_at(
                self.target, self.asked.body, due, connections, self.headers,
                on_answer=self.checker,
            )
        )  # fmt: skip
        try:
            if script is not None:
                await script()
            fired = await firing
        finally:
            firing.cancel()
        if fired.late > LATE:
            busy = f"this machine was busy: requests left late by {1e3 * fired.late:.0f} ms (p99)"
            self.diary.note(busy)
        return fired

    def events(self) -> list[Event]:
        """Return what the ledger got since the scene was set."""
        return list(self.workspace.ledger.read(self._first))

    def times(self, version: int, since: float = 0.0) -> list[float]:
        """Return when a version answered, after the time `since`."""
        name = f"{self.name}@{version}"
        return [seen.at for seen in self.seen if seen.at > since and seen.model == name]

    def first(self, version: int, text: str) -> float | None:
        """Note the first answer of a version after the fault, in seconds; None without one."""
        return self._noted(self.times(version, self.diary.zero)[:1], text)

    def last(self, version: int, text: str) -> float | None:
        """Note the last answer of a version after the fault, in seconds; None without one."""
        return self._noted(self.times(version, self.diary.zero)[-1:], text)

    def _noted(self, at: list[float], text: str) -> float | None:
        return self.diary.since(self.diary.note(text, at[0])) if at else None

    def _told(self, model: str, request: str) -> None:
        self.seen.append(Seen(time.perf_counter(), model, request))


async def until(found: Callable[[], bool], seconds: float) -> bool:
    """Wait until something is so, at most so long; return whether it is."""
    end = time.perf_counter() + seconds
    while not found():
        if time.perf_counter() > end:
            return False
        await asyncio.sleep(0.02)
    return True


def phases(*parts: tuple[float, float]) -> Floats:
    """Return when requests are due at one rate after another: pairs of rate and seconds."""
    start, due = 0.0, []
    for rps, seconds in parts:
        due.append(start + schedule(rps, seconds))
        start += seconds
    return np.concatenate(due)
