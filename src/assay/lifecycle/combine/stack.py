"""Weights that are fitted: a logarithmic pool for classes, least squares for numbers.

Both are pulled towards the shares of the greedy picks, so that on few rows they stay there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from assay.kernel.loader import load
from assay.lifecycle.combine.objective import Sample
from assay.metrics.base import Truth
from assay.metrics.pool import FLOOR
from assay.metrics.weighted import Floats
from assay.records.fitted import Pool

# loaded on first use: its import takes a while
_LOWEST = "scipy.optimize:minimize"
_SQUARES = "scipy.optimize:nnls"
RIDGE = 30.0
"""The pull is that of about so many rows on which the members differ by one unit of log-odds."""
FEWEST_SHARE = 0.02
"""A member with less of the total weight than this is left out."""
BIAS_ROWS, BIAS_CLASS = 2_000, 100
"""A bias for each class is fitted from so many rows on, and so many of each class."""
CELLS = 400_000
"""Rows times classes times members that a fit may look at, for speed."""
ROUNDS = 5
SHARPEST = 5.0
"""A member's own weight stays between this and one over this."""


def stacked(
    kind: str,
    truth: Truth,
    predictions: Mapping[str, Floats],
    start: Mapping[str, float],
    sample: Sample,
) -> tuple[dict[str, float], Pool]:
    """Return non-negative weights of the members of `start`, and their pool.

    `kind` is the loss (`objective.picks_by`); `predictions` and `truth` have all rows, of which
    the fit sees those of `sample`. Members that get next to nothing are left out.
    """
    names, total = list(start), sum(start.values())
    while True:
        values = [predictions[name] for name in names]
        centre = np.array([start[name] for name in names])
        centre *= total / centre.sum()
        weights, pool = _fitted(kind, truth, values, centre, sample)
        kept = weights >= FEWEST_SHARE * weights.sum()
        if kept.all():
            return dict(zip(names, weights.round(6).tolist(), strict=True)), pool
        names = [name for name, keep in zip(names, kept, strict=True) if keep]


def _fitted(
    kind: str, truth: Truth, values: Sequence[Floats], centre: Floats, sample: Sample
) -> tuple[Floats, Pool]:
    if values[0].ndim == 1:
        matrix = np.column_stack([v[sample.index] for v in values])
        return _number_weights(kind, truth[sample.index], matrix, centre, sample.weight), Pool()
    cells = len(values) * values[0].shape[1]
    few = np.arange(len(sample.index))[:: 1 + len(sample.index) * cells // CELLS]
    logs = np.stack([np.log(np.maximum(v[sample.index[few]], FLOOR)) for v in values])
    codes = truth[sample.index[few]].astype(np.int64)
    weights, bias = _class_weights(codes, logs, centre, sample.weight[few])
    return weights, Pool(scale="log", bias=bias)


def sharpness(codes: NDArray[np.int64], values: Floats) -> float:
    """Return the weight at which a member alone, on the log scale, has the least log loss.

    `values` are (n, k) probabilities. It is one over the temperature of Guo et al. 2017, ICML.
    """
    logs = np.log(np.maximum(values, FLOOR))
    place, found = np.arange(len(codes)), 1.0
    for _ in range(ROUNDS):
        share = np.exp(found * (logs - logs.max(axis=1, keepdims=True)))
        share /= share.sum(axis=1, keepdims=True)
        mean = (share * logs).sum(axis=1)
        slope = float((mean - logs[place, codes]).sum()) + RIDGE * (found - 1)
        bend = float((share * logs**2).sum() - (mean**2).sum()) + RIDGE
        found = float(np.clip(found - slope / bend, 1 / SHARPEST, SHARPEST))
    return found


def _class_weights(
    codes: NDArray[np.int64], logs: Floats, centre: Floats, rows: Floats
) -> tuple[Floats, tuple[float, ...]]:
    """Return the weights of (m, n, k) log-probabilities that make the log loss least, and a bias.

    The problem is convex; `rows` (n,) says how much each row counts.
    """
    members, n, k = logs.shape
    biased = n >= BIAS_ROWS and int(np.bincount(codes, minlength=k).min()) >= BIAS_CLASS
    share = rows / rows.sum()
    pull = RIDGE / rows.sum()
    place = np.arange(n)

    def loss(given: Floats) -> tuple[float, Floats]:
        weights, bias = given[:members], given[members:]
        score = np.tensordot(weights, logs, 1) + bias
        score -= score.max(axis=1, keepdims=True)
        odds = np.exp(score)
        total = odds.sum(axis=1)
        off = weights - centre
        value = share @ (np.log(total) - score[place, codes]) + pull / 2 * (off @ off + bias @ bias)
        wrong = odds / total[:, None]
        wrong[place, codes] -= 1
        wrong *= share[:, None]
        slope = np.tensordot(logs, wrong, 2) + pull * off
        return float(value), np.concatenate([slope, wrong.sum(axis=0) + pull * bias])

    found = load(_LOWEST)(
        loss,
        np.concatenate([centre, np.zeros(k)]),
        jac=True,
        method="L-BFGS-B",
        bounds=[(0.0, None)] * members + [(None, None) if biased else (0.0, 0.0)] * k,
        options={"maxiter": 60},
    ).x
    return found[:members], tuple(found[members:].round(6).tolist()) if biased else ()


def _number_weights(
    kind: str, truth: Truth, matrix: Floats, centre: Floats, rows: Floats
) -> Floats:
    """Return the non-negative weights of (n, m) numbers whose error is least.

    Absolute errors are made least by weighted squares, a few times over (Schlossmacher 1973, JASA
    68). The pull, and with it the nearly unit sum, is in units of the error that is left.
    """
    weights, power = centre, rows.copy()
    size = np.abs(truth - matrix @ centre)
    floor = 1e-3 * float(np.median(size)) + np.finfo(np.float64).tiny
    for _ in range(1 if kind == "rmse" else ROUNDS):
        if kind != "rmse":
            power = rows / np.maximum(np.abs(truth - matrix @ weights), floor)
            power = power / np.abs(truth) if kind == "mape" else power
        root = np.sqrt(power)
        left = (truth - matrix @ weights) * root
        pull = np.sqrt(RIDGE * float(left @ left) / len(truth)) + np.finfo(np.float64).tiny
        tall = np.vstack([matrix * root[:, None], pull * np.eye(len(centre))])
        weights = load(_SQUARES)(tall, np.concatenate([truth * root, pull * centre]))[0]
    return weights if weights.sum() > 0 else centre
