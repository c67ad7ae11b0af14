"""The worst examples: which rows the model got most wrong, and what kinds of errors it makes."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from assay.evaluate.case import Case
from assay.evaluate.search import row_losses
from assay.metrics import METRICS
from assay.metrics.intervals.linear import critical, wilson
from assay.metrics.weighted import Codes, Floats, Rows
from assay.records.report import Estimate, Examination, tabled

LEVEL = 0.95
SHOWN = 15
TELLING = 4
"""Columns whose values are shown with each example: those that tell most where errors are."""
LONGEST = 40
SURE = 0.9
"""Probability of the given answer from which on a wrong answer was given with confidence."""
UNSURE = 0.1
"""Distance of the two highest probabilities below which an answer was nearly the other one."""
TAIL = 0.05
BINS = 8


def examine(case: Case) -> Examination | None:
    """Return the worst examples, and how errors are shared among kinds; None without test rows."""
    rows = Rows.of(case.test.truth, case.champion, case.problem.positive_code)
    if rows.n == 0:
        return None
    return _of_classes(case, rows) if rows.classes else _of_numbers(case, rows)


def _of_classes(case: Case, rows: Rows) -> Examination:
    wrong = rows.labels != rows.truth
    given = rows.values[np.arange(rows.n), rows.labels]
    true = rows.values[np.arange(rows.n), rows.truth]
    classes = case.problem.classes
    order = np.flatnonzero(wrong)
    order = order[np.argsort(true[order], kind="stable")][:SHOWN]
    shown = _telling(case, wrong.astype(np.float64))
    lines = [
        {
            "Row": int(case.test.places[i]) + 1,
            "True answer": classes[int(rows.truth[i])],
            "Given answer": classes[int(rows.labels[i])],
            "Probability of the given": _share(float(given[i])),
            "Of the true": _share(float(true[i])),
            **_values(case.features, shown, int(i)),
        }
        for i in order
    ]
    kinds = _kinds(rows, wrong, given)
    sure = wrong & (given >= SURE)
    numbers = {"confidently_wrong": _proportion(int(sure.sum()), int((given >= SURE).sum()))}
    tables = {"The worst examples": tuple(lines), "Kinds of errors": tuple(kinds)}
    tables["Which answers are mistaken for which"] = tuple(_confusions(rows, wrong, classes))
    return Examination(
        name="errors",
        title="The worst errors",
        reading=_classes_reading(rows, wrong, given, numbers["confidently_wrong"]),
        concern="none",
        advice=_CLASSES_ADVICE if wrong.any() else "",
        numbers=numbers if (given >= SURE).any() else {},
        tables=tabled(tables),
    )


_CLASSES_ADVICE = (
    "Read the worst examples first: an answer wrong with confidence is often a wrong label, a "
    "column read wrongly, or a kind of case that training hardly saw."
)


def _kinds(rows: Rows, wrong: NDArray[np.bool_], given: Floats) -> list[dict[str, Any]]:
    """Return how many answers of each kind of certainty there are, and how many are wrong."""
    ranked = np.sort(rows.values, axis=1)
    margin = ranked[:, -1] - ranked[:, -2] if rows.classes > 1 else np.ones(rows.n)
    near = margin < UNSURE
    sure = (given >= SURE) & ~near
    kinds = {
        f"confident (given at {SURE:.0%} or more)": sure,
        "in between": ~sure & ~near,
        f"borderline (the first two within {UNSURE:.0%})": near,
    }
    return [
        {
            "How sure the model was": name,
            "Answers": int(kind.sum()),
            "Wrong": int((wrong & kind).sum()),
            "Share wrong": _between(_proportion(int((wrong & kind).sum()), int(kind.sum()))),
            "Of all errors": _share(float((wrong & kind).sum() / max(wrong.sum(), 1))),
        }
        for name, kind in kinds.items()
        if kind.any()
    ]


def _confusions(
    rows: Rows, wrong: NDArray[np.bool_], classes: tuple[str, ...]
) -> list[dict[str, Any]]:
    """Return the most frequent mistakes, from which true answer to which given one."""
    counts = np.bincount(rows.cells[wrong], minlength=rows.classes**2)
    order = np.argsort(-counts, kind="stable")[:10]
    actual = np.bincount(rows.truth, minlength=rows.classes)
    return [
        {
            "True answer": classes[cell // rows.classes],
            "Given answer": classes[cell % rows.classes],
            "Rows": int(counts[cell]),
            "Of that true answer": _share(counts[cell] / actual[cell // rows.classes]),
        }
        for cell in order.tolist()
        if counts[cell]
    ]


def _classes_reading(rows: Rows, wrong: NDArray[np.bool_], given: Floats, sure: Estimate) -> str:
    count = int(wrong.sum())
    if not count:
        return f"Not one of the {rows.n:,} test rows got a wrong answer."
    text = f"{count:,} of {rows.n:,} answers are wrong ({count / rows.n:.1%})."
    confident = int((wrong & (given >= SURE)).sum())
    if not (given >= SURE).any():
        return text + f" The model never was {SURE:.0%} sure of an answer."
    return (
        f"{text} {confident:,} of them were given with {SURE:.0%} certainty or more; of all "
        f"answers given so surely {_between(sure)} are wrong; {1 - SURE:.0%} at most should be."
    )


def _of_numbers(case: Case, rows: Rows) -> Examination:
    size = np.abs(rows.error)
    order = np.argsort(-size, kind="stable")[:SHOWN]
    shown = _telling(case, row_losses(rows))
    lines = [
        {
            "Row": int(case.test.places[i]) + 1,
            "True answer": _number(float(rows.truth[i])),
            "Given answer": _number(float(rows.values[i])),
            "Off by": _number(float(size[i])),
            "Side": "too high" if rows.error[i] > 0 else "too low",
            **_values(case.features, shown, int(i)),
        }
        for i in order
    ]
    tail = max(int(np.ceil(TAIL * rows.n)), 1)
    squared = np.sort(rows.error**2)[::-1]
    share = float(squared[:tail].sum() / squared.sum()) if squared.sum() > 0 else 0.0
    over = _proportion(int((rows.error > 0).sum()), int((rows.error != 0).sum()))
    tables = {"The worst examples": tuple(lines), "Errors by true value": tuple(_by_truth(rows))}
    return Examination(
        name="errors",
        title="The worst errors",
        reading=_numbers_reading(rows, tail, share, over),
        concern="look" if over.low > 0.6 or over.high < 0.4 else "none",
        advice=_NUMBERS_ADVICE,
        numbers={"predicted_too_high": over} if over.n else {},
        tables=tabled(tables),
    )


_NUMBERS_ADVICE = (
    "Read the worst examples first: a huge error is often a wrong value in the file, or a kind of "
    "case that training hardly saw."
)


def _by_truth(rows: Rows) -> list[dict[str, Any]]:
    """Return the errors in fifths of the true value, and to which side they fall."""
    cuts = np.unique(np.quantile(rows.truth, (0.2, 0.4, 0.6, 0.8)))
    places = np.searchsorted(cuts, rows.truth, side="left")
    lines = []
    for place in np.unique(places):
        inside = places == place
        error, truth = rows.error[inside], rows.truth[inside]
        lines.append(
            {
                "True value": f"{_number(float(truth.min()))} to {_number(float(truth.max()))}",
                "Rows": int(inside.sum()),
                "Off by, on average": _number(float(np.abs(error).mean())),
                "Too high": _share(float((error > 0).mean())),
                "Mean of the errors": _number(float(error.mean())),
            }
        )
    return lines


def _numbers_reading(rows: Rows, tail: int, share: float, over: Estimate) -> str:
    size = np.abs(rows.error)
    if not size.any():
        return f"All {rows.n:,} test rows were answered exactly."
    worst = int(size.argmax())
    side = "too high" if rows.error[worst] > 0 else "too low"
    text = (
        f"Half of the answers are off by at most {_number(float(np.median(size)))}; the worst is "
        f"{_number(float(size[worst]))} {side}. The worst {tail:,} of {rows.n:,} rows make "
        f"{share:.0%} of the squared error. {_between(over)} of the answers are too high"
    )
    even = over.low <= 0.5 <= over.high
    return text + (", as many as chance allows." if even else ", which leans to one side.")


def _telling(case: Case, cost: Floats) -> list[str]:
    """Return the columns whose values go with the rows' cost most: their share of its variance."""
    table = case.features
    told = {name: _explained(table[name], cost) for name in table.columns}
    return sorted(told, key=lambda name: -told[name])[:TELLING]


