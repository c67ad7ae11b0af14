"""The bootstrap of what depends on counts of rows: labels, and calibration error.

The weights of rows are exponential, which makes a draw one from the posterior of Rubin's Bayesian
bootstrap (1981, Annals of Statistics 9): no row ever falls out, so no draw loses a class. Rows that
were labelled alike add up, and the sum of their weights is drawn at once from a gamma distribution:
the work does not grow with the rows. Groups have one weight each.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from assay.metrics.base import Metric
from assay.metrics.intervals.linear import Groups
from assay.metrics.weighted import Floats, Rows

DENSE = 30
CHUNK = 2_000_000
"""Numbers held at once: 16 MB, so that several passes stay near the processor."""


def draws(
    metrics: list[Metric],
    samples: list[Rows],
    groups: Groups | None,
    replicates: int,
    rng: np.random.Generator,
) -> dict[str, Floats]:
    """Return each metric's (replicates,) errors under resampling; all must be metrics of labels.

    With two samples, labels of the same rows by two models, the errors are those of the first's
    metric minus the second's, both under the same weights.
    """
    parts: dict[str, list[Floats]] = {metric.name: [] for metric in metrics}
    code = samples[0].positive_code
    plain = [confusion(rows)[None] for rows in samples]
    for drawn in _confusions(samples, groups, replicates, rng):
        for metric in metrics:
            if metric.counts is None:
                raise ValueError(f"{metric.name} is no metric of labels")
            values = [metric.counts(each, code) for each in drawn]
            centres = [metric.counts(each, code) for each in plain]
            errors = [value - centre for value, centre in zip(values, centres, strict=True)]
            parts[metric.name].append(errors[0] if len(errors) == 1 else errors[0] - errors[1])
    return {name: np.concatenate(errors) for name, errors in parts.items()}


def confusion(rows: Rows) -> Floats:
    """Return the (k, k) confusion matrix, rows the actual classes."""
    counts = np.bincount(rows.cells, minlength=rows.classes**2).astype(np.float64)
    return counts.reshape(rows.classes, rows.classes)


def _confusions(
    samples: list[Rows], groups: Groups | None, replicates: int, rng: np.random.Generator
) -> Iterator[list[Floats]]:
    """Yield (r, k, k) resampled confusion matrices of each sample, with a little doubt added."""
    k = samples[0].classes
    joint = samples[0].cells if len(samples) == 1 else samples[0].cells * k + samples[1].labels
    kinds, first, kind = np.unique(joint, return_index=True, return_inverse=True)
    cells = [rows.cells[first] for rows in samples]
    seen = np.bincount(samples[0].truth, minlength=k)[:, None] > 0
    units = 1 if groups is None else int(groups.max()) + 1
    size = max(1, CHUNK // max(k * k, len(kinds), units))
    for start in range(0, replicates, size):
        count = min(size, replicates - start)
        weights = _weights(kind, len(kinds), groups, count, rng)
        yield [_summed(weights, each, k) + _doubt(count, k, rng) * seen for each in cells]


def _weights(
    kind: NDArray[np.int64],
    kinds: int,
    groups: Groups | None,
    count: int,
    rng: np.random.Generator,
) -> Floats:
    """Return (count, kinds) resampled numbers of rows of each kind."""
    if groups is None:
        return rng.standard_gamma(np.bincount(kind, minlength=kinds), (count, kinds))
    units = int(groups.max()) + 1
    table = np.bincount(groups * kinds + kind, minlength=units * kinds).reshape(units, kinds)
    weights: Floats = rng.standard_exponential((count, units)) @ table.astype(np.float64)
    return weights


def _summed(weights: Floats, cells: NDArray[np.int64], k: int) -> Floats:
    """Return (r, k, k) sums of (r, kinds) weights by each kind's cell."""
    order = np.argsort(cells, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(cells[order]) > 0])
    total = np.zeros((len(weights), k * k))
    total[:, cells[order][starts]] = np.add.reduceat(weights[:, order], starts, axis=1)
    return total.reshape(-1, k, k)


def _doubt(draws: int, classes: int, rng: np.random.Generator) -> Floats:
    """Return draws of two rows in all, over the classes and their labels: Jeffreys' prior for two.

    Without it a model with no error at all would seem to be without doubt as well.
    """
    if classes <= DENSE:
        return rng.standard_gamma(2 / classes**2, (draws, classes, classes))
    doubt = np.zeros((draws, classes, classes))
    codes = np.arange(classes)
    for label in (codes, (codes + 1) % classes):  # right, and one wrong label for all of them
        doubt[:, codes, label] = rng.standard_gamma(1 / classes, (draws, classes))
    return doubt


def expanded(z: float, units: int) -> float:
    """Return the critical value widened for few units (Hesterberg 2015, American Statistician 69).

    Once for the draws, which vary too little, and once as the jackknife does (`linear.variance`).
    """
    return z * units / (units - 1)


def ends(errors: Floats, z: float) -> tuple[float, float]:
    """Return the ends of the errors' interval: draws of labels are a posterior already."""
    low, high = np.quantile(errors, [float(ndtr(-z)), float(ndtr(z))])
    return float(low), float(high)
