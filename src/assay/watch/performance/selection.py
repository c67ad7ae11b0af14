"""Which rows got labels: whether they score like the rest, and weights that make up for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtrc

from assay.metrics import Metric
from assay.metrics.intervals.linear import critical
from assay.metrics.weighted import Floats, Rows, Weighted
from assay.records.report import Estimate
from assay.watch.performance.asked import within

CHANCE = 0.001
"""A difference between the scores of labelled and other rows that is less likely is one."""
UNCOVERED = 0.1
"""Share of rows whose scores nobody labelled, above which nothing can be said of all rows."""
FEWEST = 5
"""Labelled rows that a bin of scores needs to speak for the others in it."""
REPLICATES = 200
MOST = 20_000
"""Labelled rows that are drawn at once; the spread of more is that of so many, scaled."""


@dataclass(frozen=True)
class Selection:
    """How labelled rows stand for all: their (labelled,) weights, mean 1, None where all are alike.

    `missing` is the share of rows whose scores no labelled row has.
    """

    weights: Floats | None
    missing: float = 0.0

    @property
    def reason(self) -> str:
        """Say what was done about it, "" where nothing was."""
        if self.weights is None:
            return ""
        return "labels came rather for some scores than for others, and are weighted for it"


def selection(labelled: NDArray[np.int64], others: NDArray[np.int64], *, among: bool) -> Selection:
    """Return how labelled rows were selected: the (n,) bins of their scores, and of other rows.

    The labelled stand for both together, or with `among` for the others, of which they are some.
    Two samples on bins: Pearson's chi-square (1900). Weights are all rows over labelled rows of the
    bin: inverse propensities (Horvitz and Thompson 1952, JASA 47); bins with fewer than FEWEST
    labelled rows have none.
    """
    if not len(labelled) or not len(others):
        return Selection(None)
    size = int(max(labelled.max(), others.max())) + 1
    labels, rest = (
        np.bincount(bins, minlength=size).astype(np.float64) for bins in (labelled, others)
    )
    both = labels + rest
    scale = np.sqrt(len(others) / len(labelled))
    seen = both > 0
    distance = float(((labels * scale - rest / scale)[seen] ** 2 / both[seen]).sum())
    if float(chdtrc(max(int(seen.sum()) - 1, 1), distance)) >= CHANCE:
        return Selection(None)
    everyone = rest if among else both
    enough = labels >= FEWEST
    weight = np.where(enough, everyone / np.maximum(labels, 1.0), 0.0)[labelled]
    missing = float(everyone[~enough].sum() / everyone.sum())
    return Selection(weight / max(weight.mean(), 1e-300), missing)


def weighted_estimates(
    metric: Metric,
    rows: Rows,
    weights: Floats,
    levels: Sequence[float],
    plain: Sequence[Estimate],
) -> list[Estimate]:
    """Return the metric of weighted rows, with an interval for each level.

    The interval is that of Rubin's Bayesian bootstrap (1981, Annals of Statistics 9), every row's
    draw times its weight, taken as normal. That has no width where few rows of a class are all
    right or all wrong, so it is no narrower than that of as many rows as the weights leave (Kish
    1965), from `plain`, the estimates without weights.
    """
    value = float(metric.values(Weighted(rows, weights[None]))[0])
    some = np.linspace(0, rows.n - 1, min(rows.n, MOST)).astype(np.int64)
    part, rng = rows.take(some), np.random.default_rng(0)
    drawn = np.concatenate(
        [
            metric.values(Weighted(part, rng.standard_exponential((20, len(some))) * weights[some]))
            for _ in range(REPLICATES // 20)
        ]
    )
    spread = float(np.nanstd(drawn, ddof=1) * np.sqrt(len(some) / rows.n))
    thinner = float(np.sqrt(rows.n * (weights**2).sum()) / weights.sum())
    found = []
    for level, one in zip(levels, plain, strict=True):
        arm = critical(level, rows.n) * spread
        below, above = (max(arm, thinner * a) for a in (one.value - one.low, one.high - one.value))
        found.append(within(metric, value, value - below, value + above, rows.n))
    return found
