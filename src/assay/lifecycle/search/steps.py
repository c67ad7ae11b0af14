"""What a search tries, in order: baselines, a portfolio, tuning, and then other folds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from assay.lifecycle.search.clock import MEMBERS, bags_for
from assay.lifecycle.search.course import Course, Entry, Source
from assay.lifecycle.search.judge import LEADERS, Judge
from assay.lifecycle.search.plan import Slot
from assay.lifecycle.search.trials import Bench, Floats
from assay.lifecycle.search.tuning import Tuner
from assay.records.fitted import Candidate, FoldFit, Leaderboard, Space
from assay.records.spec import BudgetSection

FREE = 2
"""So many of the portfolio get all folds without a look: there is nothing to compare with yet."""
MOST_PROBES = {False: 16, True: 8}
"""So many are ranked on a sample; fewer where only one fold is fitted, which takes long."""
PROBE_SHARE = 0.2
"""The share of the search's time in which samples are begun."""
MOST_TUNED = 300
POLISHED, POLISH_SHARE = 12, 0.3
"""The best so many get other folds too, in this share of the search's time."""


class Steps:
    """Feeds a course, and judges what it shows."""

    def __init__(self, course: Course, bench: Bench, budget: BudgetSection) -> None:
        self.course, self.bench, self.plan = course, bench, course.plan
        self.most = budget.iterations
        self.judge = Judge(bench)
        self.portfolio: list[Candidate] = []
        self.spaces: Sequence[Space] = ()
        self.tuner: Tuner | None = None
        self.cut = False
        """Whether something was left untried for want of budget."""
        self.until = 0.0
        course.on_shown = self._shown

    def take(
        self,
        baselines: Sequence[Candidate],
        portfolio: Sequence[Candidate],
        spaces: Sequence[Space],
    ) -> None:
        """Take all steps, as far as the budget goes."""
        folds = self.plan.slots[: self.plan.folds]
        self.spaces = spaces
        for candidate in baselines:
            self.course.enter(candidate, "baseline", self.plan.simple, len(self.plan.simple))
        self.portfolio = list(portfolio)
        if self.plan.probe is not None:
            self._probe(self.plan.probe, folds)
        self._polish_from()
        self.course.go(self._start)
        if self.plan.repeats > 1 and not self.course.over:
            self._polish()
        left = any(entry.waiting for entry in self.course.entries)
        self.cut = self.cut or self.course.over or bool(self.portfolio) or left

    def tried(self) -> int:
        """Return how many candidates were begun."""
        return sum(entry.source != "baseline" and entry.sent > 0 for entry in self.course.entries)

    def _probe(self, sample: Slot, folds: Sequence[Slot]) -> None:
        """Begin the first candidate on its folds, rank the others on a sample meanwhile."""
        course = self.course
        limit = MOST_PROBES[len(self.plan.slots) == 1]
        most = limit if self.most is None else min(limit, self.most)
        baselines = list(course.entries)
        entries = [
            course.enter(candidate, "portfolio", [sample, *folds], 1)
            for candidate in self.portfolio[:most]
        ]
        self.portfolio = self.portfolio[len(entries) :]
        for entry in entries[:1]:
            entry.allowed = len(entry.slots)
        end = course.clock.spare() * (1 - PROBE_SHARE)
        for entry in [*baselines, *entries]:
            if entry.source == "baseline" or course.clock.spare() >= end or entry is entries[0]:
                course.begin(entry)
        late = [entry for entry in entries if not entry.sent]  # their turn comes after the ranked
        self.portfolio = [*(entry.candidate for entry in late), *self.portfolio]
        entries = [entry for entry in entries if entry.sent]
        course.show_all(sample)
        ranked = self._by_probe(entries)
        leaders = self._on(sample, ranked[:LEADERS])
        for place, entry in enumerate(ranked):
            if entry is entries[0] or entry.status != "open" or not entry.fits:
                continue
            mine = self.bench.values(entry.fits[0])
            why = self.judge.behind(sample, mine, leaders) if place >= LEADERS else ""
            if why:
                entry.status, entry.why = "discarded", f"on a sample {why}"
            else:
                entry.allowed = 2
        course.entries = [*baselines, *entries[:1], *(e for e in ranked if e is not entries[0])]

    def _by_probe(self, entries: Sequence[Entry]) -> list[Entry]:
        sign = -1.0 if self.bench.higher else 1.0

        def place(entry: Entry) -> float:
            if not entry.fits or entry.fits[0].failed or self.plan.probe is None:
                return float("inf")
            found = self.bench.score(self.plan.probe.valid, self.bench.values(entry.fits[0]))
            return float("inf") if found is None else sign * found

        return sorted(entries, key=place)

    def _start(self) -> Entry | None:
        """Return the next new candidate, None when there is none or no budget for one."""
        if self.most is not None and self.tried() >= self.most:
            self.cut = self.cut or bool(self.portfolio or self.spaces)
            return None
        late = self.course.clock.spare() < self.until and not self.course.recalled
        if late and self._done():
            self.cut = True
            return None
        folds = list(self.plan.slots[: self.plan.folds])
        if self.portfolio:
            candidate = self.portfolio.pop(0)
            free = sum(e.source == "portfolio" for e in self.course.entries) < FREE
            return self.course.enter(candidate, "portfolio", folds, len(folds) if free else 1)
        return self._tune(folds)

    def _tune(self, folds: Sequence[Slot]) -> Entry | None:
        number = sum(entry.source == "tuning" for entry in self.course.entries)
        if not self.spaces or number >= MOST_TUNED:
            return None
        if self.tuner is None:
            seed = self.course.bound.seed
            self.tuner = Tuner(self.spaces, seed, higher=self.bench.higher)
            for entry in self._done():
                self.tuner.tell(entry.candidate, entry.score)
        candidate = self.tuner.ask()
        return None if candidate is None else self.course.enter(candidate, "tuning", folds, 1)

    def _shown(self, entry: Entry, slot: Slot, fit: FoldFit) -> None:
        """Look at a result in its turn: discard, go on, or put the folds together."""
        if entry.status == "failed":
            self._tell(entry, None)
        if entry.status != "open" or slot.number < 0 or entry.score is not None:
            return
        count = len(self.plan.simple) if entry.source == "baseline" else self.plan.folds
        if len(entry.folds) == min(count, len(entry.slots)):
            self._finished(entry)
        elif entry.allowed < len(entry.slots):
            self._decide(entry, slot, fit)

    def _decide(self, entry: Entry, slot: Slot, fit: FoldFit) -> None:
        done = self._done()
        leaders = self._on(slot, done[:LEADERS])
        scores: list[float] = []
        if entry.source == "tuning":
            found = (self.bench.score(slot.valid, v) for v in self._on(slot, done).values())
            scores = [score for score in found if score is not None]
        why = self.judge.behind(slot, self.bench.values(fit), leaders, scores)
        if why:
            entry.status, entry.why = "discarded", why
            self._tell(entry, self.bench.score(slot.valid, self.bench.values(fit)), part=True)
        else:
            entry.allowed = len(entry.slots)

    def _finished(self, entry: Entry) -> None:
        slots = self.slots_of(entry)
        trial = self.bench.trial(entry.candidate, slots, entry.folds)
        entry.score = trial.score
        if trial.score is None:
            entry.status, entry.why = "failed", "its folds leave the metric undefined"
        if entry.source == "baseline":
            return
        self._tell(entry, trial.score)
        done = self._done()
        if done:
            self.course.said = f"{done[0].score:.4f} ({done[0].candidate.name})"
            bags = bags_for(self.plan.rows)
            self.course.clock.expect([e.folds for e in done[:MEMBERS]], bags)

    def slots_of(self, entry: Entry) -> list[Slot]:
        """Return the slots of the folds that are shown."""
        slots = {slot.number: slot for slot in entry.slots}
        return [slots[fit.fold] for fit in entry.folds]

    def _tell(self, entry: Entry, score: float | None, *, part: bool = False) -> None:
        if self.tuner is not None and entry.source != "baseline":
            self.tuner.tell(entry.candidate, score, part=part)

    def _done(self) -> list[Entry]:
        """Return the finished candidates, the best first."""
        sign = -1.0 if self.bench.higher else 1.0
        found = [e for e in self.course.entries if e.source != "baseline" and e.score is not None]
        return sorted(found, key=lambda e: sign * (e.score or 0.0))

    def _on(self, slot: Slot, entries: Sequence[Entry]) -> Mapping[str, Floats]:
        """Return the predictions of a slot's rows by name."""
        return {
            entry.candidate.name: self.bench.values(fit)
            for entry in entries
            for fit in entry.fits
            if fit.fold == slot.number and not fit.failed
        }

    def _polish_from(self) -> None:
        """Set the time from which the best get other folds, where they do."""
        spare = self.course.clock.spare()
        if self.plan.repeats > 1 and np.isfinite(spare):
            self.until = POLISH_SHARE * max(0.0, spare)

    def _polish(self) -> None:
        """Give the best other folds, one repeat for all of them after the other."""
        best = self._done()[:POLISHED]
        for repeat in range(1, self.plan.repeats):
            first = repeat * self.plan.folds
            for entry in best:
                entry.slots += self.plan.slots[first : first + self.plan.folds]
                entry.allowed = len(entry.slots)
            self.course.go(lambda: None)


def repeated(course: Course, bench: Bench, board: Leaderboard) -> Steps:
    """Fit what an earlier search fitted to the end, and nothing else."""
    steps = Steps(course, bench, BudgetSection())
    every = [(trial, course.plan.simple) for trial in board.baselines]
    every += [(trial, course.plan.slots) for trial in board.trials]
    for place, (trial, slots) in enumerate(every):
        if trial.status == "done":
            source: Source = "baseline" if place < len(board.baselines) else "portfolio"
            course.enter(trial.candidate, source, slots[: trial.folds], trial.folds)
    course.go(lambda: None)
    return steps
