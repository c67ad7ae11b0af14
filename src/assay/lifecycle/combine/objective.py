"""What the choice of members makes small: a loss of blends that is quick to compute again.

Every prediction is turned once into what blends as it does itself: for numbers the error, for
classes the probability of the true class, or of the positive one. n rows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from assay.metrics import Metric
from assay.metrics.base import Truth
from assay.metrics.weighted import SMALLEST, Floats, divide

PICK_ROWS = 20_000
"""Members are picked on about so many rows, rare classes in full; they are judged on all."""
BINS = 1 << 14
"""Scores are ranked in so many bins, finest near 0, where rare classes lie."""

Loss = Callable[[Floats], float]


@dataclass(frozen=True)
class Sample:
    """Some rows by place, (n,), and how many rows each of them stands for."""

    index: NDArray[np.int64]
    weight: Floats

    @classmethod
    def of(cls, truth: Truth, numbers: bool, most: int, seed: int) -> Sample:
        """Return about `most` rows: of each class an equal share, or all when it has fewer."""
        draw = np.random.default_rng(seed)
        if numbers or len(truth) <= most:
            index = np.arange(len(truth))
            if len(truth) > most:
                index = np.sort(draw.permutation(len(truth))[:most])
            return cls(index, np.full(len(index), len(truth) / len(index)))
        sizes = np.bincount(truth.astype(np.int64))
        kept = np.minimum(sizes, _level(sizes, most))
        index = np.concatenate(
            [draw.permutation(np.flatnonzero(truth == c))[:n] for c, n in enumerate(kept)]
        )
        index = np.sort(index)
        stands = divide(sizes.astype(np.float64), kept.astype(np.float64), 0.0)
        return cls(index, stands[truth[index].astype(np.int64)])

    def where(self, mask: NDArray[np.bool_]) -> Sample:
        """Return the rows of the sample at which a (n,) mask is True."""
        return Sample(self.index[mask], self.weight[mask])


def _level(sizes: NDArray[np.int64], most: int) -> int:
    """Return how many rows each class may keep so that all together keep `most`."""
    left, classes = most, len(sizes)
    for size in np.sort(sizes):
        if size * classes >= left:
            break
        left, classes = left - int(size), classes - 1
    return max(1, left // max(1, classes))


def picks_by(metric: Metric, truth: Truth, classes: int, positive_code: int) -> str:
    """Return the name of the loss that stands for a metric on these rows.

    Labels change by jumps, calibration error can be small for no merit, and the areas of many
    classes take long: the log loss stands for them, and for what these rows leave undefined.
    """
    if not classes:
        return metric.name if metric.name in ("mae", "median_ae", "mape") else "rmse"
    ranks = metric.name in ("roc_auc", "average_precision")
    if ranks and metric.unfit(truth, classes, positive_code):
        return "log_loss"
    return metric.name if ranks or metric.name == "brier" else "log_loss"


def view_of(name: str, truth: Truth, values: Floats, positive_code: int) -> Floats:
    """Return the (n,) numbers that blend linearly and are enough for the loss `name`."""
    if values.ndim == 1:
        return values - truth
    if name in ("roc_auc", "average_precision"):
        return values[:, positive_code]
    given: Floats = values[np.arange(len(truth)), truth.astype(np.int64)]
    return given


def loss_of(name: str, truth: Truth, weight: Floats, positive_code: int) -> Loss:
    """Return the loss `name` as a function of a blend's view; rows count as `weight` says."""
    share = weight / weight.sum()
    if name in _MEANS:
        return _mean_of(_MEANS[name], share)
    if name == "mape":
        return _mean_of(np.abs, share / np.abs(truth))
    if name == "median_ae":
        return lambda view: float(np.median(np.abs(view)))
    formula = _one_area if name == "roc_auc" else _one_precision
    positive = truth == positive_code
    return lambda view: formula(view, positive, weight)


def _mean_of(formula: Callable[[Floats], Floats], share: Floats) -> Loss:
    def mean(view: Floats) -> float:
        with np.errstate(over="ignore", invalid="ignore"):
            value = float(formula(view) @ share)
        return value if np.isfinite(value) else np.inf

    return mean


def _surprise(view: Floats) -> Floats:
    found: Floats = -np.log(np.clip(view, SMALLEST, 1 - SMALLEST))
    return found


_MEANS: dict[str, Callable[[Floats], Floats]] = {
    "log_loss": _surprise,
    "brier": lambda view: (1 - view) ** 2,
    "rmse": np.square,
    "mae": np.abs,
}


def _binned(score: Floats, positive: NDArray[np.bool_], weight: Floats) -> tuple[Floats, Floats]:
    """Return the weight of the positive rows and of the others by bin, highest score first."""
    place = (np.sqrt(np.clip(score, 0.0, 1.0)) * (BINS - 1)).astype(np.int64)
    hits: Floats = np.bincount(place, weight * positive, BINS)[::-1].astype(np.float64)
    every: Floats = np.bincount(place, weight, BINS)[::-1].astype(np.float64)
    return hits, every - hits


def _one_area(score: Floats, positive: NDArray[np.bool_], weight: Floats) -> float:
    """Return one minus the area under the ROC curve; ties of a bin count half."""
    hits, others = _binned(score, positive, weight)
    pairs = float(hits.sum() * others.sum())
    beaten = others.sum() - np.cumsum(others) + others / 2
    return 1 - float(hits @ beaten) / pairs if pairs else np.inf


def _one_precision(score: Floats, positive: NDArray[np.bool_], weight: Floats) -> float:
    """Return one minus the average precision."""
    hits, others = _binned(score, positive, weight)
    found = np.cumsum(hits)
    precision = divide(found, found + np.cumsum(others), 0.0)
    return 1 - float(hits @ precision) / float(found[-1]) if found[-1] else np.inf
