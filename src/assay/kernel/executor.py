"""Fan-out through one protocol: in this process, or over local worker processes."""

from __future__ import annotations

import os
import pickle
import signal
import socket
import subprocess
import sys
import weakref
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from contextlib import suppress
from queue import Empty, SimpleQueue
from threading import Lock, Thread
from typing import Any, Protocol, TypeVar

from assay.errors import TransientFault
from assay.kernel.worker import LENGTH, peak_rss_mb, receive, send

__all__ = ["Executor", "LocalProcesses", "Serial", "WorkerDied", "cores", "peak_rss_mb"]

T = TypeVar("T")

_THREADS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
)

Call = tuple[Callable[..., T], tuple[Any, ...]]


class WorkerDied(TransientFault):
    """A worker ended in the middle of a call: killed, by us or for want of memory."""

    def __init__(self, what: str) -> None:
        super().__init__("WORKER-DIED", what, hint="set budget.memory to what there is to spare")


def cores() -> int:
    """Return the number of processor cores this process may use."""
    try:
        return max(1, len(os.sched_getaffinity(0)))
    except AttributeError:  # not on Linux
        return max(1, os.cpu_count() or 1)


class Executor(Protocol):
    """Runs calls, anywhere.

    `workers` is how many calls run at once, and `threads` how many threads each may use, so that
    workers never fight over the cores.
    """

    workers: int
    threads: int

    def submit(self, function: Callable[..., T], *arguments: Any) -> Future[T]:
        """Start a call; its result or exception comes through the future."""
        ...

    def run(self, calls: Iterable[Call[T]]) -> Iterator[T]:
        """Yield each call's result in the order of the calls; the first exception is raised.

        `calls` is read lazily, a few ahead of what runs: an iterator that ends early ends the work.
        """
        ...

    def warm(self, path: str) -> None:
        """Have the workers import what `module:name` names, without waiting for it."""
        ...

    def stop(self) -> None:
        """End what is running, at once: its futures raise WorkerDied. New calls start anew."""
        ...

    def peak_mb(self) -> float:
        """Return the largest resident memory of the workers, summed, in MB."""
        ...


class Serial:
    """Every call in this process, one after the other, with all cores for each."""

    def __init__(self, threads: int | None = None) -> None:
        self.workers = 1
        self.threads = threads or cores()

    def submit(self, function: Callable[..., T], *arguments: Any) -> Future[T]:
        """Run the call now."""
        future: Future[T] = Future()
        try:
            future.set_result(function(*arguments))
        except Exception as error:  # noqa: BLE001 (raised where the result is asked for)
            future.set_exception(error)
        return future

    def run(self, calls: Iterable[Call[T]]) -> Iterator[T]:
        """Yield results one by one."""
        for function, arguments in calls:
            yield function(*arguments)

    def warm(self, path: str) -> None:
        """Do nothing: this process imports on first use."""

    def stop(self) -> None:
        """Do nothing: nothing is running."""

    def peak_mb(self) -> float:
        """Return 0: there are no workers."""
        return 0.0


