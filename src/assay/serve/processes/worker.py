"""A worker: one process, one event loop, one socket; its parent decides what it answers with."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import uvloop

from assay.errors import AssayError
from assay.kernel.loader import load
from assay.serve.access import Tokens
from assay.serve.app import App
from assay.serve.http.limits import Limits
from assay.serve.http.listen import Listener, listen
from assay.serve.http.message import Route
from assay.serve.http.tls import context, renew
from assay.serve.lane import Lane
from assay.serve.log.writer import PredictionLog, on_loop
from assay.serve.models import Lanes, Models, check_fallback
from assay.serve.processes.board import Board
from assay.serve.processes.control import (
    Asked,
    Channel,
    Drain,
    Lineup,
    Ping,
    Pong,
    Prepare,
    Prepared,
    Problem,
    Refresh,
    Settled,
    Swap,
    Swapped,
    ToWorker,
    Version,
)
from assay.serve.say import say
from assay.serve.servable import Loader
from assay.serve.state import State
from assay.serve.tracing.route import Traced, Tracing

LOOK = 1.0
"""Seconds between two looks at what a gauge shows."""

_STATM = Path("/proc/self/statm")

ALONE = 2.0
"""Seconds to finish what has begun once the parent is gone."""


@dataclass(frozen=True)
class Equipment:
    """What every worker is given before the fork.

    `log` is the folder of the prediction logs, None
    where nothing is written; `tls` are the files of certificate and key; `trace` says where spans
    of requests go, if anywhere.
    """

    load: Loader
    board: Board
    limits: Limits
    tokens: Tokens
    tls: tuple[Path, Path] | None = None
    log: Path | None = None
    trace: Tracing | None = None


def work(
    kit: Equipment, place: int, listening: socket.socket, end: socket.socket, first: bool
) -> None:
    """Be the worker at `place` until told to end, or until the parent is gone; never returns."""
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # a terminal tells all; the parent decides
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    code = 1
    try:
        uvloop.run(_run(kit, place, listening, Channel(end, parent=False), first=first))
        code = 0
    except AssayError as error:
        say(f"worker {place}: {error}")
    except Exception:  # noqa: BLE001 (nobody above would tell)
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


async def _run(
    kit: Equipment, place: int, listening: socket.socket, channel: Channel, *, first: bool
) -> None:
    await Worker(kit, place, listening, channel).run(first=first)


class _NotLoaded(Exception):
    """This version cannot be loaded; the cause says why."""

    def __init__(self, version: Version) -> None:
        super().__init__(version)
        self.version = version


class Worker:
    """Does what the parent says, and answers requests in between."""

    def __init__(
        self, kit: Equipment, place: int, listening: socket.socket, channel: Channel
    ) -> None:
        self._kit, self._place, self._listening, self._channel = kit, place, listening, channel
        self._tally = kit.board.tally(place)
        self._tally.add("starts", 1)
        self._log = PredictionLog(kit.log, place, on_loop) if kit.log else None
        self._tls = context(*kit.tls) if kit.tls else None
        self.state = State(
            models=Models(),
            tally=self._tally,
            access=kit.tokens.access(),
            log=self._log,
            worker=place,
            ready=False,
            board=kit.board,
            ask=self._ask,
        )
        self._lanes: Lanes = {}
        self._next: tuple[Lineup, Lanes] | None = None
        self._has = -1
        self._loading = ThreadPoolExecutor(1, thread_name_prefix="load")
        self._asked: dict[int, Callable[[AssayError | None], None]] = {}
        self._numbers = count()
        self._tasks: set[asyncio.Future[None]] = set()
        self._listener: Listener | None = None
        self._end: asyncio.Future[float] | None = None

    async def run(self, *, first: bool) -> None:
        """Work until the parent says to drain; the first in a place says at once that it lives.

        A later one lets its callers wait the moment until it has its models.
        """
        loop = asyncio.get_running_loop()
        self._end = loop.create_future()
        self._app: Route = App(self.state)
        exporter = None
        if self._kit.trace is not None:
            exporter = load("assay.serve.tracing.export:Exporter")(self._kit.trace.url, self._place)
            self._app = Traced(self._app, exporter, self._kit.trace.share)
        if first:
            await self._listen()
        loop.add_signal_handler(signal.SIGTERM, self._finish, ALONE)
        loop.add_reader(self._channel.end, self._hear)
        self._look()
        seconds = await self._end
        loop.remove_reader(self._channel.end)
        self.state.ready = False
        if self._listener is not None:
            await self._listener.drain(seconds)
        if self._log is not None:
            self._log.close()
        if exporter is not None:
            exporter.close()

    async def _listen(self) -> None:
        if self._listener is None:
            kit = self._kit
            self._listener = await listen(self._app, self._listening, kit.limits, ssl=self._tls)

    def _finish(self, seconds: float) -> None:
        if self._end is not None and not self._end.done():
            self._end.set_result(seconds)

    def _hear(self) -> None:
        for message in self._channel.receive():
            self._obey(message)
        if self._channel.closed:
            self._finish(ALONE)

    def _obey(self, message: ToWorker) -> None:
        match message:
            case Prepare(lineup):
                self._start(self._prepare(lineup))
            case Swap(number):
                self._start(self._swap(number))
            case Ping():
                self._channel.send(Pong())
            case Refresh():
                self._refresh()
            case Drain(seconds):
                self._finish(seconds)
            case Settled(number, problem):
                settle = self._asked.pop(number, None)
                if settle is not None:
                    settle(problem.raised() if problem else None)

    def _start(self, task: Coroutine[None, None, None]) -> None:
        started = asyncio.ensure_future(task)
        self._tasks.add(started)  # the loop alone would let it be collected
        started.add_done_callback(self._done)

    def _done(self, task: asyncio.Future[None]) -> None:
        """End the worker where something went wrong that is no request's fault."""
        self._tasks.discard(task)
        error = task.exception()
        if error is not None and self._end is not None and not self._end.done():
            self._end.set_exception(error)

    async def _prepare(self, lineup: Lineup) -> None:
        """Load on a thread what is not loaded yet, while requests go on."""
        loop = asyncio.get_running_loop()
        try:
            lanes = await loop.run_in_executor(self._loading, self._load, lineup)
        except _NotLoaded as error:
            problem = Problem.of(error.__cause__ or error)
            said = Prepared(lineup.number, error.version, problem)
        else:
            # what is there already comes again when another was called off: that one goes
            self._next = None if lineup.number == self._has else (lineup, lanes)
            said = Prepared(lineup.number)
        self._channel.send(said)

    def _load(self, lineup: Lineup) -> Lanes:
        lanes = {}
        for wanted in lineup.versions:
            version = wanted.model, wanted.version
            try:
                lanes[version] = self._lane(wanted)
            except Exception as error:
                raise _NotLoaded(wanted) from error
        for service in lineup.services:
            try:
                check_fallback(service.deployment, lanes)
            except AssayError as error:
                model = service.deployment.model
                wanted = next(v for v in lineup.versions if v.model == model)
                raise _NotLoaded(wanted) from error
        return lanes

    def _lane(self, wanted: Version) -> Lane:
        """Return a version ready to answer, the same object as long as nothing of it changes."""
        lane = self._lanes.get((wanted.model, wanted.version))
        if lane and (lane.slot, lane.section) == (wanted.slot, wanted.section):
            return lane
        loaded = lane.servable if lane else self._kit.load(wanted.model, wanted.version)
        if self._log is not None and wanted.section.log:
            self._log.open(wanted.model, wanted.version, loaded.signature, wanted.section)
        return Lane(loaded, wanted.slot, wanted.section)

    async def _swap(self, number: int) -> None:
        if self._next is None or self._next[0].number != number:
            return  # the parent has begun another since
        lineup, lanes = self._next
        self._next, self._has = None, number
        self.state.models.install([service.deployment for service in lineup.services], lanes)
        self._lanes = lanes
        self.state.ready = bool(lineup.services)
        await self._listen()
        self._channel.send(Swapped(number))

    def _refresh(self) -> None:
        """Take new certificates, or go on with the old ones and say why."""
        try:
            if self._tls is not None and self._kit.tls is not None:
                renew(self._tls, *self._kit.tls)
        except AssayError as error:
            say(f"worker {self._place}: {error}")

    def _ask(
        self, action: str, reference: str, settle: Callable[[AssayError | None], None]
    ) -> None:
        """Have all workers load or unload a model; `settle` hears when they have, or why not."""
        number = next(self._numbers)
        self._asked[number] = settle
        self._channel.send(Asked(number, action, reference))

    def _look(self) -> None:
        """Once a second: take new tokens, and show on the board what only this worker knows."""
        asyncio.get_running_loop().call_later(LOOK, self._look)
        self._channel.flush()
        try:
            self.state.access = self._kit.tokens.access()
        except AssayError as error:
            say(f"worker {self._place}: {error}")
        self._tally.set("memory", _resident())
        self._tally.set("cpu", time.process_time())
        self._tally.set(
            "cache_entries", sum(len(lane.cache or ()) for lane in self._lanes.values())
        )
        if self._listener is not None:
            self._tally.set("connections", self._listener.connections)
            self._tally.set("turned_away", self._listener.refused)
            self._tally.set("timed_out", self._listener.timed_out)
        if self._log is not None:
            self._tally.set("log_backlog", self._log.backlog)
            self._tally.set("log_dropped", self._log.dropped)
            self._tally.set("log_flushes", self._log.files)
            self._tally.set("log_errors", self._log.errors)


def _resident() -> int:
    """Return the bytes of memory that this process has now, 0 where that is not told."""
    try:
        return int(_STATM.read_text().split()[1]) * resource.getpagesize()
    except OSError:  # not on Linux
        return 0
