"""The parent of all workers: it answers no request, loads no model and starts no thread.

So a fork of it is safe at any time: what is heavy has been imported, and nothing is running. The
threads that libraries start on import for themselves sleep, and nobody in a worker misses them.
"""

from __future__ import annotations

import gc
import select
import signal
import socket
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Protocol

from assay.errors import AssayError, UsageError
from assay.records.deployment import Traffic
from assay.serve.processes.board import Board
from assay.serve.processes.control import (
    Asked,
    Drain,
    Prepared,
    Problem,
    Refresh,
    Service,
    Settled,
    Swapped,
)
from assay.serve.processes.crew import Crew, Hand, Work
from assay.serve.processes.rollout import Rollout
from assay.serve.processes.slots import Slots
from assay.serve.say import say

TICK = 0.1
"""Seconds between two looks at what is wanted."""

DRAIN = 20.0
"""Seconds that requests get to end when the server is told to end."""

_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)


class Director(Protocol):
    """What decides what a server answers with, and writes down what it does.

    Every method runs in the parent, between two looks at the workers, and returns soon.
    """

    def wanted(self, traffic: Callable[[], Sequence[Traffic]]) -> Sequence[Service]:
        """Return what is to be answered with now, the default model first; asked every tick."""
        ...

    def changed(self, service: Service) -> None:
        """Take note that all workers answer with this."""
        ...

    def gone(self, model: str) -> None:
        """Take note that no worker answers with this model any more."""
        ...

    def failed(self, service: Service, problem: Problem) -> None:
        """Take note that a worker cannot load this; what was there before goes on."""
        ...

    def ready(self) -> None:
        """Take note that all workers answer, for the first time."""
        ...

    def asked(self, action: str, reference: str) -> str:
        """Add or take away a model for a client; return its name. Raises AssayError."""
        ...

    def refresh(self) -> None:
        """Read again what stands in files; raises AssayError."""
        ...


