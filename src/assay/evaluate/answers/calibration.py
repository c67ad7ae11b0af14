"""Are the probabilities what they say? The curve, the error, and what a repair changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.evaluate.case import Case
from assay.evaluate.cells import percentiles, redrawn
from assay.kernel.family import Predictions
from assay.metrics import get
from assay.metrics.intervals.estimates import estimates
from assay.metrics.intervals.linear import critical, wilson
from assay.metrics.operate import two_classes
from assay.records.report import Curve, Estimate, Examination, tabled

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

BINS = 10
FEWEST = 20
"""Rows below which a curve of shares means nothing."""
LOOK, SERIOUS = 0.02, 0.05
"""Calibration errors, noise taken off, from which one should look, and from which it is serious."""


@dataclass(frozen=True)
class Bins:
    """Rows in bins of about equal number by their probability: what was said and what happened.

    `place` (n,) is each row's bin; `predicted`, `observed` and `count` have one item per bin.
    """

    place: NDArray[np.int64]
    predicted: Floats
    observed: Floats
    count: NDArray[np.int64]


def binned(score: Floats, happened: Mask) -> Bins:
    """Return the bins of (n,) probabilities of something that happened or did not."""
    edges = np.unique(np.quantile(score, np.linspace(0, 1, BINS + 1)))
    raw = np.searchsorted(edges[1:-1], score, side="right")
    _, place, count = np.unique(raw, return_inverse=True, return_counts=True)
    predicted = np.bincount(place, score) / count
    observed = np.bincount(place, happened) / count
    return Bins(place, predicted, observed, count)


def calibration_curve(score: Floats, happened: Mask, title: str, note: str) -> Curve:
    """Return observed shares with Wilson's interval in bins of about equally many rows."""
    bins = binned(score, happened)
    z = critical(0.95)
    pairs = zip(bins.observed, bins.count, strict=True)
    ends = [wilson(float(share), float(n), z) for share, n in pairs]
    data: dict[str, Any] = {
        "predicted": [float(f"{value:.6g}") for value in bins.predicted],
        "observed": [float(f"{value:.6g}") for value in bins.observed],
        "low": [low for low, _ in ends],
        "high": [high for _, high in ends],
        "count": bins.count.tolist(),
    }
    return Curve(kind="calibration", title=title, data=data, note=note)


def examine(case: Case) -> Examination | None:
    """Say how far the probabilities are off, before and after the repair; None for numbers.

    With many classes it is the probability of the predicted class that is looked at.
    """
    if not case.problem.classes or len(case.test.truth) < FEWEST:
        return None
    score, happened, of_what = _claims(case, case.champion)
    before, happened_before, _ = _claims(case, case.raw)
    repaired = case.operating.calibration != "none"
    numbers = _errors(case, score, happened) | _parts(case, score, happened)
    raw = _errors(case, before, happened_before)
    numbers["ece_before"] = raw["ece"]
    concern = _concern(numbers["ece"])
    curves = [calibration_curve(score, happened, "Calibration as served", of_what)]
    if repaired:
        title = "Calibration before the repair"
        curves.append(calibration_curve(before, happened_before, title, of_what))
    return Examination(
        name="calibration",
        title="Are the probabilities right?",
        reading=_reading(case, numbers, score, happened, repaired=repaired),
        concern=concern,
        advice=_advice(case, concern),
        numbers=numbers,
        tables=tabled({"Said and happened": _lines(score, happened)}),
        curves=tuple(curves),
    )


def _claims(case: Case, predictions: Predictions) -> tuple[Floats, Mask, str]:
    """Return what was claimed of each row, whether it happened, and what the claim is about."""
    values, problem = predictions.values, case.problem
    if problem.positive is not None:
        code = problem.positive_code
        return values[:, code], case.test.truth == code, f"probability of {problem.positive}"
    chosen = values.argmax(axis=1)
    hits = case.test.truth == chosen
    return values.max(axis=1), hits, "probability of the predicted class"


