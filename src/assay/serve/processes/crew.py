"""The worker processes: forked, listened to, and forked again when one dies or hangs."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from assay.errors import AssayError
from assay.serve.processes.control import Channel, Ping, ToParent, ToWorker
from assay.serve.processes.rollout import Standing
from assay.serve.processes.sockets import bound
from assay.serve.say import say

HANGS = 10.0
"""Seconds without a word after which a worker is killed."""

PING = 1.0
AWAY = 3 * PING
"""Seconds between two rounds of asking from which on it was the parent that hung: it waited for the
ledger, or was stopped."""
DEATHS, WITHIN = 5, 10.0
"""So many deaths of one worker within so many seconds end the server."""

_AGAIN = 5.0
"""Seconds until a worker is tried again that could not load its models."""

Work = Callable[[int, socket.socket, socket.socket, bool], None]
"""The body of a worker: its place, its listening socket, its end of the channel, and whether it is
the first in its place. It does not return."""


@dataclass
class Hand:
    """A place for a worker, and the process that has it; `process` is 0 while there is none.

    `due` is when the next one is to be forked, by `time.monotonic`.
    """

    place: int
    listening: socket.socket
    process: int = 0
    channel: Channel | None = None
    standing: Standing = field(default_factory=Standing)
    heard: float = 0.0
    due: float = 0.0
    deaths: deque[float] = field(default_factory=lambda: deque(maxlen=DEATHS))

    def hear(self) -> Iterator[ToParent]:
        """Yield what the worker said."""
        if self.channel is not None:
            self.heard = time.monotonic()
            yield from self.channel.receive()

    def kill(self) -> None:
        """End the worker at once; `Crew.reap` collects it."""
        with suppress(ProcessLookupError):
            os.kill(self.process, signal.SIGKILL)


class Crew:
    """All hands. Every method returns at once, and is called by the one thread of the parent."""

    def __init__(self, sockets: list[socket.socket], work: Work) -> None:
        self.hands = [Hand(place, listening) for place, listening in enumerate(sockets)]
        self._address = sockets[0].family, sockets[0].getsockname()
        self._work, self._pinged = work, 0.0

    @property
    def standings(self) -> Mapping[int, Standing]:
        """Return how far each living worker is, by its place."""
        return {hand.place: hand.standing for hand in self.hands if hand.process}

    def fill(self) -> None:
        """Fork a worker for every place that is free and due."""
        now = time.monotonic()
        for hand in self.hands:
            if not hand.process and hand.due <= now:
                try:
                    self._fork(hand)
                except OSError as error:  # no process or file is left for now
                    say(f"worker {hand.place} cannot be started: {error}")
                    hand.due = now + _AGAIN

    def send(self, place: int, message: ToWorker) -> None:
        """Tell a worker something, if there is one."""
        channel = self.hands[place].channel
        if channel is not None:
            channel.send(message)

    def send_all(self, message: ToWorker) -> None:
        """Tell every worker something."""
        for hand in self.hands:
            self.send(hand.place, message)

    def reap(self) -> list[tuple[int, int, str]]:
        """Collect the workers that ended: place, process, and how each ended.

        Raises AssayError when one dies over and over.
        """
        ended = []
        for hand in self.hands:
            process, status = os.waitpid(hand.process, os.WNOHANG) if hand.process else (0, 0)
            if process:
                code = os.waitstatus_to_exitcode(status)
                how = f"was ended by signal {-code}" if code < 0 else f"ended with code {code}"
                ended.append((hand.place, process, how))
                self._lose(hand)
        return ended

    def watch(self) -> list[Hand]:
        """Ask every worker for a word once a second; kill those that hang, and return them."""
        now = time.monotonic()
        since = now - self._pinged
        if since < PING:
            return []
        self._pinged = now
        for hand in self.hands if since > AWAY else ():
            hand.heard = min(now, hand.heard + since)  # nobody was asked meanwhile
        silent = [h for h in self.hands if h.process and now - h.heard > HANGS]
        for hand in silent:
            hand.kill()
        self.send_all(Ping())
        return silent

    def retire(self, hand: Hand) -> None:
        """Kill a worker that could not load what the others have; it is tried again later.

        Until then they get its share of the connections, too.
        """
        hand.kill()
        hand.listening.close()
        hand.due = time.monotonic() + _AGAIN

    def kill_all(self) -> None:
        """End every worker at once."""
        for hand in self.hands:
            if hand.process:
                hand.kill()

    def alive(self) -> bool:
        """Return True while any worker is there."""
        return any(hand.process for hand in self.hands)

    def close_sockets(self) -> None:
        """Let go of the listening sockets: what the workers have open is then all there is."""
        for hand in self.hands:
            hand.listening.close()

    def _fork(self, hand: Hand) -> None:
        if hand.listening.fileno() < 0:
            hand.listening = bound(*self._address)
        ours, theirs = socket.socketpair()
        process = os.fork()
        if process == 0:
            ours.close()
            self._shed(hand)
            self._work(hand.place, hand.listening, theirs, not hand.deaths)
        theirs.close()
        hand.process, hand.channel = process, Channel(ours, parent=True)
        hand.standing, hand.heard = Standing(), time.monotonic()

    def _shed(self, own: Hand) -> None:
        """Close what is another's: a worker that held it would hide the parent's death from it."""
        for hand in self.hands:
            if hand.channel is not None:
                hand.channel.end.close()
            if hand is not own:
                hand.listening.close()

    def _lose(self, hand: Hand) -> None:
        now = time.monotonic()
        hand.process = 0
        if hand.channel is not None:
            hand.channel.end.close()
            hand.channel = None
        hand.deaths.append(now)
        recent = [death for death in hand.deaths if now - death < WITHIN]
        if len(recent) == DEATHS:
            raise AssayError(
                "SERVE-WORKER-DIES",
                f"worker {hand.place} died {DEATHS} times within {WITHIN:g} s",
                hint="what it said before it died is above",
            )
        # the first death lets nobody wait; one that dies at once is forked later each time
        hand.due = max(hand.due, now + 0.1 * (2 ** (len(recent) - 1) - 1))