class LocalProcesses:
    """Worker processes on this machine, the cores shared out among them.

    Functions are sent by their names: they stand in modules that a worker can import.
    """

    def __init__(self, workers: int | None = None, threads: int | None = None) -> None:
        self.workers = workers or cores()
        self.threads = threads or max(1, cores() // self.workers)
        self._lock = Lock()
        self._template: _Template | None = None
        self._crew: _Crew | None = None
        self._peak = 0.0

    def submit(self, function: Callable[..., T], *arguments: Any) -> Future[T]:
        """Send the call to the next free worker; numeric libraries get `threads` threads there."""
        future: Future[T] = Future()
        if self._crew is None:
            self._crew = _Crew(self.workers, self._ready)
        self._crew.calls.put((future, pickle.dumps((function, arguments), protocol=5)))
        return future

    def run(self, calls: Iterable[Call[T]]) -> Iterator[T]:
        """Yield results in order; twice as many calls as workers are under way."""
        waiting: deque[Future[T]] = deque()
        for function, arguments in calls:
            waiting.append(self.submit(function, *arguments))
            if len(waiting) >= 2 * self.workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()

    def warm(self, path: str) -> None:
        """Let the template of the workers import what will be needed."""
        self._ready().send(pickle.dumps(path))

    def stop(self) -> None:
        """Kill the workers; the next call starts new ones."""
        if self._crew is not None:
            self._peak = self.peak_mb()
            self._crew.end()
            self._crew = None

    def peak_mb(self) -> float:
        """Return the sum over the workers, of the crew that took most."""
        now = sum(hand.peak for hand in self._crew.hands) if self._crew is not None else 0.0
        return max(self._peak, now)

    def _ready(self) -> _Template:
        """Return the template, another one where that was killed."""
        with self._lock:
            if self._template is None or self._template.gone:
                self._template = _Template(self.threads)
                weakref.finalize(self, self._template.end)
            return self._template


class _Template:
    """The process that every worker is a fork of; it ends with us."""

    def __init__(self, threads: int) -> None:
        self._control, theirs = socket.socketpair()
        limits = dict.fromkeys(_THREADS, str(threads))
        number = theirs.fileno()
        self._process = subprocess.Popen(  # noqa: S603 (our own interpreter and module)
            # -P: what lies in the current folder must not stand in for a library
            [sys.executable, "-P", "-m", "assay.kernel.worker", str(number)],
            stdin=subprocess.DEVNULL,
            pass_fds=[number],
            env=os.environ | limits,
        )
        theirs.close()
        self._one = Lock()
        self.send(pickle.dumps(sys.path))

    @property
    def gone(self) -> bool:
        """Return True when the process has ended."""
        return self._process.poll() is not None

    def send(self, message: bytes, *sockets: int) -> None:
        """Send a message whole, one at a time, with the sockets that go with it."""
        with self._one, suppress(OSError):  # `gone` tells
            socket.send_fds(self._control, [LENGTH.pack(len(message)), message], sockets)

    def worker(self) -> socket.socket:
        """Return our end of a new worker's connection."""
        ours, theirs = socket.socketpair()
        with theirs:
            self.send(b"worker", theirs.fileno())
        return ours

    def end(self) -> None:
        """End the process, and so within a second its workers."""
        self._control.close()
        self._process.kill()
        self._process.wait()


class _Crew:
    """Workers and the calls that wait for them."""

    def __init__(self, workers: int, template: Callable[[], _Template]) -> None:
        self.calls: SimpleQueue[tuple[Future[Any], bytes] | None] = SimpleQueue()
        self.hands = [_Hand(self.calls, template) for _ in range(workers)]
        for hand in self.hands:
            hand.start()

    def end(self) -> None:
        for hand in self.hands:
            hand.end()
        with suppress(Empty):
            while True:
                waiting = self.calls.get_nowait()
                if waiting is not None:
                    waiting[0].set_exception(WorkerDied("the call was dropped"))
        for _ in self.hands:
            self.calls.put(None)
        for hand in self.hands:
            hand.join()


class _Hand(Thread):
    """A thread that hands calls to one worker, and has another made where that one died."""

    def __init__(
        self,
        calls: SimpleQueue[tuple[Future[Any], bytes] | None],
        template: Callable[[], _Template],
    ) -> None:
        super().__init__(daemon=True)
        self.calls, self.template, self.peak = calls, template, 0.0
        self.ended = False
        self.process = 0
        """The worker's number, 0 until it has said it."""
        self.connection: socket.socket | None = None
        self.pipe: Any = None

    def run(self) -> None:
        while (call := self.calls.get()) is not None:
            future, message = call
            try:
                fine, result, peak = pickle.loads(self._ask(message))  # noqa: S301 (our worker's)
            except Exception:  # noqa: BLE001 (whatever half an answer does)
                self._close()
                future.set_exception(WorkerDied("the worker ended in the middle of a call"))
                continue
            self.peak = max(self.peak, peak)
            if fine:
                future.set_result(result)
            else:
                future.set_exception(result)
        self._close()

    def _ask(self, message: bytes) -> bytes:
        if self.ended:
            raise EOFError
        if self.connection is None:
            self.connection = self.template().worker()
            self.pipe = self.connection.makefile("rwb")
            self.process = pickle.loads(receive(self.pipe))  # noqa: S301 (our worker's)
        if self.ended:  # meanwhile
            raise EOFError
        send(self.pipe, message)
        return receive(self.pipe)

    def end(self) -> None:
        """Kill the worker; the thread finds the connection at its end."""
        self.ended = True
        if self.connection is not None:
            with suppress(OSError):
                self.connection.shutdown(socket.SHUT_RDWR)
        if self.process:
            with suppress(ProcessLookupError):
                os.kill(self.process, signal.SIGKILL)

    def _close(self) -> None:
        """Let go of the worker, which ends when it has nobody to answer."""
        for part in (self.pipe, self.connection):
            if part is not None:
                with suppress(OSError):
                    part.close()
        self.process, self.connection, self.pipe = 0, None, None
