"""Prediction sets and intervals that hold the true answer as often as they say.

The margin comes from predictions out of fold (CV+ with the folds' scores pooled: Barber, Candès,
Ramdas and Tibshirani 2021, Annals of Statistics 49), so it needs no rows of its own.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.evaluate.case import Case
from assay.evaluate.cells import percentiles, redrawn
from assay.kernel.family import Predictions
from assay.metrics import get
from assay.metrics.base import Truth
from assay.metrics.intervals.linear import critical, wilson
from assay.metrics.operate import answer_sets, answer_spans
from assay.records.report import Estimate, Examination, tabled

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

LINES = 20
PARTS = 4
FEWEST = 5
"""Rows of a class below which its share says nothing."""


def margin_of(truth: Truth, predictions: Predictions, coverage: float) -> float:
    """Return the score that this share of new rows stays under, from (n,) rows out of fold.

    The score of a class is one minus its probability (least ambiguous sets: Sadinle, Lei and
    Wasserman 2019, JASA 114), that of a number its absolute error. The quantile is the one that
    makes up for n being finite (Vovk, Gammerman and Shafer 2005); where n is too small for it,
    sets hold every class and an interval reaches as far as the largest error.
    """
    values = predictions.values
    if values.ndim == 2:
        scores = 1.0 - values[np.arange(len(truth)), truth.astype(np.int64)]
    else:
        scores = np.abs(values - truth)
    rank = int(np.ceil((len(scores) + 1) * coverage - 1e-9))
    if rank > len(scores):
        return 1.0 if values.ndim == 2 else float(scores.max(initial=0.0))
    return float(np.partition(scores, rank - 1)[rank - 1])


def examine(case: Case) -> Examination | None:
    """Measure how often the sets or intervals hold the true answer; None where there are none."""
    if case.operating.margin is None or len(case.test.truth) == 0:
        return None
    return _of_classes(case) if case.problem.classes else _of_numbers(case)


def _of_classes(case: Case) -> Examination:
    sets = answer_sets(case.operating, case.champion)
    truth = case.test.truth.astype(np.int64)
    inside = sets[np.arange(len(truth)), truth]
    size = sets.sum(axis=1)
    coverage = _share(case, inside)
    mean = _mean_size(case, size)
    single = float((size == 1).mean())
    reading = (
        f"{_sentence(case, coverage)} A set names {mean.value:.2f} of "
        f"{len(case.problem.classes)} answers on average; {single:.0%} of the rows get one alone."
    )
    concern, advice = _judged(case, coverage)
    classes = _by_class(case, truth, inside, size)
    if concern == "none" and any(line["held"] < line["asked"] - 0.1 for line in classes):
        advice = (
            "Some classes are held less often than others: the promise is about all rows together, "
            "so check the rare ones by hand."
        )
    return Examination(
        name="conformal",
        title="Prediction sets",
        reading=reading,
        concern=concern,
        advice=advice,
        numbers={"conformal_coverage": coverage, "set_size": mean},
        tables=tabled({"By true class": classes, "Sizes of the sets": _sizes(size, inside)}),
    )


def _of_numbers(case: Case) -> Examination:
    low, high = answer_spans(case.operating, case.champion)
    inside = (case.test.truth >= low) & (case.test.truth <= high)
    coverage = _share(case, inside)
    half = float(case.operating.margin or 0.0)
    width = Estimate(
        value=2 * half, low=2 * half, high=2 * half, n=len(inside), method="the same for every row"
    )
    reading = (
        f"{_sentence(case, coverage)} The interval reaches {_number(half)} to either side of the "
        "answer."
    )
    concern, advice = _judged(case, coverage)
    lines = _by_size(case.champion.values, inside)
    shares = [line["held"] for line in lines]
    if concern == "none" and shares and max(shares) - min(shares) > 0.1:
        advice = (
            "The interval has the same width everywhere and is too narrow for some answers and too "
            "wide for others: read the table before you rely on it for a single row."
        )
    return Examination(
        name="conformal",
        title="Prediction intervals",
        reading=reading,
        concern=concern,
        advice=advice,
        numbers={"conformal_coverage": coverage, "interval_width": width},
        tables=tabled({"By predicted value": lines}),
    )


def _sentence(case: Case, coverage: Estimate) -> str:
    kind = "set" if case.problem.classes else "interval"
    return (
        f"The {kind} given with an answer holds the true one in {coverage.value:.1%} of the test "
        f"rows (between {coverage.low:.1%} and {coverage.high:.1%}); "
        f"{case.operating.coverage:.0%} were asked for."
    )


def _judged(case: Case, coverage: Estimate) -> tuple[Any, str]:
    asked = case.operating.coverage
    if coverage.high >= asked:
        return "none", ""
    concern = "serious" if coverage.high < asked - 0.05 else "look"
    return concern, (
        "The promise is not kept on these rows: they differ from the training rows. "
        "Ask for a higher answers.coverage, or find out what changed between the two."
    )


def _share(case: Case, inside: Mask) -> Estimate:
    """Return the share of rows with Wilson's interval, or that of resampled groups."""
    share = float(inside.mean())
    if case.groups is not None:
        rng = np.random.default_rng(case.seed)
        drawn = redrawn(inside.astype(np.int64), 2, rng, case.groups)
        shares = drawn[:, 1] / np.maximum(drawn.sum(axis=1), 1e-300)
        return percentiles(share, shares, len(inside), low=0.0, high=1.0)
    low, high = wilson(share, len(inside), critical(0.95))
    return Estimate(value=share, low=low, high=high, n=len(inside), method="wilson")