def _errors(case: Case, score: Floats, happened: Mask) -> dict[str, Estimate]:
    """Return calibration error and Brier score of these claims with their intervals."""
    return estimates(
        [get("ece"), get("brier")],
        happened.astype(np.int64),
        Predictions(two_classes(np.clip(score, 0.0, 1.0), 1)),
        positive_code=1,
        groups=case.groups,
        seed=case.seed,
        replicates=500,
    )


def _parts(case: Case, score: Floats, happened: Mask) -> dict[str, Estimate]:
    """Return Murphy's parts of the Brier score: reliability - resolution + uncertainty.

    Source: Murphy 1973, Journal of Applied Meteorology 12. They add up to the score but for how
    much the probabilities differ inside a bin (Stephenson, Coelho and Jolliffe 2008).
    """
    bins = binned(score, happened)
    size = len(bins.count)
    rng = np.random.default_rng(case.seed)
    drawn = redrawn(bins.place + size * happened, 2 * size, rng, case.groups)
    no, yes = drawn[:, :size], drawn[:, size:]
    found = murphy(
        bins.predicted, bins.count - bins.observed * bins.count, bins.count * bins.observed
    )
    again = murphy(bins.predicted, no, yes)
    n = len(score)
    return {
        "reliability": percentiles(float(found[0]), again[0], n, low=0.0, high=1.0),
        "resolution": percentiles(float(found[1]), again[1], n, low=0.0, high=0.25),
        "uncertainty": percentiles(float(found[2]), again[2], n, low=0.0, high=0.25),
    }


def murphy(predicted: Floats, no: Floats, yes: Floats) -> tuple[Any, Any, Any]:
    """Return reliability, resolution and uncertainty from (…, bins) counts that happened or not."""
    count = no + yes
    total = count.sum(axis=-1, keepdims=True)
    share = np.divide(yes, count, out=np.zeros_like(yes, dtype=np.float64), where=count > 0)
    base = yes.sum(axis=-1, keepdims=True) / total
    weight = count / total
    reliability = (weight * (predicted - share) ** 2).sum(axis=-1)
    resolution = (weight * (share - base) ** 2).sum(axis=-1)
    return reliability, resolution, (base * (1 - base))[..., 0]


def _concern(ece: Estimate) -> Any:
    """Judge by the low end of the interval, from which what noise alone would show is taken off."""
    if ece.low >= SERIOUS:
        return "serious"
    return "look" if ece.low >= LOOK else "none"


def _reading(
    case: Case, numbers: dict[str, Estimate], score: Floats, happened: Mask, *, repaired: bool
) -> str:
    ece = numbers["ece"]
    lean = float(score.mean() - happened.mean())
    side = "too high" if lean > 0 else "too low"
    text = (
        f"A probability is off by {100 * ece.value:.1f} points on average, part of it by chance "
        f"(the true error is between {100 * ece.low:.1f} and {100 * ece.high:.1f})."
    )
    if abs(lean) > LOOK / 2:
        text += f" Over all rows they are {100 * abs(lean):.1f} points {side}."
    if repaired:
        before = numbers["ece_before"]
        text += (
            f" They were repaired ({case.operating.calibration}); without that they would be off "
            f"by {100 * before.value:.1f} points."
        )
    else:
        text += " They are given as the model makes them: no repair was made."
    return text


def _advice(case: Case, concern: str) -> str:
    if concern == "none":
        return "A probability can be read as it stands: of rows said to be 30 %, about 30 % are."
    if case.operating.calibration == "none":
        return (
            "Do not read the probabilities as shares. Let answers.calibrate repair them, and ask "
            "why the test rows differ from the training rows."
        )
    return (
        "Do not read the probabilities as shares: the repair, learned on training rows, does not "
        "hold on the test rows, so the two differ. Find out why before acting on them."
    )


def _lines(score: Floats, happened: Mask) -> tuple[dict[str, Any], ...]:
    bins = binned(score, happened)
    z = critical(0.95)
    lines = []
    for said, share, count in zip(bins.predicted, bins.observed, bins.count, strict=True):
        low, high = wilson(float(share), float(count), z)
        lines.append(
            {
                "said": round(float(said), 4),
                "happened": round(float(share), 4),
                "between": f"{low:.3f} and {high:.3f}",
                "rows": int(count),
            }
        )
    return tuple(lines)