class Supervisor:
    """Keeps the workers alive, and brings what is wanted to all of them at once."""

    def __init__(
        self, sockets: list[socket.socket], work: Work, board: Board, director: Director
    ) -> None:
        self._crew, self._director, self._board = Crew(sockets, work), director, board
        self._rollout, self._slots = Rollout(), Slots(board)
        self._wanted: dict[str, Service] = {}
        self._announced: dict[str, Service] | None = None
        """What all workers are known to answer with, None until they do for the first time."""
        self._refused: dict[str, tuple[Service, Problem]] = {}
        """What could not be loaded; it is not tried again until something else is wanted."""
        self._changing: Service
        """What the lineup that is being prepared has anew."""
        self._waiting: list[tuple[int, int, str]] = []
        """Who waits for a change of which model: worker, the number of its question, model."""
        self._signals: list[int] = []
        self._complaint = ""
        self._ending = False

    def run(self) -> None:
        """Serve until a signal says to end; then let the workers finish.

        Raises AssayError when the first models cannot be loaded, or when a worker dies again and
        again.
        """
        wake, woken = socket.socketpair()
        for end in (wake, woken):
            end.setblocking(False)
        signal.set_wakeup_fd(woken.fileno(), warn_on_full_buffer=False)
        for number in _SIGNALS:
            signal.signal(number, lambda number, _: self._signals.append(number))
        gc.collect()
        gc.freeze()  # a collection in a worker would copy every page of the parent's objects
        try:
            self._serve(wake)
        finally:
            self._end(wake)

    def _serve(self, wake: socket.socket) -> None:
        due = 0.0
        while not (signals := self._heard()) & {signal.SIGTERM, signal.SIGINT}:
            if signal.SIGHUP in signals:
                self._refresh()
            if time.monotonic() >= due:
                due = time.monotonic() + TICK
                self._tick()
            self._crew.fill()
            self._advance()
            self._listen(wake, due - time.monotonic())

    def _heard(self) -> set[int]:
        """Return the signals since the last time; one that comes meanwhile counts the next time."""
        heard, self._signals = self._signals, []
        return set(heard)

    def _listen(self, wake: socket.socket, seconds: float) -> None:
        """Wait for a message, a signal or the next tick, and take in what came."""
        ends: dict[Any, Hand] = {h.channel.end: h for h in self._crew.hands if h.channel}
        found, _, _ = select.select([wake, *ends], [], [], max(0.0, seconds))
        for end in found:
            if end is wake:
                with suppress(BlockingIOError):
                    wake.recv(4096)
            else:
                self._hear(ends[end])
        for place, process, how in self._crew.reap():
            if not self._ending:
                say(f"worker {place} (process {process}) {how}; another takes its place")

    def _hear(self, hand: Hand) -> None:
        """Take in what a worker says."""
        standing = hand.standing
        for message in hand.hear():
            match message:
                case Prepared(number, _, None):
                    standing.ready = number
                case Prepared(number, version, problem) if number == standing.told:
                    standing.problem, standing.version = problem, version
                case Swapped(number):
                    standing.has = number
                case Asked(number, action, reference):
                    self._take(hand.place, number, action, reference)

    def _tick(self) -> None:
        """Look at what is wanted, and begin the next change."""
        for hand in self._crew.watch():
            say(f"worker {hand.place} (process {hand.process}) hangs and was killed")
        try:
            wanted = self._director.wanted(self._traffic)
        except AssayError as error:
            if self._rollout.current is None:
                raise
            self._complain(str(error))
            return
        self._complain("")
        self._wanted = {service.deployment.model: service for service in wanted}
        if self._rollout.next is None:
            self._begin()

    def _begin(self) -> None:
        """Begin the next change, one model at a time: a bad version of one stops no other."""
        wanted, current = self._wanted, self._rollout.current
        if current is None:
            self._rollout.begin([*wanted.values()], self._slots.of(wanted.values()))
            return
        serving = current.by_model
        step = {name: service for name, service in serving.items() if name in wanted}
        for name, service in wanted.items():
            refused = self._refused.get(name, (None,))[0]
            if service not in (serving.get(name), refused):
                step[name] = self._changing = service
                break
        if step != serving:
            try:
                self._rollout.begin([*step.values()], self._slots.of(step.values()))
            except UsageError as error:
                self._refuse(self._changing, Problem.of(error))

    def _advance(self) -> None:
        """Tell the workers what is next for them, and take note of what has come about."""
        crew, rollout = self._crew, self._rollout
        for hand in crew.hands:
            if hand.process and hand.standing.problem is not None:
                self._cannot(hand, hand.standing.problem)
        for place, order in rollout.orders(crew.standings):
            crew.send(place, order)
        if rollout.current and rollout.done(crew.standings, len(crew.hands)):
            self._announce(rollout.current.by_model)
            self._settle()

    def _cannot(self, hand: Hand, problem: Problem) -> None:
        """Stay with what there is when a worker cannot load something."""
        standing, rollout = hand.standing, self._rollout
        standing.problem = None
        if rollout.current is None:
            raise problem.raised()
        target = rollout.next or rollout.current
        if standing.told != target.number:
            return  # it was called off meanwhile: another worker could not, either
        if standing.version not in rollout.current.versions:
            rollout.drop()
            self._refuse(self._changing, problem)
        else:  # the others have it: only what this worker finds on the disk has changed
            say(f"worker {hand.place} is away: {problem.raised()}")
            self._crew.retire(hand)

    def _refuse(self, service: Service, problem: Problem) -> None:
        """Do not try this again until something else is wanted, and tell whom it concerns."""
        self._refused[service.deployment.model] = (service, problem)
        self._director.failed(service, problem)
        self._settle()

    def _announce(self, serving: dict[str, Service]) -> None:
        """Say once what all workers answer with now."""
        before = self._announced or {}
        first, self._announced = self._announced is None, serving
        for name, service in serving.items():
            if before.get(name) != service:
                self._director.changed(service)
        for name in set(before) - set(serving):
            self._director.gone(name)
        if first:
            self._director.ready()

    def _take(self, place: int, number: int, action: str, reference: str) -> None:
        """Do what a client asked a worker for; the answer comes when all workers have done it."""
        try:
            name = self._director.asked(action, reference)
        except AssayError as error:
            self._crew.send(place, Settled(number, Problem.of(error)))
            return
        self._refused.pop(name, None)
        self._waiting.append((place, number, name))
        self._tick()

    def _settle(self) -> None:
        """Answer those whose change has been made, or cannot be."""
        waiting, self._waiting = self._waiting, []
        for place, number, name in waiting:
            refused = self._refused.get(name)
            if refused is not None:
                self._crew.send(place, Settled(number, refused[1]))
            elif self._wanted.get(name) == (self._announced or {}).get(name):
                self._crew.send(place, Settled(number))
            else:
                self._waiting.append((place, number, name))

    def _refresh(self) -> None:
        """Read files again, here and in the workers; what was refused before gets its chance."""
        self._refused.clear()
        self._crew.send_all(Refresh())
        try:
            self._director.refresh()
        except AssayError as error:
            say(f"the settings stay as they are: {error}")

    def _traffic(self) -> Sequence[Traffic]:
        """Return what each version answered since the server started."""
        taken = self._slots.taken
        return self._board.traffic({slot: version for version, slot in taken.items()})

    def _complain(self, text: str) -> None:
        """Say what is wrong once, not ten times a second."""
        if text and text != self._complaint:
            say(text)
        self._complaint = text

    def _end(self, wake: socket.socket) -> None:
        """Let the workers finish; a second signal, or time, ends them at once."""
        self._ending = True
        crew, deadline = self._crew, time.monotonic() + DRAIN + 2
        crew.close_sockets()
        crew.send_all(Drain(DRAIN))
        while crew.alive():
            stop = self._heard() & {signal.SIGTERM, signal.SIGINT}
            if stop or time.monotonic() > deadline:
                crew.kill_all()
            with suppress(AssayError):
                self._listen(wake, TICK)
