"""What tuning tries next: one tree-structured Parzen estimator for each space (Optuna).

Source: Bergstra et al. 2011, NeurIPS, "Algorithms for Hyper-Parameter Optimization", section 4.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from assay.kernel.loader import load
from assay.records.base import digest
from assay.records.fitted import Candidate, Knob, Space

STARTUP = 8
"""Random trials of a space before the estimator speaks."""
SAME = 10
"""So many proposals that were tried before, one after the other, and a space is used up."""


@dataclass
class _Study:
    """A space, its sampler, and what came of it; `scores` are of whole trials."""

    space: Space
    study: Any
    distributions: dict[str, Any]
    asked: int = 0
    running: dict[str, Any] = field(default_factory=dict)
    scores: list[float] = field(default_factory=list)
    tried: set[str] = field(default_factory=set)


class Tuner:
    """Asks and tells the studies; the same calls in the same order give the same proposals."""

    def __init__(self, spaces: Sequence[Space], seed: int, *, higher: bool) -> None:
        self.higher = higher
        self._studies = [
            self._open(space, seed + place) for place, space in enumerate(spaces) if space.knobs
        ]

    def _open(self, space: Space, seed: int) -> _Study:
        load("optuna.logging:set_verbosity")(load("optuna.logging:WARNING"))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that `multivariate` may change some day
            sampler = load("optuna.samplers:TPESampler")(
                seed=seed, multivariate=True, constant_liar=True, n_startup_trials=STARTUP
            )
        study = load("optuna:create_study")(
            sampler=sampler, direction="maximize" if self.higher else "minimize"
        )
        return _Study(space, study, {knob.name: _distribution(knob) for knob in space.knobs})

    def ask(self) -> Candidate | None:
        """Return the next candidate, of the space that has had the least for how it does."""
        while self._studies:
            found = self._next()
            candidate = self._propose(found)
            if candidate is not None:
                return candidate
            self._studies.remove(found)
        return None

    def _next(self) -> _Study:
        def best(one: _Study) -> float:
            if not one.scores:
                return float("inf")
            return -max(one.scores) if self.higher else min(one.scores)

        order = sorted(self._studies, key=best)
        # the leader gets as much as the second and the third together, and so on
        shares = [(one.asked + 1) * (place + 2) for place, one in enumerate(order)]
        return order[min(range(len(order)), key=lambda place: shares[place])]

    def _propose(self, one: _Study) -> Candidate | None:
        base = one.space.candidate
        for _ in range(SAME):
            trial = one.study.ask(one.distributions)
            params = base.params | trial.params
            if digest(params) not in one.tried:
                one.tried.add(digest(params))
                one.asked += 1
                name = f"{base.name}_tuned_{one.asked}"
                one.running[name] = trial
                return msgspec.structs.replace(base, name=name, params=params)
            one.study.tell(trial, state=load("optuna.trial:TrialState").FAIL)
        return None

    def tell(self, candidate: Candidate, score: float | None, *, part: bool = False) -> None:
        """Say how a candidate did: its score, that of a `part` of its folds, or None if it failed.

        One that was not asked for, such as one of the portfolio, is told to the spaces that it
        lies in.
        """
        state = load("optuna.trial:TrialState")
        for one in self._studies:
            trial = one.running.pop(candidate.name, None)
            if trial is None and one.space.candidate.kind == candidate.kind:
                self._add(one, candidate, score, part=part)
            elif trial is not None and score is None:
                one.study.tell(trial, state=state.FAIL)
            elif trial is not None and part:
                trial.report(score, 1)
                one.study.tell(trial, state=state.PRUNED)
            elif trial is not None:
                one.study.tell(trial, score)
                one.scores.append(float(score or 0.0))

    def _add(self, one: _Study, candidate: Candidate, score: float | None, *, part: bool) -> None:
        wanted = {knob.name: candidate.params.get(knob.name) for knob in one.space.knobs}
        inside = all(_allows(knob, wanted[knob.name]) for knob in one.space.knobs)
        if score is None or part or not inside:
            return
        made = load("optuna.trial:create_trial")(
            params=wanted, distributions=one.distributions, value=score
        )
        one.study.add_trial(made)
        one.scores.append(score)
        one.tried.add(digest(one.space.candidate.params | wanted))


def _allows(knob: Knob, value: Any) -> bool:
    if knob.choices:
        return value in knob.choices
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and knob.low <= value <= knob.high and (not knob.whole or value == round(value))


def _distribution(knob: Knob) -> Any:
    if knob.choices:
        return load("optuna.distributions:CategoricalDistribution")(knob.choices)
    if knob.whole:
        low, high = round(knob.low), round(knob.high)
        return load("optuna.distributions:IntDistribution")(low, high, log=knob.log)
    return load("optuna.distributions:FloatDistribution")(knob.low, knob.high, log=knob.log)
