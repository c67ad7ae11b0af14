"""Constrained training: weights of rows found by fairlearn's reduction; needs the extra `fairness`.

fairlearn's own answer is a lottery between models. What is taken from it is the best single model:
its weights go through an ordinary fit, so that it is exported and served like any other.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from fairlearn.reductions import (
    DemographicParity,
    EqualizedOdds,
    ExponentiatedGradient,
    TruePositiveRateParity,
)
from numpy.typing import NDArray

from assay.evaluate.fairness.mitigation import gap

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]
Mask = NDArray[np.bool_]
Learn = Callable[[Codes, Codes, Floats], Callable[[Codes], Mask]]
"""Fits on these rows, with these labels and weights; what comes back says which rows are called."""

TURNS = 8
"""Iterations of the reduction, each a fit."""
SLACK = 0.005
TRIED, PARTS = 4, (0.25, 0.5, 0.75, 1.0)
HELD = 3
"""One of so many rows says which of the fits is the fairest."""
MOST_LOST = 0.02
"""Accuracy that a fairer fit may cost."""
_CONSTRAINTS: dict[str, Callable[..., Any]] = {
    "demographic_parity": DemographicParity,
    "equal_opportunity": TruePositiveRateParity,
    "equalized_odds": EqualizedOdds,
    "average_odds": EqualizedOdds,
}


class _Learner:
    """What the reduction takes for an estimator: its features are the rows' places."""

    def __init__(self, learn: Learn, seen: Callable[[Codes, Codes, Floats], None]) -> None:
        self.learn, self.seen = learn, seen

    def fit(self, x: Any, y: Any, sample_weight: Any) -> _Learner:
        rows, labels = np.asarray(x)[:, 0].astype(np.int64), np.asarray(y).astype(np.int64)
        weight = np.asarray(sample_weight, dtype=np.float64)
        self.seen(rows, labels, weight)
        self.called = self.learn(rows, labels, weight)
        return self

    def predict(self, x: Any) -> Codes:
        return self.called(np.asarray(x)[:, 0].astype(np.int64)).astype(np.int64)


def constrained(
    learn: Learn, positive: Mask, groups: NDArray[Any], definition: str, seed: int
) -> Floats:
    """Return (n,) weights, one for each group and class, mean 1, of a fit that treats groups alike.

    `positive` (n,) is the truth. The reduction (Agarwal et al. 2018, ICML) proposes weights on two
    thirds of the rows; the rest choose the fairest that costs at most two points of accuracy. A
    label that the reduction would turn round gets no weight.
    """
    order = np.random.default_rng(seed).permutation(len(positive))
    held, part = np.sort(order[::HELD]), np.sort(np.delete(order, np.s_[::HELD]))
    names, group = np.unique(groups.astype(str), return_inverse=True)
    cell = 2 * group + positive
    size = 2 * len(names)
    proposed: list[Floats] = []

    def seen(rows: Codes, labels: Codes, weight: Floats) -> None:
        signed = np.where(labels == positive[rows], weight, -weight)
        count = np.bincount(cell[rows], minlength=size)
        proposed.append(np.bincount(cell[rows], signed, size) / np.maximum(count, 1))

    reduction = ExponentiatedGradient(
        _Learner(learn, seen), _CONSTRAINTS[definition](), eps=SLACK, max_iter=TURNS
    )
    labels = positive[part].astype(np.int64)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # between fairlearn and pandas
        reduction.fit(part[:, None], labels, sensitive_features=group[part])
    tried = [np.ones(size), *_candidates(proposed)]
    found = [
        _measured(learn, part, held, positive, group, weight[cell], definition) for weight in tried
    ]
    apart, right = np.array(found).T
    fit = right >= right[0] - MOST_LOST
    weight = tried[int(np.where(fit, apart, np.inf).argmin())][cell]
    even: Floats = weight * (len(weight) / weight.sum())
    return even


def _candidates(proposed: list[Floats]) -> list[Floats]:
    """Return means of the weights proposed so far, where the reduction settles, whole and in part.

    A part is on the way from equal weights.
    """
    means = np.cumsum(proposed, axis=0) / np.arange(1, len(proposed) + 1)[:, None]
    some = np.unique(np.linspace(0, len(means) - 1, TRIED).round().astype(np.int64))
    whole = np.maximum(means[some], 0.0)
    return [1 + part * (weight - 1) for weight in whole for part in PARTS]


def _measured(
    learn: Learn,
    part: Codes,
    held: Codes,
    positive: Mask,
    group: Codes,
    weight: Floats,
    definition: str,
) -> tuple[float, float]:
    """Return the difference between groups and the accuracy on the rows held back."""
    called = learn(part, positive[part].astype(np.int64), weight[part])(held)
    truth, codes = positive[held], group[held]

    def share(mask: Mask) -> Floats:
        count = np.bincount(codes[mask], minlength=int(group.max()) + 1)
        return np.bincount(codes[mask], called[mask], len(count)) / np.maximum(count, 1)

    rates = np.stack([share(truth), share(~truth), share(np.ones_like(truth))])
    return float(gap(definition, np.ptp(rates, axis=1))), float((called == truth).mean())
