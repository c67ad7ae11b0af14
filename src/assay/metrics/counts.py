"""Formulas over confusion matrices: (r, k, k) counts, rows the actual classes, to (r,) values.

Where a formula divides by nothing the value is 0, as in scikit-learn (`zero_division=0`).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from assay.metrics.weighted import Floats, divide

Counts = Floats


def accuracy(counts: Counts, _: int = 0) -> Floats:
    """Return the share of rows with the right label."""
    return divide(_diagonal(counts).sum(axis=1), counts.sum(axis=(1, 2)), 0.0)


def balanced_accuracy(counts: Counts, _: int = 0) -> Floats:
    """Return the mean recall over the classes that occur."""
    actual = counts.sum(axis=2)
    return _mean_where(divide(_diagonal(counts), actual, 0.0), actual > 0)


def precision(counts: Counts, positive: int) -> Floats:
    """Return the share of positive predictions that are right."""
    return divide(counts[:, positive, positive], counts[:, :, positive].sum(axis=1), 0.0)


def recall(counts: Counts, positive: int) -> Floats:
    """Return the share of actual positives that are found."""
    return divide(counts[:, positive, positive], counts[:, positive, :].sum(axis=1), 0.0)


def specificity(counts: Counts, positive: int) -> Floats:
    """Return the share of actual negatives that are left alone."""
    return recall(counts, 1 - positive)


def f1(counts: Counts, positive: int) -> Floats:
    """Return the harmonic mean of precision and recall of the positive class."""
    return _f1_by_class(counts)[:, positive]


def f1_macro(counts: Counts, _: int = 0) -> Floats:
    """Return the plain mean of the classes' F1, over classes that occur or are predicted."""
    return _mean_where(_f1_by_class(counts), (counts.sum(axis=1) + counts.sum(axis=2)) > 0)


def f1_weighted(counts: Counts, _: int = 0) -> Floats:
    """Return the mean of the classes' F1, weighted by how often each class occurs."""
    actual = counts.sum(axis=2)
    return divide((_f1_by_class(counts) * actual).sum(axis=1), actual.sum(axis=1), 0.0)


def mcc(counts: Counts, _: int = 0) -> Floats:
    """Return the correlation of label and truth, from -1 to 1.

    Source: Gorodkin 2004, "Comparing two K-category assignments by a K-category correlation
    coefficient", Computational Biology and Chemistry 28.
    """
    total = counts.sum(axis=(1, 2))
    actual = counts.sum(axis=2)
    predicted = counts.sum(axis=1)
    right = _diagonal(counts).sum(axis=1)
    top = right * total - (actual * predicted).sum(axis=1)
    spread_predicted = total**2 - (predicted**2).sum(axis=1)
    spread_actual = total**2 - (actual**2).sum(axis=1)
    # Rounding must not turn a spread of nothing into one of next to nothing.
    bottom = np.sqrt(np.maximum(spread_predicted, 0.0)) * np.sqrt(np.maximum(spread_actual, 0.0))
    bottom = np.where(bottom < 1e-12 * total**2, 0.0, bottom)
    return np.clip(divide(top, bottom, 0.0), -1.0, 1.0)


def _diagonal(counts: Counts) -> Floats:
    return np.diagonal(counts, axis1=1, axis2=2)


def _f1_by_class(counts: Counts) -> Floats:
    return divide(2 * _diagonal(counts), counts.sum(axis=1) + counts.sum(axis=2), 0.0)


def _mean_where(values: Floats, where: NDArray[np.bool_]) -> Floats:
    return divide((values * where).sum(axis=1), where.sum(axis=1).astype(np.float64), 0.0)
