"""From the course of a search to its leaderboard."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import takewhile

import msgspec
import numpy as np

from assay.errors import DataError
from assay.lifecycle.combine import Combination, combine
from assay.lifecycle.material import read_array
from assay.lifecycle.search.clock import Clock, bags_for
from assay.lifecycle.search.course import Course, Entry
from assay.lifecycle.search.steps import Steps
from assay.lifecycle.search.trials import Bench, known
from assay.metrics import get
from assay.records.fitted import Leaderboard, Trial

COMBINED, OF_A_KIND = 40, 2
"""The best so many trials, and so many of each kind, are offered to the combination."""
SHOWN = 25
"""The best so many trials get an interval."""


def leaderboard(steps: Steps, bench: Bench, clock: Clock, bags: int | None = None) -> Leaderboard:
    """Return the trials ranked, and what the best of them answer together.

    `bags` is what an earlier run settled on; without it, it goes by the rows and the time left.
    Raises DataError SEARCH-NO-BASELINE when not even a baseline could be fitted.
    """
    course = steps.course
    repeats = _repeats(course)
    simple = _ranked([_trial(bench, e, 1) for e in course.entries if e.source == "baseline"], bench)
    begun = [e for e in course.entries if e.source == "portfolio" or e.sent]
    others = [_trial(bench, e, repeats) for e in begun if e.source != "baseline"]
    trials = _ranked(others, bench)
    if not simple or simple[0].status != "done":
        raise DataError(
            "SEARCH-NO-BASELINE",
            "not even a baseline could be fitted on these rows",
            got=simple[0].note if simple else "",
            hint="`assay check` shows what the table holds",
        )
    offered = _offered(simple[0], trials)
    found = _combined(bench, offered)
    return Leaderboard(
        metric=bench.material.problem.primary,
        baselines=tuple(_with_interval(bench, trial) for trial in simple),
        trials=tuple(
            _with_interval(bench, trial) if place < SHOWN else trial
            for place, trial in enumerate(trials)
        ),
        weights=found.weights,
        pool=found.pool,
        score=found.score,
        steps=found.steps,
        bags=_bags(course, clock, found.weights) if bags is None else bags,
        iterations=steps.tried(),
        stopped_by="budget" if steps.cut else "done",
        seconds=clock.at(),
    )


def _repeats(course: Course) -> int:
    """Return how many repeats all have that were given more than one, at least 1."""
    folds = course.plan.folds
    tried = [e for e in course.entries if e.source != "baseline" and e.status != "failed"]
    more = [entry for entry in tried if len(entry.slots) > folds + 1]
    return max(1, min((len(entry.folds) // folds for entry in more), default=1))


def _trial(bench: Bench, entry: Entry, repeats: int) -> Trial:
    """Put the folds of a candidate together, those of so many repeats at most."""
    fits, candidate = entry.folds, entry.candidate
    seconds = round(sum((fit.seconds for fit in entry.fits), 0.0), 3)
    at = max((fit.at for fit in entry.fits), default=0.0)
    slots = {slot.number: slot for slot in entry.slots}
    count = len(bench.plan.simple) if entry.source == "baseline" else bench.plan.folds
    if entry.score is not None:
        fine = list(takewhile(lambda fit: not fit.failed, fits))  # it may fail in a repeat
        some = fine[: repeats * count if len(fine) >= repeats * count else count]
        return bench.trial(candidate, [slots[fit.fold] for fit in some], some)
    note = entry.why or f"over the budget after {len(fits)} of {count} folds"
    scores = [bench.score(slots[f.fold].valid, bench.values(f)) for f in fits if not f.failed]
    return Trial(
        candidate=candidate,
        status="skipped" if entry.status == "open" else entry.status,
        at=at,
        scores=tuple(score for score in scores if score is not None),
        seconds=seconds,
        note=note,
    )


def _begun(bench: Bench, course: Course) -> list[Trial]:
    """Return the first candidate that has a fold, where there was time for no more.

    What is validated on few rows is better than a constant. Its entry is taken out.
    """
    for entry in course.entries:
        fits = list(takewhile(lambda fit: not fit.failed, entry.folds))
        if entry.source != "baseline" and entry.status == "open" and fits:
            course.entries.remove(entry)
            slots = {slot.number: slot for slot in entry.slots}
            return [bench.trial(entry.candidate, [slots[fits[0].fold]], fits[:1])]
    return []


def _with_interval(bench: Bench, trial: Trial) -> Trial:
    if not trial.predictions:
        return trial
    low, high = bench.interval(read_array(bench.store.get(trial.predictions)))
    return msgspec.structs.replace(trial, low=low, high=high)


def _ranked(trials: Sequence[Trial], bench: Bench) -> list[Trial]:
    """Sort the best first; those without a score go last, in the order tried."""
    sign = -1 if bench.higher else 1
    return sorted(trials, key=lambda t: float("inf") if t.score is None else sign * t.score)


def _offered(baseline: Trial, trials: Sequence[Trial]) -> list[Trial]:
    """Return what the combination may choose from: the best, some of each kind, one baseline.

    Where the best have more repeats than the rest, only they: a mean of several models out of fold
    would win over a single one for that alone.
    """
    done = [trial for trial in trials if trial.status == "done"]
    most = max((trial.folds for trial in done), default=0)
    done = [trial for trial in done if trial.folds == most]
    kinds: Counter[str] = Counter()
    found = []
    for place, trial in enumerate(done):
        kinds[trial.candidate.kind] += 1
        if place < COMBINED or kinds[trial.candidate.kind] <= OF_A_KIND:
            found.append(trial)
    # the best baseline alone: a constant among the members gains rank by chance, costs calibration
    return [baseline, *found]


def _combined(bench: Bench, trials: Sequence[Trial]) -> Combination:
    """Combine on the rows that all of the trials predicted."""
    problem = bench.material.problem
    values = {t.candidate.name: read_array(bench.store.get(t.predictions)) for t in trials}
    rows = np.logical_and.reduce([known(found) for found in values.values()])
    fold = np.full(bench.truth.size, -1, dtype=np.int64)
    for slot in bench.plan.slots[: bench.plan.folds]:
        fold[slot.valid] = slot.number
    return combine(
        get(problem.primary),
        problem,
        bench.truth[rows],
        {name: found[rows] for name, found in values.items()},
        fold[rows],
        bench.plan.seed,
    )


def _bags(course: Course, clock: Clock, weights: Mapping[str, float]) -> int:
    """Return how many models a member that varies is the mean of, fewer where time is short."""
    members = [e for e in course.entries if e.candidate.name in weights and e.folds]
    bags = bags_for(course.plan.rows)

    def seconds(count: int) -> float:
        each = [count if entry.candidate.varies else 1 for entry in members]
        return clock.members([entry.folds for entry in members], each)

    while bags > 1 and seconds(bags) > clock.context.left() - clock.after():
        bags -= 1
    return bags
