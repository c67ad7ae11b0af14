"""Baselines and candidates, cross-validated inside the budget; the best few weighted together."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from assay.errors import AssayError, DataError, SpecError
from assay.kernel.family import Predictions, Rows
from assay.kernel.loader import load
from assay.kernel.plugins import load_family
from assay.kernel.stage import Context, Inputs, Note, take
from assay.lifecycle.ensemble import select
from assay.lifecycle.material import Material, read_array, write_array
from assay.metrics import get
from assay.records.base import digest
from assay.records.fitted import Candidate, FoldFit, Leaderboard, Trial, Weighting
from assay.records.snapshot import DataSnapshot, Problem
from assay.records.spec import BudgetSection
from assay.records.split import Split

STOP_ON = 8
"""One of so many rows is held back from a fit that stops early."""

SEARCH_SHARE = 0.75
"""The part of the time budget for cross-validation; the rest is for fitting the members again."""

Answer = tuple[str, int, NDArray[np.float64] | None, int | None, float, str]


@dataclass
class Search:
    """The state of one search: what is fitted, and how much of the budget it took.

    Time is the sum of the recorded seconds of the fits, so a search that was killed goes on with
    the budget it had left.
    """

    material: Material
    context: Context
    scope: str
    seed: int
    limit: float
    fits: dict[tuple[str, int], FoldFit] = field(default_factory=dict)
    given_up: set[str] = field(default_factory=set)
    total: int = 0

    def spent(self) -> float:
        """Return the seconds of the budget that are used up."""
        # a copy: an executor may read the calls, and so the budget, in a thread of its own
        return sum(fit.seconds for fit in list(self.fits.values())) / self.context.executor.workers

    def key(self, candidate: Candidate, fold: int) -> str:
        """Return the key of one fold's fit."""
        return digest({"fit": self.scope, "candidate": candidate, "fold": fold, "seed": self.seed})

    def run(self, candidates: Sequence[Candidate], *, limited: bool) -> None:
        """Fit every candidate on every fold, as far as the budget goes."""
        self.total += len(candidates) * len(self.material.folds)
        for name, fold, values, rounds, seconds, failed in self.context.executor.run(
            self._calls(candidates, limited=limited)
        ):
            fit = FoldFit(
                candidate=name,
                fold=fold,
                predictions="" if values is None else self.context.store.put(write_array(values)),
                rounds=rounds,
                seconds=round(seconds, 3),
                failed=failed,
            )
            key = self.key(next(c for c in candidates if c.name == name), fold)
            if not failed:  # what failed may do better when it is tried again
                self.context.remember(key, f"fit:{name}:{fold}", fit, (), seconds=fit.seconds)
            self._done(fit)

    def _calls(
        self, candidates: Sequence[Candidate], *, limited: bool
    ) -> Iterator[tuple[Callable[..., Answer], tuple[Any, ...]]]:
        for place, candidate in enumerate(candidates):
            for fold in self.material.folds:
                known = self.context.recall(self.key(candidate, fold), FoldFit)
                if known is not None:
                    self._done(known)
                    continue
                if any(fit.failed for fit in self.folds_of(candidate)):
                    break
                if limited and place > 0 and self._too_long(candidate.name):
                    self.given_up.add(candidate.name)
                    break
                train, valid = self.material.fold(fold)
                yield (
                    fit_fold,
                    (
                        candidate,
                        fold,
                        self.material.problem,
                        self.material.rows(train),
                        self.material.rows(valid),
                        self.material.ordered,
                        self.seed,
                        self.context.executor.threads,
                    ),
                )

    def _too_long(self, name: str) -> bool:
        """Return True when the folds that are left would take the search over its limit."""
        mine = [fit.seconds for (n, _), fit in list(self.fits.items()) if n == name]
        left = len(self.material.folds) - len(mine)
        expected = left * float(np.mean(mine)) / self.context.executor.workers if mine else 0.0
        return self.spent() + expected > self.limit

    def _done(self, fit: FoldFit) -> None:
        self.fits[fit.candidate, fit.fold] = fit
        text = f"{fit.candidate}, fold {fit.fold}"
        self.context.notify(Note("search", text, len(self.fits), self.total))

    def trial(self, candidate: Candidate) -> Trial:
        """Put the folds of a candidate together."""
        fits = self.folds_of(candidate)
        failed = next((fit.failed for fit in fits if fit.failed), "")
        seconds = round(sum((fit.seconds for fit in fits), 0.0), 3)
        if failed:
            return Trial(candidate=candidate, status="failed", seconds=seconds, note=failed)
        if len(fits) < len(self.material.folds):
            note = f"over the budget after {len(fits)} of {len(self.material.folds)} folds"
            return Trial(candidate=candidate, status="skipped", seconds=seconds, note=note)
        values = self._out_of_fold(fits)
        known = _known(values)
        return Trial(
            candidate=candidate,
            status="done",
            score=self._score(self.material.train_index[known], values[known]),
            scores=tuple(self._fold_scores(fits)),
            rounds=tuple(fit.rounds for fit in fits if fit.rounds is not None),
            predictions=self.context.store.put(write_array(values)),
            seconds=seconds,
        )

    def folds_of(self, candidate: Candidate) -> list[FoldFit]:
        """Return the fits of a candidate so far, in the order of the folds."""
        known = dict(self.fits)
        keys = [(candidate.name, fold) for fold in self.material.folds]
        return [known[key] for key in keys if key in known]

    def _fold_scores(self, fits: Sequence[FoldFit]) -> Iterator[float]:
        """Yield the score of each fold, passing over folds that leave the metric undefined."""
        for fit in fits:
            values = read_array(self.context.store.get(fit.predictions))
            with suppress(DataError):
                yield self._score(self.material.fold(fit.fold)[1], values)

    def _out_of_fold(self, fits: Sequence[FoldFit]) -> NDArray[np.float64]:
        """Return predictions for all training rows, NaN where no fold validates a row."""
        train = self.material.train_index
        parts = [read_array(self.context.store.get(fit.predictions)) for fit in fits]
        values = np.full((train.size, *parts[0].shape[1:]), np.nan)
        for fit, part in zip(fits, parts, strict=True):
            values[np.searchsorted(train, self.material.fold(fit.fold)[1])] = part
        return values

    def _score(self, index: NDArray[np.int64], values: NDArray[np.float64]) -> float:
        problem = self.material.problem
        truth = self.material.rows(index).truth
        return get(problem.primary).compute(
            truth, Predictions(values, problem.classes), problem.positive_code
        )


