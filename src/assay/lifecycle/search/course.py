"""The course of a search: what is fitted next, decided on results that are a fixed lag behind.

A decision sees the results of the turns up to `LAG` before it, in the order in which they were
decided, never in the order in which they came in. So the course is the same for any number of
workers and at any speed, and a killed search takes it again up to where it was.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from assay.kernel.executor import WorkerDied
from assay.kernel.plugins import load_family
from assay.kernel.stage import Context, Note
from assay.lifecycle.material import write_array
from assay.lifecycle.search.clock import GRACE, Clock
from assay.lifecycle.search.fold import Answer, Job, fit_fold
from assay.lifecycle.search.plan import Plan, Slot
from assay.records.base import digest
from assay.records.fitted import Candidate, FoldFit
from assay.records.snapshot import Problem

LAG = 6
"""So many of the latest turns no decision looks at; more workers than this have nothing to do."""

CHANCE = 0.5
"""How likely a candidate on its way is expected to get the rest of its folds."""

Source = Literal["baseline", "portfolio", "tuning"]
_NAMES: dict[Source, str] = {
    "baseline": "baseline",
    "portfolio": "candidate",
    "tuning": "tuned candidate",
}


@dataclass
class Entry:
    """A candidate on its way: it may run the first `allowed` of its `slots`.

    `fits` are those that may be looked at. `why` says that it failed or was discarded.
    """

    candidate: Candidate
    source: Source
    number: int
    slots: list[Slot]
    allowed: int
    sent: int = 0
    fits: list[FoldFit] = field(default_factory=list)
    status: Literal["open", "discarded", "failed"] = "open"
    why: str = ""
    score: float | None = None

    @property
    def ahead(self) -> int:
        """Return how many folds are not sent yet."""
        return sum(slot.number >= 0 for slot in self.slots[self.sent :])

    @property
    def folds(self) -> list[FoldFit]:
        """Return the fits on folds, not those on samples."""
        return [fit for fit in self.fits if fit.fold >= 0]

    @property
    def waiting(self) -> bool:
        """Return True when a fit of it may be sent."""
        return self.status == "open" and self.sent < min(self.allowed, len(self.slots))


@dataclass
class Turn:
    """A fit in its place of the course; `fit` is None while it runs, maybe for the second time."""

    entry: Entry
    slot: Slot
    future: Future[Answer] | None
    fit: FoldFit | None = None
    again: bool = False


@dataclass(frozen=True)
class Bound:
    """What every fit of a search has in common; `scope` is the digest of what decides it."""

    desk: str
    scope: str
    problem: Problem
    ordered: bool
    seed: int

    def key(self, candidate: Candidate, slot: Slot, *, keep: bool) -> str:
        """Return the key under which a fit is remembered."""
        parts = {"fit": self.scope, "candidate": candidate, "rows": slot.label, "seed": self.seed}
        return digest({**parts, "kept": True} if keep else parts)


class Course:
    """Sends fits to the executor and shows their results in order."""

    def __init__(self, bound: Bound, plan: Plan, context: Context, clock: Clock) -> None:
        self.bound, self.plan, self.context, self.clock = bound, plan, context, clock
        self.entries: list[Entry] = []
        self.turns: list[Turn] = []
        self.shown = 0
        self.over = False
        self.recalled = False
        """Whether the latest fit came from an earlier attempt: the search goes on as it did."""
        self.said = ""
        """What the best so far is, for the notes."""
        self.on_shown: Callable[[Entry, Slot, FoldFit], None] = lambda *_: None

    def enter(
        self, candidate: Candidate, source: Source, slots: Sequence[Slot], allowed: int
    ) -> Entry:
        """Put a candidate on its way."""
        number = 1 + sum(entry.source == source for entry in self.entries)
        entry = Entry(candidate, source, number, list(slots), allowed)
        self.entries.append(entry)
        return entry

    def go(self, start: Callable[[], Entry | None]) -> None:
        """Fit what waits, then what `start` gives, until there is neither; shows all results.

        What would take longer than there is time for is not begun.
        """
        while not self.over:
            waiting = [entry for entry in self.entries if entry.waiting]
            entry = next((entry for entry in waiting if self._fits(entry)), None)
            if entry is None and all(entry.sent for entry in waiting):
                entry = start()
            if entry is not None and self._fits(entry):
                self._send(entry)
                self._show(len(self.turns) - LAG)
            elif self.shown < len(self.turns):
                self._show(self.shown + 1)
            else:
                break

    def begin(self, entry: Entry) -> None:
        """Send all that may be sent of an entry without a look at anything, as workers get free."""
        while entry.waiting and not self.over:
            self._send(entry)
            self._make_room()

    def _make_room(self) -> None:
        """Wait until there is hardly more under way than there are workers."""
        self._harvest()
        workers = self.context.executor.workers
        while not self.over and sum(turn.fit is None for turn in self.turns) > workers:
            self._await_any()

    def show_all(self, slot: Slot) -> None:
        """Wait for the fits on a slot, and show them; others stay as they are."""
        for turn in self.turns[self.shown :]:
            if turn.slot is slot:
                self._await(turn)
                if turn.fit is None:
                    return
                self._tell(turn)

    def _tell(self, turn: Turn) -> None:
        """Show a turn's fit once."""
        fit = turn.fit
        if fit is None or any(fit is known for known in turn.entry.fits):
            return
        turn.entry.fits.append(fit)
        if fit.failed and turn.entry.status == "open":
            turn.entry.status, turn.entry.why = "failed", fit.failed
        self.on_shown(turn.entry, turn.slot, fit)

    def _fits(self, entry: Entry) -> bool:
        """Return True when there is time for all that an entry has before it.

        What an earlier attempt fitted takes none.
        """
        if not entry.waiting or self._recall(entry, entry.slots[entry.sent]) is not None:
            return True
        spare = self.clock.spare() + self.grace(entry)
        each = self._seconds(entry)
        if each is None or spare <= 0:
            return spare > 0
        workers = self.context.executor.workers
        backlog = sum(self._ahead(other) for other in self.entries if other is not entry)
        return spare > -(-entry.ahead // workers) * each + backlog / workers

    def _ahead(self, entry: Entry) -> float:
        """Return the seconds that another entry is expected to take yet."""
        running = sum(turn.entry is entry for turn in self.turns[self.shown :] if not turn.fit)
        maybe = entry.ahead if entry.status == "open" else 0
        each = self._seconds(entry) if running or maybe else None
        return 0.0 if each is None else each * (running + CHANCE * maybe)

    def grace(self, entry: Entry) -> float:
        """Return the seconds that an entry may go over the time, while it is the first of its sort.

        Without a baseline there is nothing to answer with, without a candidate nothing to gain: a
        fold of one is always waited for.
        """
        done = {one.source == "baseline" for one in self.entries if one.score is not None}
        if entry.source == "baseline":
            return 0.0 if True in done else float("inf")
        if not any(one.folds for one in self.entries if one.source != "baseline"):
            return float("inf")
        return 0.0 if False in done else GRACE

    def _seconds(self, entry: Entry) -> float | None:
        """Return how long a fit of an entry takes: by its own, its kind's, or that on a sample."""

        def seconds(alike: Callable[[Entry], bool]) -> list[float]:
            return [
                turn.fit.seconds
                for turn in self.turns
                if turn.fit is not None and turn.slot.number >= 0 and alike(turn.entry)
            ]

        kind = entry.candidate.kind
        found = seconds(lambda e: e is entry) or seconds(
            lambda e: e.candidate.kind == kind and e.source != "baseline"
        )
        if not found and entry.fits and entry.fits[0].rows:
            found = [entry.fits[0].seconds * self.plan.slots[0].train.size / entry.fits[0].rows]
        return float(np.mean(found)) if found else None

    def _send(self, entry: Entry) -> None:
        slot = entry.slots[entry.sent]
        entry.sent += 1
        fit = self._recall(entry, slot)
        self.recalled = fit is not None
        if fit is not None:
            self.clock.resume(fit.at)
            self.turns.append(Turn(entry, slot, None, fit))
            return
        self._note(entry, slot)
        future = self.context.executor.submit(fit_fold, self._job(entry, slot))
        self.turns.append(Turn(entry, slot, future))
        self._harvest()

    def _recall(self, entry: Entry, slot: Slot) -> FoldFit | None:
        return self.context.recall(self._key(entry, slot), FoldFit)

    def _key(self, entry: Entry, slot: Slot) -> str:
        return self.bound.key(entry.candidate, slot, keep=self._keep(entry, slot))

    def _keep(self, entry: Entry, slot: Slot) -> bool:
        return self.plan.keep and entry.source != "baseline" and slot.number >= 0

    def _job(self, entry: Entry, slot: Slot) -> Job:
        return Job(
            candidate=entry.candidate,
            desk=self.bound.desk,
            label=slot.label,
            problem=self.bound.problem,
            ordered=self.bound.ordered,
            seed=self.bound.seed,
            threads=self.context.executor.threads,
            keep=self._keep(entry, slot),
        )

    def _show(self, to: int) -> None:
        """Show the results of the first `to` turns, waiting for them."""
        while self.shown < to and not self.over:
            turn = self.turns[self.shown]
            self._await(turn)
            if turn.fit is None:
                return
            self.shown += 1
            self._tell(turn)

    def _await(self, turn: Turn) -> None:
        """Wait for a turn; when the time is over, what runs is ended and `over` is set."""
        self._harvest()
        while turn.fit is None and not self.over:
            self._await_any()

    def _await_any(self) -> None:
        """Wait for whatever comes next, for as long as any that runs may take."""
        running = [turn for turn in self.turns if turn.fit is None]
        spare = self.clock.spare() + max((self.grace(t.entry) for t in running), default=0.0)
        if spare <= 0:
            self.stop()
            return
        futures = [turn.future for turn in running if turn.future is not None]
        wait(futures, None if spare == float("inf") else spare, FIRST_COMPLETED)
        self._harvest()

    def stop(self) -> None:
        """End the search: what runs is killed and counts for nothing, what is done is shown."""
        self.over = True
        ended = [turn for turn in self.turns if turn.fit is not None]
        cut = len(ended) < len(self.turns)
        self.turns, self.shown = ended, len(ended)
        for turn in ended:
            self._tell(turn)
        if cut:
            self.context.executor.stop()
            # the members need workers: they import while this process weighs the candidates
            family = load_family(self.bound.problem.family)
            self.context.executor.warm(family.capabilities.trainer)

    def _harvest(self) -> None:
        """Remember what has come in, so that a killed search never fits it again."""
        for turn in self.turns[self.shown :]:
            if turn.fit is None and turn.future is not None and turn.future.done():
                answer = self._answer(turn, turn.future)
                if answer is not None:
                    turn.fit, turn.future = self._remember(turn, answer), None

    def _answer(self, turn: Turn, future: Future[Answer]) -> Answer | None:
        """Return a result; None where the worker died and the call is sent once more."""
        try:
            return future.result()
        except WorkerDied as error:
            if turn.again:
                return Answer(failed=f"the worker died, maybe for want of memory: {error}")
        turn.again = True
        turn.future = self.context.executor.submit(fit_fold, self._job(turn.entry, turn.slot))
        return None

    def _remember(self, turn: Turn, answer: Answer) -> FoldFit:
        store, candidate = self.context.store, turn.entry.candidate
        fit = FoldFit(
            candidate=candidate.name,
            fold=turn.slot.number,
            predictions="" if answer.values is None else store.put(write_array(answer.values)),
            rounds=answer.rounds,
            seconds=round(answer.seconds, 3),
            at=self.clock.at(),
            rows=answer.rows,
            state=store.put(answer.state) if answer.state else "",
            failed=answer.failed,
        )
        if answer.failed:  # what failed may do better when it is tried again
            return fit
        where = f"fit:{candidate.name}:{turn.slot.number}"
        key = self._key(turn.entry, turn.slot)
        return self.context.remember(key, where, fit, (), seconds=fit.seconds)

    def _note(self, entry: Entry, slot: Slot) -> None:
        of = f"fold {entry.sent} of {len(entry.slots)}" if slot.number >= 0 else "on a sample"
        text = f"{_NAMES[entry.source]} {entry.number}, {entry.candidate.name}, {of}"
        text += f"; best so far {self.said}" if self.said else ""
        left, used = self.context.left(), self.clock.at()
        if left == float("inf"):
            self.context.notify(Note("search", text, len(self.entries), 0))
            return
        text += f"; {max(0.0, left):.0f} s left"
        self.context.notify(Note("search", text, round(used), round(used + max(0.0, left))))
