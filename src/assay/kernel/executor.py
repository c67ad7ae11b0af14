"""Fan-out through one protocol: in this process, or over local worker processes."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Protocol, TypeVar

T = TypeVar("T")

IDLE_SECONDS = 20
"""After so long without work a worker ends."""

WATCH_SECONDS = 1.0


def cores() -> int:
    """Return the number of processor cores this process may use."""
    try:
        return max(1, len(os.sched_getaffinity(0)))
    except AttributeError:  # not on Linux
        return max(1, os.cpu_count() or 1)


class Executor(Protocol):
    """Runs calls, anywhere, and gives the results back as they come.

    `workers` is how many calls run at once, and `threads` how many threads each may use, so that
    workers never fight over the cores.
    `calls` is read lazily, a few ahead of what runs: an iterator that ends early ends the work.
    """

    workers: int
    threads: int

    def run(self, calls: Iterable[tuple[Callable[..., T], tuple[Any, ...]]]) -> Iterator[T]:
        """Yield each call's result in the order of completion; the first exception is raised."""
        ...


class Serial:
    """Every call in this process, one after the other, with all cores for each."""

    def __init__(self, threads: int | None = None) -> None:
        self.workers = 1
        self.threads = threads or cores()

    def run(self, calls: Iterable[tuple[Callable[..., T], tuple[Any, ...]]]) -> Iterator[T]:
        """Yield results one by one."""
        for function, arguments in calls:
            yield function(*arguments)


class LocalProcesses:
    """Worker processes on this machine (joblib's loky), the cores shared out among them."""

    def __init__(self, workers: int | None = None) -> None:
        self.workers = workers or cores()
        self.threads = max(1, cores() // self.workers)

    def run(self, calls: Iterable[tuple[Callable[..., T], tuple[Any, ...]]]) -> Iterator[T]:
        """Yield results as workers finish; numeric libraries get `threads` threads in each."""
        import joblib  # heavy: only when processes are really wanted

        options = {
            "inner_max_num_threads": self.threads,
            "idle_worker_timeout": IDLE_SECONDS,
            "initializer": _end_with,
            "initargs": (os.getpid(),),
        }
        with joblib.parallel_config("loky", **options):
            parallel = joblib.Parallel(
                n_jobs=self.workers,
                return_as="generator_unordered",
                pre_dispatch="n_jobs",
                batch_size=1,  # or joblib reads `calls` far ahead of what runs
            )
            yield from parallel(joblib.delayed(function)(*args) for function, args in calls)


def _end_with(parent: int) -> None:
    """End this worker soon after `parent` was killed, also in the middle of handing over a result.

    Nobody reads the result then, and a full pipe would hold the worker for ever.
    """

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(WATCH_SECONDS)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