def fit_fold(
    candidate: Candidate,
    fold: int,
    problem: Problem,
    train: Rows,
    valid: Rows,
    ordered: bool,
    seed: int,
    threads: int,
) -> Answer:
    """Fit one candidate on one fold and predict its validation rows; runs in any process.

    A library that fails on these rows gives a failed fit, not a failed search.
    """
    family = load_family(problem.family)
    if family.capabilities.trainer:
        load(family.capabilities.trainer)  # outside of the time that counts
    start = time.perf_counter()
    try:
        part, stop = _held_back(train, ordered, seed) if candidate.stops_early else (train, None)
        model = family.fit(candidate, problem, part, stop, None, seed, threads)
        values = model.predict(valid.frame).values
    except AssayError:
        raise
    except Exception as error:  # noqa: BLE001 (whatever a library raises)
        failed = f"{type(error).__name__}: {error}"[:300]
        return candidate.name, fold, None, None, time.perf_counter() - start, failed
    return candidate.name, fold, values, model.rounds, time.perf_counter() - start, ""


def _held_back(rows: Rows, ordered: bool, seed: int) -> tuple[Rows, Rows]:
    """Return rows to fit on and rows to stop on, so that no row stops a fit that it scores.

    The stopping rows are the last in an ordered table, else a random share of each class.
    """
    size = rows.truth.size
    order = np.arange(size)
    if ordered:
        back = order[-max(1, size // STOP_ON) :]
    else:
        order = np.random.default_rng(seed).permutation(size)
        if rows.truth.dtype == np.int64:
            order = order[np.argsort(rows.truth[order], kind="stable")]
        back = order[STOP_ON // 2 :: STOP_ON]
    back, kept = np.sort(back), np.setdiff1d(order, back)
    return _part(rows, kept), _part(rows, back)


def _part(rows: Rows, index: NDArray[np.int64]) -> Rows:
    weight = None if rows.weight is None else rows.weight[index]
    return Rows(rows.frame[index], rows.truth[index], weight)


def search(inputs: Inputs, context: Context) -> Leaderboard:
    """Run the stage: baselines without a limit, candidates inside it, then the selection."""
    material = Material.open(inputs, context.store)
    split = take(inputs, "split", Split)
    budget = take(inputs, "spec.budget", BudgetSection)
    columns = take(inputs, "snapshot", DataSnapshot).columns
    state = Search(material, context, fit_scope(inputs), split.seed, budget.time * SEARCH_SHARE)
    baselines = material.family.baselines(material.problem, columns)
    declared = material.family.candidates(material.problem, columns, split.train)
    candidates = chosen(declared, budget.only)
    state.run(baselines, limited=False)
    state.run(candidates, limited=True)
    simple = _ranked([state.trial(c) for c in baselines], material.problem)
    trials = _ranked([state.trial(c) for c in candidates], material.problem)
    # the best baseline alone: a constant among the members gains rank by chance, costs calibration
    done = [trial for trial in (*simple[:1], *trials) if trial.status == "done"]
    if simple[0].status != "done":
        raise DataError(
            "SEARCH-NO-BASELINE",
            "not even a baseline could be fitted on these rows",
            got=simple[0].note,
            hint="`assay check` shows what the table holds",
        )
    weights, score = _combine(state, done)
    return Leaderboard(
        metric=material.problem.primary,
        baselines=tuple(simple),
        trials=tuple(trials),
        weights=weights,
        score=score,
        stopped_by="budget" if state.given_up else "done",
        seconds=round(state.spent(), 3),
    )


def chosen(declared: Sequence[Candidate], only: Sequence[str]) -> list[Candidate]:
    """Return the candidates that `budget.only` names, all when it names none.

    Raises SpecError for a name that the family does not declare.
    """
    names = [candidate.name for candidate in declared]
    unknown = [name for name in only if name not in names]
    if unknown:
        raise SpecError(
            "BUDGET-ONLY",
            "budget.only names what is no candidate of this family",
            where="budget.only",
            got=unknown,
            allowed=names,
            hint="choose among these names, or remove the key to try them all",
        )
    return [candidate for candidate in declared if not only or candidate.name in only]


def fit_scope(inputs: Inputs) -> str:
    """Return the digest of everything but the candidate that decides what a fit gives.

    Metrics are not part of it: another headline fits nothing again.
    """
    problem = msgspec.structs.replace(
        take(inputs, "problem", Problem), primary="", also=(), reason=""
    )
    split, content = take(inputs, "split", Split), take(inputs, "snapshot", DataSnapshot).content
    weigh = inputs.get("weigh")
    weights = [weigh.rows] if isinstance(weigh, Weighting) and weigh.rows else []
    return digest([problem, content, split.rows, split.ordered, inputs["engine"], *weights])


def _combine(state: Search, trials: Sequence[Trial]) -> tuple[dict[str, float], float]:
    """Choose weights on the rows that every finished trial predicted."""
    problem = state.material.problem
    values = {t.candidate.name: read_array(state.context.store.get(t.predictions)) for t in trials}
    known = np.logical_and.reduce([_known(v) for v in values.values()])
    truth = state.material.rows(state.material.train_index[known]).truth
    return select(
        get(problem.primary),
        truth,
        {name: v[known] for name, v in values.items()},
        problem.classes,
        problem.positive_code,
    )


def _known(values: NDArray[np.float64]) -> NDArray[np.bool_]:
    finite: NDArray[np.bool_] = np.isfinite(values.reshape(len(values), -1))
    return np.asarray(finite.all(axis=1))


def _ranked(trials: Sequence[Trial], problem: Problem) -> list[Trial]:
    """Sort the best first; those without a score go last, in the order tried."""
    sign = -1 if get(problem.primary).higher_is_better else 1
    return sorted(trials, key=lambda t: float("inf") if t.score is None else sign * t.score)
