"""From a model's scores to its answers: calibration, thresholds and prediction sets, in numpy.

The same few lines serve, evaluate, and judge what was chosen (`evaluate/calibration.py`,
`evaluate/thresholds.py`, `evaluate/conformal.py`). n rows, k classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from assay.kernel.family import Predictions, class_labels
from assay.records.fitted import Operating

if TYPE_CHECKING:
    import polars as pl

Floats = NDArray[np.float64]

EDGE = 1e-7
"""Probabilities nearer to 0 or 1 than this have no log-odds of their own."""
MISSING = "(missing)"


def operate(
    operating: Operating, predictions: Predictions, frame: pl.DataFrame, positive_code: int
) -> Predictions:
    """Return the answers as they are given: calibrated, with the threshold of each row's group.

    `frame` are the n rows that were asked about, with the column `operating.group` when there is
    one. Numbers stay as they are, and many classes know no threshold.
    """
    values = calibrated(operating, predictions.values, positive_code)
    threshold: float | Floats = operating.threshold
    if operating.thresholds:
        words = group_words(frame[operating.group])
        threshold = np.full(len(values), operating.threshold)
        for word, own in operating.thresholds.items():
            threshold[words == word] = own
    return Predictions(values, predictions.classes, threshold)


def calibrated(operating: Operating, values: Floats, positive_code: int) -> Floats:
    """Return (n, k) probabilities after the repair that `operating` names; numbers unchanged.

    Platt's line is on the positive class's log-odds (Platt 1999), a temperature divides all
    log-probabilities (Guo et al. 2017), isotonic steps go class by class and are normalised.
    """
    if values.ndim != 2 or operating.calibration == "none":
        return values
    if operating.calibration == "isotonic":
        return _stepped(operating.knots, values)
    if operating.calibration == "temperature":
        return tempered(values, operating.params[0])
    slope, intercept = operating.params
    return two_classes(
        _chance(slope * log_odds(values[:, positive_code]) + intercept), positive_code
    )


def _chance(odds: Floats) -> Floats:
    """Return the probabilities of (n,) log-odds; overflow is none, SciPy is not needed."""
    result: Floats = np.exp(-np.logaddexp(0.0, -odds))
    return result


def log_odds(score: Floats) -> Floats:
    """Return the log-odds of (n,) probabilities, kept finite."""
    inside = np.clip(score, EDGE, 1 - EDGE)
    result: Floats = np.log(inside) - np.log1p(-inside)
    return result


def two_classes(positive: Floats, positive_code: int) -> Floats:
    """Return (n, 2) probabilities from those of the positive class."""
    both = [1.0 - positive, positive]
    return np.column_stack(both if positive_code == 1 else both[::-1])


def tempered(values: Floats, temperature: float) -> Floats:
    """Return (n, k) probabilities whose logarithms are divided by the temperature."""
    score = np.log(np.maximum(values, EDGE)) / temperature
    odds = np.exp(score - score.max(axis=1, keepdims=True))
    result: Floats = odds / odds.sum(axis=1, keepdims=True)
    return result


def _stepped(knots: Sequence[tuple[Sequence[float], Sequence[float]]], values: Floats) -> Floats:
    each = [np.interp(values[:, code], x, y) for code, (x, y) in enumerate(knots)]
    found = np.column_stack(each)
    result: Floats = found / found.sum(axis=1, keepdims=True)
    return result


def group_words(series: pl.Series) -> NDArray[Any]:
    """Return the (n,) groups of a column as text: whole numbers without a decimal point."""
    known = series.fill_nan(None) if series.dtype.is_float() else series
    return class_labels(known).fill_null(MISSING).to_numpy()


def answer_sets(operating: Operating, predictions: Predictions) -> NDArray[np.bool_]:
    """Return an (n, k) mask of the classes in each row's prediction set; all where none is known.

    `predictions` are calibrated. A class enters when its probability is at least one minus the
    margin (least ambiguous sets: Sadinle, Lei and Wasserman 2019, JASA 114); the likeliest class
    always does, so that no set is empty.
    """
    margin = 1.0 if operating.margin is None else operating.margin
    values = predictions.values
    inside: NDArray[np.bool_] = 1.0 - values <= margin + 1e-12
    inside[np.arange(len(values)), values.argmax(axis=1)] = True
    return inside


def answer_spans(operating: Operating, predictions: Predictions) -> tuple[Floats, Floats]:
    """Return the (n,) low and high ends of each number's interval; infinite where none is known."""
    margin = np.inf if operating.margin is None else operating.margin
    return predictions.values - margin, predictions.values + margin
