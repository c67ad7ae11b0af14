"""What happens around every stage, as one visible list of wrappers folded from the outside in."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeVar

from assay.errors import TransientFault
from assay.kernel.executor import peak_rss_mb
from assay.kernel.stage import Context, Inputs, Note, Stage
from assay.records.base import Record, digest

T = TypeVar("T")

RETRIES = 2
"""How often a stage is tried again after a TransientFault."""


@dataclass(frozen=True)
class Outcome:
    """A stage's record and what it cost."""

    record: Record
    cached: bool = False
    seconds: float = 0.0
    peak_rss_mb: float = 0.0


Call = Callable[[Inputs, Context], Outcome]
Wrapper = Callable[[Stage, Call], Call]


def cached(stage: Stage, call: Call) -> Call:
    """Skip work whose record exists: this is also how an interrupted run resumes."""

    def wrapped(inputs: Inputs, context: Context) -> Outcome:
        record = context.recall(stage.key(inputs), stage.produces)
        if record is not None and (stage.intact is None or stage.intact(record, context)):
            context.notify(Note(stage.name, stage.title, 1, 1, 0.0, cached=True))
            return Outcome(record, cached=True)
        return call(inputs, context)

    return wrapped


def ledgered(stage: Stage, call: Call) -> Call:
    """Write the finished record, its parents and its cost to the ledger."""

    def wrapped(inputs: Inputs, context: Context) -> Outcome:
        context.notify(Note(stage.name, stage.title))
        done = call(inputs, context)
        parents = tuple(digest(inputs[name]) for name in stage.needs)
        cost = {"seconds": round(done.seconds, 3), "peak_rss_mb": round(done.peak_rss_mb, 1)}
        record = context.remember(stage.key(inputs), stage.name, done.record, parents, **cost)
        context.notify(Note(stage.name, stage.title, 1, 1, done.seconds))
        return replace(done, record=record)

    return wrapped


def measured(_: Stage, call: Call) -> Call:
    """Take the time and the peak memory."""

    def wrapped(inputs: Inputs, context: Context) -> Outcome:
        start = time.perf_counter()
        done = call(inputs, context)
        return replace(done, seconds=time.perf_counter() - start, peak_rss_mb=peak_rss_mb())

    return wrapped


def attempt(work: Callable[[], T], name: str, context: Context) -> T:
    """Return what `work` gives, tried again after 0.5 s and 1 s when the fault lies outside."""
    for tried in range(RETRIES):
        try:
            return work()
        except TransientFault as fault:
            context.notify(Note(name, f"trying again: {fault.message}"))
            time.sleep(0.5 * (tried + 1))
    return work()


def retried(stage: Stage, call: Call) -> Call:
    """Try again what failed for a reason outside."""

    def wrapped(inputs: Inputs, context: Context) -> Outcome:
        return attempt(lambda: call(inputs, context), stage.name, context)

    return wrapped


WRAPPERS: tuple[Wrapper, ...] = (cached, ledgered, measured, retried)
"""Outermost first."""


def build(stage: Stage) -> Call:
    """Fold the wrappers around a stage."""

    def plain(inputs: Inputs, context: Context) -> Outcome:
        return Outcome(stage.body(inputs, context))

    call: Call = plain
    for wrapper in reversed(WRAPPERS):
        call = wrapper(stage, call)
    return call
