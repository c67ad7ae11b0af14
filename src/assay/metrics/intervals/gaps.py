"""The interval of the calibration error, which noise can only enlarge.

The error is a sum of absolute gaps, one per bin of probability, and even a calibrated model shows
some. So a candidate truth is asked what it would show: the observed gaps, scaled by t, with noise
added. The interval has every t whose shown errors would make the observed one no surprise (a test
turned round, along the observed direction). Near zero only a high observed error speaks against a
truth, and all of the allowance goes there (Feldman and Cousins 1998, Physical Review D 57).
"""

from __future__ import annotations

import numpy as np

from assay.metrics.intervals.linear import Groups, critical
from assay.metrics.weighted import CALIBRATION_BINS, Floats, Rows, calibration_bins, divide

STEPS = 60
LEVEL = 0.95


def bin_gaps(models: list[Rows], groups: Groups | None) -> tuple[Floats, Floats]:
    """Return each model's gaps, predicted minus happened over all rows, and their covariance.

    Shapes: (models x bins,) and the square of that. A bin of few rows is given at least the
    variance that its probabilities foretell, and few groups that of Student's t.
    """
    n, size = models[0].n, CALIBRATION_BINS * len(models)
    each = np.zeros((n, size))
    for place, rows in enumerate(models):
        each[np.arange(n), place * CALIBRATION_BINS + calibration_bins(rows)] = (
            rows.score - rows.positive
        )
    gaps = each.sum(axis=0)
    if groups is None:
        covariance = each.T @ each
    else:
        units = int(groups.max()) + 1
        spread = np.zeros((units, size))
        np.add.at(spread, groups, each)
        spread -= gaps / units
        wider = (critical(LEVEL, units) / critical(LEVEL)) ** 2 * (units / (units - 1)) ** 2
        covariance = spread.T @ spread * wider
    expected = np.concatenate([foretold_variance(rows) for rows in models])
    few = np.maximum(expected - np.diag(covariance), 0)
    return gaps / n, (covariance + np.diag(few)) / n**2


def foretold_variance(rows: Rows) -> Floats:
    """Return the (bins,) variance of the summed gaps if the probabilities are right."""
    each = rows.score * (1 - rows.score)
    foretold: Floats = np.bincount(calibration_bins(rows), each, CALIBRATION_BINS).astype(
        np.float64
    )
    return foretold


def gap_interval(
    rows: Rows, groups: Groups | None, level: float, replicates: int, rng: np.random.Generator
) -> tuple[float, float]:
    """Return the interval of the calibration error of these rows."""
    gaps, covariance = bin_gaps([rows], groups)
    observed = float(np.abs(gaps).sum())
    noise = normal_draws(covariance, replicates, rng)
    calm = np.ones(CALIBRATION_BINS)
    if groups is None:
        foretold, seen = foretold_variance(rows) / rows.n**2, np.diag(covariance)
        calm = divide(foretold, seen, 1.0)
    none = np.abs(noise * np.sqrt(calm)).sum(axis=1)
    if observed == 0:
        return 0.0, float(np.quantile(none, level))
    scales = np.linspace(0, 1 + 4 * float(none.std()) / observed, STEPS)
    mixed = np.minimum(3 * scales, 1.0)[:, None]
    sizes = np.sqrt(
        mixed + (1 - mixed) * calm
    )  # only near zero is the noise what the model foretells
    shown = np.array(
        [np.abs(t * gaps + noise * s).sum(axis=1) for t, s in zip(scales, sizes, strict=True)]
    )
    above, below = (shown >= observed).mean(axis=1), (shown <= observed).mean(axis=1)
    apart = (shown.mean(axis=1) - none.mean()) / max(2 * float(none.std()), 1e-12)
    lower = (1 - level) / 2 * np.clip(apart, 0, 1)
    kept = np.flatnonzero((above >= 1 - level - lower) & (below >= lower))
    ends = scales[kept[[0, -1]]] if len(kept) else np.ones(2)
    return float(ends[0] * observed), float(ends[1] * observed)


def paired_gaps(
    models: list[Rows], groups: Groups | None, replicates: int, rng: np.random.Generator
) -> Floats:
    """Return (replicates,) errors of the first model's calibration error minus the second's."""
    gaps, covariance = bin_gaps(models, groups)
    noise = normal_draws(covariance, replicates, rng)
    # gaps as large as their noise are mostly noise, and would hide what the models share
    real = max(1 - float(np.trace(covariance)) / max(float((gaps**2).sum()), 1e-300), 0.0)
    gaps = gaps * np.sqrt(real)
    shown = np.abs(noise + gaps).reshape(-1, 2, CALIBRATION_BINS).sum(axis=2)
    errors: Floats = shown[:, 0] - shown[:, 1]
    errors -= errors.mean()
    return errors


def normal_draws(covariance: Floats, replicates: int, rng: np.random.Generator) -> Floats:
    """Return (replicates, k) draws of the centred normal law with this (k, k) covariance."""
    values, vectors = np.linalg.eigh(covariance)
    spread = vectors * np.sqrt(np.maximum(values, 0.0))
    drawn: Floats = rng.standard_normal((replicates, len(values))) @ spread.T
    return drawn