def _mean_size(case: Case, size: NDArray[np.int64]) -> Estimate:
    rng = np.random.default_rng(case.seed)
    most = len(case.problem.classes)
    drawn = redrawn(size, most + 1, rng, case.groups)
    means = drawn @ np.arange(most + 1) / np.maximum(drawn.sum(axis=1), 1e-300)
    return percentiles(float(size.mean()), means, len(size), low=1.0, high=float(most))


def _by_class(
    case: Case, truth: NDArray[np.int64], inside: Mask, size: NDArray[np.int64]
) -> tuple[dict[str, Any], ...]:
    count = np.bincount(truth, minlength=len(case.problem.classes))
    lines = []
    for code in np.argsort(-count, kind="stable")[:LINES]:
        if count[code] >= FEWEST:
            rows = truth == code
            share = float(inside[rows].mean())
            low, high = wilson(share, int(count[code]), critical(0.95))
            lines.append(
                {
                    "class": case.problem.classes[code],
                    "rows": int(count[code]),
                    "held": round(share, 3),
                    "between": f"{low:.3f} and {high:.3f}",
                    "asked": case.operating.coverage,
                    "mean size": round(float(size[rows].mean()), 2),
                }
            )
    return tuple(lines)


def _sizes(size: NDArray[np.int64], inside: Mask) -> tuple[dict[str, Any], ...]:
    known, counts = np.unique(size, return_counts=True)
    return tuple(
        {
            "answers in the set": int(each),
            "rows": int(count),
            "share of rows": round(float(count / len(size)), 3),
            "held": round(float(inside[size == each].mean()), 3),
        }
        for each, count in list(zip(known, counts, strict=True))[:LINES]
    )


def _by_size(values: Floats, inside: Mask) -> tuple[dict[str, Any], ...]:
    """Return the share held in quarters of the predictions."""
    lines = []
    for part in np.array_split(np.argsort(values, kind="stable"), PARTS):
        if len(part) >= FEWEST:
            share = float(inside[part].mean())
            low, high = wilson(share, len(part), critical(0.95))
            lines.append(
                {
                    "answers": f"{_number(values[part[0]])} to {_number(values[part[-1]])}",
                    "rows": len(part),
                    "held": round(share, 3),
                    "between": f"{low:.3f} and {high:.3f}",
                }
            )
    return tuple(lines)


def _number(value: float) -> str:
    """Return an answer in the unit of the target as a person reads it."""
    return get("mae").format(float(value))