def _explained(series: pl.Series, cost: Floats) -> float:
    """Return the share of the cost's variance between a column's values or parts (adjusted R²)."""
    codes = _codes(series)
    count = np.bincount(codes)
    means = np.bincount(codes, cost) / np.maximum(count, 1)
    spread, groups, n = float(cost.var()), int((count > 0).sum()), len(cost)
    if spread == 0 or n <= groups:
        return 0.0
    between = float((count * (means - cost.mean()) ** 2).sum() / n)
    return 1 - (1 - between / spread) * (n - 1) / (n - groups)


def _codes(series: pl.Series) -> Codes:
    """Return (n,) codes of the values, or of equally full parts of numbers, missing as its own."""
    if series.dtype.is_numeric() or series.dtype.is_temporal():
        series = series.to_physical().cast(pl.Float64).fill_nan(None)
        ranks = series.rank("dense").to_numpy()
        top = np.nanmax(ranks) if np.isfinite(ranks).any() else 1.0
        if top > BINS:
            ranks = np.ceil(series.rank("average").to_numpy() / max(series.count(), 1) * BINS)
        codes: Codes = np.nan_to_num(ranks, nan=0.0).astype(np.int64)
        return codes
    words: Codes = series.cast(pl.String).rank("dense").fill_null(0).to_numpy().astype(np.int64)
    return words


def _values(table: pl.DataFrame, columns: list[str], row: int) -> dict[str, str]:
    return {name: _short(table[name][row]) for name in columns}


def _short(value: object) -> str:
    if value is None:
        return "(missing)"
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def _proportion(hits: int, of: int) -> Estimate:
    share = hits / of if of else 0.0
    low, high = wilson(share, of, critical(LEVEL))
    return Estimate(value=share, low=low, high=high, n=of, method="wilson")


def _between(estimate: Estimate) -> str:
    if not estimate.n:
        return "none"
    return f"{estimate.value:.1%} (between {estimate.low:.1%} and {estimate.high:.1%})"


def _share(value: float) -> str:
    return f"{value:.1%}"


def _number(value: float) -> str:
    return METRICS["mae"].format(value)
