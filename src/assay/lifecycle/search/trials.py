"""The folds of a candidate put together: its score, interval, and predictions out of fold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from assay.errors import DataError
from assay.kernel.family import Predictions
from assay.kernel.store import Store
from assay.lifecycle.material import Material, read_array, write_array
from assay.lifecycle.search.plan import Plan, Slot
from assay.metrics import get
from assay.metrics.intervals.estimates import estimates
from assay.records.fitted import Candidate, FoldFit, Trial

Floats = NDArray[np.float64]

REPLICATES = 400


@dataclass(frozen=True)
class Bench:
    """What predictions of the training rows are measured with."""

    material: Material
    plan: Plan
    store: Store
    truth: NDArray[np.int64] | Floats

    @classmethod
    def of(cls, material: Material, plan: Plan, store: Store) -> Bench:
        """Return the bench of a search."""
        return cls(material, plan, store, material.rows(material.train_index).truth)

    @property
    def higher(self) -> bool:
        """Return True when more of the primary metric is better."""
        return get(self.material.problem.primary).higher_is_better

    def values(self, fit: FoldFit) -> Floats:
        """Return the stored predictions of a fit."""
        return read_array(self.store.get(fit.predictions))

    def score(self, places: NDArray[np.int64], values: Floats) -> float | None:
        """Return the primary metric at these places, None where they leave it undefined."""
        problem = self.material.problem
        try:
            return get(problem.primary).compute(
                self.truth[places], Predictions(values, problem.classes), problem.positive_code
            )
        except DataError:
            return None

    def interval(self, values: Floats) -> tuple[float, float] | tuple[None, None]:
        """Return the ends of the interval of the primary metric out of fold."""
        problem = self.material.problem
        rows = known(values)
        try:
            found = estimates(
                [get(problem.primary)],
                self.truth[rows],
                Predictions(values[rows], problem.classes),
                positive_code=problem.positive_code,
                replicates=REPLICATES,
            )[problem.primary]
        except DataError:
            return None, None
        return found.low, found.high

    def out_of_fold(self, slots: Sequence[Slot], fits: Sequence[FoldFit]) -> Floats:
        """Return predictions of all training rows, the mean of the repeats, NaN where none is."""
        parts = [self.values(fit) for fit in fits]
        total = np.zeros((self.truth.size, *parts[0].shape[1:]))
        count = np.zeros(self.truth.size)
        for slot, part in zip(slots, parts, strict=True):
            total[slot.valid] += part
            count[slot.valid] += 1
        count[count == 0] = np.nan
        mean: Floats = total / count.reshape(-1, *[1] * (total.ndim - 1))
        return mean

    def trial(self, candidate: Candidate, slots: Sequence[Slot], fits: Sequence[FoldFit]) -> Trial:
        """Return the trial of these fits, one for each of the slots, without its interval."""
        values = self.out_of_fold(slots, fits)
        rows = known(values)
        each = [self.score(s.valid, self.values(f)) for s, f in zip(slots, fits, strict=True)]
        saw = max(fit.rows or 0 for fit in fits)
        whole = max(slot.train.size for slot in self.plan.slots)
        return Trial(
            candidate=candidate,
            status="done",
            score=self.score(np.flatnonzero(rows), values[rows]),
            at=max(fit.at for fit in fits),
            rows=saw if saw < whole or self.plan.keep else None,
            scores=tuple(score for score in each if score is not None),
            rounds=tuple(fit.rounds for fit in fits if fit.rounds is not None),
            predictions=self.store.put(write_array(values)),
            folds=len(fits),
            state=fits[0].state,
            seconds=round(sum((fit.seconds for fit in fits), 0.0), 3),
        )


def known(values: Floats) -> NDArray[np.bool_]:
    """Return which rows have a prediction."""
    finite: NDArray[np.bool_] = np.isfinite(values.reshape(len(values), -1))
    return np.asarray(finite.all(axis=1))
