"""How columns go together, and whether that changed: a linear domain classifier without the rows.

A row becomes at most 128 numbers (`features.py`): scores of its cells, their squares, products of
pairs and waves over all. The profile keeps their mean and covariance over the training rows, which
is all that Fisher's discriminant between training and a window needs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray
from scipy.special import fdtrc, ndtr

from assay.watch.columns.form import ColumnProfile
from assay.watch.drift.features import Plan, features, plan_of

Real = NDArray[np.float64]
Floats = NDArray[np.float32]

FEWEST = 200
"""Training rows below which no joint profile is made."""
MOST = 128
ROWS = 50_000
"""Features, and training rows that they are made of, at most."""
_APART = 5
"""One in so many training rows chooses pairs of columns, and is left out of their means."""
_KEPT = 1e-6
_RARE = 9.0
"""The square of the largest score. A direction whose variance is less than this many times what
chance adds to a mean is carried by a few rows."""


class Joint(msgspec.Struct, frozen=True, kw_only=True):
    """Mean and covariance of features of the training rows.

    `mean` is (D,) little-endian float32 bytes, `covariance` the lower triangle with the diagonal,
    row by row, likewise. `pairs` are the columns, by place, that depended most on each other.
    """

    columns: tuple[str, ...]
    rows: int
    mean: bytes
    covariance: bytes
    pairs: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True)
class JointFound:
    """Whether the rows of a window, all columns together, come from elsewhere than the profile's.

    `effect` is the ROC-AUC with which a linear classifier tells a row of the window from one of
    the profile, without what chance adds: 0.5 is not at all. `scores` (n,) are its log odds that a
    row came from the window, each from a classifier that did not see the row: the logarithm of how
    much likelier the row is here than at training, so weights exp(-score) make the window look like
    the profile.
    """

    p: float
    effect: float
    scores: Real


def build_joint(columns: Sequence[ColumnProfile], codes: NDArray[np.int32]) -> Joint | None:
    """Return how columns go together in training rows; None where rows or columns are too few.

    `codes` (n, columns) are the cells of each row's values.
    """
    n = len(codes)
    if n < FEWEST or len(columns) < 2:
        return None
    codes = codes[:: -(-n // ROWS)]
    chosen = np.arange(len(codes)) % _APART == 0
    plan = plan_of(columns, codes[chosen], most=min(MOST, len(codes) // 20))
    codes = codes[~chosen]  # pairs chosen for what they show would show less in a window
    x = features(plan, codes).astype(np.float64)
    covariance = np.atleast_2d(np.cov(x, rowvar=False))
    return Joint(
        columns=tuple(column.name for column in columns),
        rows=len(codes),
        mean=x.mean(axis=0).astype("<f4").tobytes(),
        covariance=covariance[np.tril_indices(len(covariance))].astype("<f4").tobytes(),
        pairs=plan.pairs,
    )


def compare_joint(
    joint: Joint, columns: Sequence[ColumnProfile], codes: NDArray[np.int32]
) -> JointFound:
    """Compare the rows of a window, `codes` (n, columns), with the profile.

    Two tests after Bonferroni: Hotelling's T² (1931) with the profile's covariance, whose tail is
    F, against a change of many features, and the greatest of all features' own against a change of
    one. `columns` are those that the joint profile was made of, in that order.
    """
    n = len(codes)
    if n < 2:
        return JointFound(1.0, 0.5, np.zeros(n))
    x = features(Plan.of(columns, joint.pairs, len(joint.mean) // 4), codes)
    mean, covariance = _stored(joint)
    noise = 1.0 / joint.rows + 1.0 / n
    turned, held = _whitening(covariance, _RARE * (noise + 1.0 / joint.rows))
    if not len(held):
        return JointFound(1.0, 0.5, np.zeros(n))
    shift = (x.mean(axis=0, dtype=np.float64) - mean) @ turned
    freedom, apart = len(shift), float(shift @ shift)
    f = apart / noise * (joint.rows - freedom) / (freedom * (joint.rows - 1.0))
    together = float(fdtrc(freedom, joint.rows - freedom, f))
    true = max(0.0, apart - float(held.sum()) * noise)
    return JointFound(
        p=min(1.0, 2.0 * min(together, _greatest(x, mean, np.diag(covariance), noise))),
        effect=float(ndtr((true / 2.0) ** 0.5)),
        scores=_scores(x, mean, turned, joint.rows),
    )


def _stored(joint: Joint) -> tuple[Real, Real]:
    """Return the profile's mean (D,) and covariance (D, D)."""
    mean = np.frombuffer(joint.mean, "<f4").astype(np.float64)
    covariance = np.zeros((len(mean), len(mean)))
    covariance[np.tril_indices(len(mean))] = np.frombuffer(joint.covariance, "<f4")
    return mean, covariance + np.tril(covariance, -1).T


def _whitening(covariance: Real, ridge: float) -> tuple[Real, Real]:
    """Return (D, at most D) by which the profile's features have covariance 1, and their variances.

    Directions that hardly vary, such as what tells two copies of a column apart, are drawn in by
    the ridge: their variances are below 1, so that a rare row is no shift.
    """
    values, vectors = np.linalg.eigh(covariance)
    kept = values > _KEPT
    wide = values[kept] + ridge
    return vectors[:, kept] / wide**0.5, values[kept] / wide


def _greatest(x: Floats, mean: Real, variance: Real, noise: float) -> float:
    """Return the p-value of the feature whose mean moved most, corrected for all of them.

    Bernstein's inequality (1927), as features are bounded but not normal: it never claims more than
    the tail of a normal, and far less where a few rows make the difference.
    """
    kept = variance > _KEPT
    spread = (variance[kept] + _RARE * noise) ** 0.5
    away = np.abs(x.mean(axis=0, dtype=np.float64) - mean)[kept] / spread
    lowest, highest = x.min(axis=0)[kept], x.max(axis=0)[kept]
    bound = np.maximum(highest - mean[kept], mean[kept] - lowest) / spread
    rate = away**2 / (2.0 * (noise + noise * bound * away / 3.0))
    return float(min(1.0, 2.0 * len(rate) * np.exp(-rate.max()))) if len(rate) else 1.0


def _scores(x: Floats, mean: Real, turned: Real, rows: int) -> Real:
    """Return the log odds of window against profile, each half of the rows by the other's mean.

    That mean is drawn towards the profile's by as much of it as chance is (James-Stein).
    """
    scores = np.empty(len(x))
    for half in (0, 1):
        fit = x[1 - half :: 2]
        shift = (fit.mean(axis=0, dtype=np.float64) - mean) @ turned
        apart, chance = float(shift @ shift), len(shift) * (1.0 / rows + 1.0 / len(fit))
        shift *= max(0.0, 1.0 - chance / max(apart, 1e-300))
        along = turned @ shift
        scores[half::2] = x[half::2] @ along.astype(np.float32)
        scores[half::2] -= mean @ along + shift @ shift / 2.0
    return scores
