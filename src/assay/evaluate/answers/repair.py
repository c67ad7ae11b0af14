"""Repairs of a model's probabilities, fitted on predictions out of fold and kept only if they help.

n rows, k classes. What they give is applied by `metrics/operate.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from assay.kernel.loader import load
from assay.metrics.operate import calibrated, log_odds, tempered
from assay.metrics.weighted import SMALLEST
from assay.records.fitted import Operating

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]
Method = Literal["none", "platt", "isotonic", "temperature"]

ENOUGH_FOR_STEPS = 1_000
"""Fewer rows than this cannot carry the steps of an isotonic repair."""
DOUBTS, LEAST = 2.0, 1e-3
"""Standard errors, and share of the log loss, by which a repair must lower it."""
PARTS = 5
MOST_CELLS = 2_000_000
"""A temperature is fitted on at most so many probabilities: it is one number."""
_STEPS, SHORTEST = 50, 1e-6
# Its import takes a third of a second, which many runs can do without.
_LOWEST = "scipy.optimize:minimize_scalar"
_RISING = "scipy.optimize:isotonic_regression"


def choose_repair(
    wish: Literal["auto", "none", "platt", "isotonic", "temperature"],
    values: Floats,
    truth: Codes,
    folds: Codes,
    positive_code: int,
) -> Operating:
    """Return the repair wished, or the one that (n, k) probabilities need by more than chance.

    `auto` tries one number (a temperature), then two (Platt), then steps (isotonic), and keeps
    each only if it lowers the log loss on rows it was not fitted on by two standard errors and
    0.1 %. `folds` (n,) says which rows are held out together.
    """
    if wish != "auto":
        why = "no repair was wanted" if wish == "none" else f"{wish} repair, as the project says"
        return fit_repair(wish, values, truth, positive_code, why)
    parts = _parts(folds)
    kept: Method = "none"
    lost, gained = _surprise(values, truth), 0.0
    for method in _candidates(values.shape[1], len(truth)):
        held_out = _cross_fitted(method, values, truth, parts, positive_code)
        gain = lost - _surprise(held_out, truth)
        noise = DOUBTS * gain.std() / np.sqrt(len(gain))
        if gain.mean() > max(noise, LEAST * lost.mean()):
            gained += float(gain.mean())
            kept, lost = method, lost - gain
    if kept == "none":
        why = "probabilities are left as they are: no repair helped by more than chance"
    else:
        why = (
            f"{kept} repair of the probabilities: on held-out rows the log loss falls by "
            f"{gained:.4f}, more than chance explains"
        )
    return fit_repair(kept, values, truth, positive_code, why)


def _candidates(classes: int, rows: int) -> tuple[Method, ...]:
    few: tuple[Method, ...] = ("temperature", "platt") if classes == 2 else ("temperature",)
    return (*few, "isotonic") if rows >= ENOUGH_FOR_STEPS else few


def _parts(folds: Codes) -> Codes:
    """Return the folds, or five parts in turn where there is only one."""
    if len(np.unique(folds)) > 1:
        return folds
    return np.arange(len(folds)) % PARTS


def _cross_fitted(
    method: Method, values: Floats, truth: Codes, parts: Codes, positive_code: int
) -> Floats:
    """Return (n, k) probabilities, each repaired by what the other parts of the rows gave."""
    found = values.copy()
    for part in np.unique(parts):
        held = parts == part
        repair = fit_repair(method, values[~held], truth[~held], positive_code)
        found[held] = calibrated(repair, values[held], positive_code)
    return found


def _surprise(values: Floats, truth: Codes) -> Floats:
    given = values[np.arange(len(truth)), truth]
    result: Floats = -np.log(np.clip(given, SMALLEST, 1 - SMALLEST))
    return result


def fit_repair(
    method: Method, values: Floats, truth: Codes, positive_code: int, why: str = ""
) -> Operating:
    """Return the operating point with this repair fitted on (n, k) probabilities and (n,) codes.

    One class alone teaches nothing: the probabilities are then left as they are.
    """
    if method == "none" or len(np.unique(truth)) < 2:
        return Operating(why=why)
    fit: Callable[..., dict[str, Any]] = {
        "platt": _platt,
        "temperature": _temperature,
        "isotonic": _isotonic,
    }[method]
    return Operating(calibration=method, why=why, **fit(values, truth, positive_code))


def _platt(values: Floats, truth: Codes, positive_code: int) -> dict[str, Any]:
    """Fit slope and intercept on the log-odds by Newton's method.

    Targets are drawn in a little, so that separable rows have an answer. Source: Platt 1999,
    "Probabilistic outputs for support vector machines", with the steps of Lin, Lin and Weng 2007.
    """
    x, y = log_odds(values[:, positive_code]), truth == positive_code
    yes, no = int(y.sum()), int((~y).sum())
    target = np.where(y, (yes + 1) / (yes + 2), 1 / (no + 2))
    design = np.column_stack([x, np.ones_like(x)])

    def loss(at: Floats) -> float:
        z = design @ at
        return float((np.logaddexp(0, z) - target * z).sum())

    line = np.array([1.0, 0.0])
    for _ in range(_STEPS):
        p = expit(design @ line)
        gradient = design.T @ (p - target)
        curvature = (design * (p * (1 - p))[:, None]).T @ design + 1e-12 * np.eye(2)
        step, length, before = np.linalg.solve(curvature, gradient), 1.0, loss(line)
        while loss(line - length * step) > before and length > SHORTEST:
            length /= 2
        line = line - length * step
        if length <= SHORTEST or np.abs(length * step).max() < 1e-10:
            break
    return {"params": (float(line[0]), float(line[1]))}


def _temperature(values: Floats, truth: Codes, _: int) -> dict[str, Any]:
    """Fit the temperature with the lowest log loss (Guo et al. 2017, ICML, section 4.2)."""
    thin = slice(None, None, -(-values.size // MOST_CELLS))
    some, right = values[thin], truth[thin]

    def loss(power: float) -> float:
        return float(_surprise(tempered(some, float(np.exp(power))), right).mean())

    found = load(_LOWEST)(loss, bounds=(-3.0, 3.0), method="bounded", options={"xatol": 1e-4})
    return {"params": (float(np.exp(found.x)),)}


def _isotonic(values: Floats, truth: Codes, _: int) -> dict[str, Any]:
    """Fit rising steps of each class, drawn as lines between their middles.

    Source: Zadrozny and Elkan 2002 (KDD) for one class against the rest; Oron and Flournoy 2017,
    Statistics in Biopharmaceutical Research 9, for the lines, which keep the order of scores.
    """
    each = [_knots(values[:, code], truth == code) for code in range(values.shape[1])]
    return {"knots": tuple(each)}


def _knots(score: Floats, hit: NDArray[np.bool_]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    known, place, count = np.unique(score, return_inverse=True, return_counts=True)
    share = np.bincount(place, hit) / count
    steps = load(_RISING)(share, weights=count)
    sizes = np.add.reduceat(count, steps.blocks[:-1])
    middle = np.add.reduceat(known * count, steps.blocks[:-1]) / sizes
    level = steps.x[steps.blocks[:-1]]
    # a step of few rows at 0 or 1 would be certain of what it cannot know: rule of succession
    low, high = 1 / (sizes[0] + 2), 1 - 1 / (sizes[-1] + 2)
    level = np.clip(level, min(low, high), max(low, high))
    x, y = middle, level
    if middle[0] > 0:  # no row was there: half of the lowest step
        x, y = np.r_[0.0, x], np.r_[level[0] / 2, y]
    if middle[-1] < 1:
        x, y = np.r_[x, 1.0], np.r_[y, (1 + level[-1]) / 2]
    return tuple(x.tolist()), tuple(y.tolist())
