"""The worst slices of a model, found without being told where to look."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from assay.evaluate.case import Case
from assay.evaluate.search import Searched, Slice, row_losses, search
from assay.evaluate.slices import one_slice
from assay.kernel.family import Predictions
from assay.metrics import METRICS, Metric
from assay.metrics.intervals.blocks import units_of
from assay.metrics.intervals.linear import Groups, Mask, critical, variance
from assay.metrics.weighted import Floats, Rows
from assay.records.report import Estimate, Examination, tabled

MOST_ROWS = 30_000
LEVEL = 0.95
FAR = 0.1
"""Points of wrong answers more than elsewhere from which on a slice is a serious matter."""
SURPRISE = 0.05
"""Wrong answers more than the model's own probabilities said that count as unforeseen."""
TITLE = "Where the model does worst"


def examine(case: Case) -> Examination | None:
    """Return the slices of one or two columns where the champion is clearly worse than elsewhere.

    `numbers` has the metrics of the worst slice found by their names, and the headline as
    `worst_slice` too. Where none is found they are those of the single column's slice that looks
    worst, with intervals so wide that they hold for all of those slices at once (Bonferroni): a
    floor on it is then a floor on all. Beyond `MOST_ROWS` rows a sample is searched. None where the
    rows are too few for a slice.
    """
    rows = _rows(case)
    looked = search(rows.table, row_losses(rows.answered), groups=rows.units)
    if looked.suspect is None:
        return None
    told = [_Told.of(one, rows) for one in looked.found]
    told.sort(key=lambda one: -one.difference.value)
    worst = told[0].slice if told else looked.suspect
    level = LEVEL if told else 1 - (1 - LEVEL) / looked.singles
    numbers = rows.measured(worst.mask, case, case.metrics, level)
    if case.primary.name in numbers:
        numbers["worst_slice"] = numbers[case.primary.name]
    return Examination(
        name="worst_slices",
        title=TITLE,
        reading=_reading(looked, told, rows),
        concern="none" if not told else "serious" if any(map(_serious, told)) else "look",
        advice=_advice(told),
        numbers=numbers,
        tables=tabled({TITLE: [_line(one, rows, case) for one in told]}),
    )


@dataclass(frozen=True)
class _Rows:
    """The rows searched: the table without the target, the answers, the units and the plain cost.

    `cost` (n,) is 1 for a wrong label, or the size of a number's error; `expected` (n,) is the
    chance of that by the model's own probabilities, None for numbers. `sampled` is how many rows
    there are in all where not all were searched, else 0.
    """

    table: pl.DataFrame
    answered: Rows
    predictions: Predictions
    units: Groups | None
    cost: Floats
    expected: Floats | None
    sampled: int

    def measured(
        self, mask: Mask, case: Case, metrics: tuple[Metric, ...], level: float = LEVEL
    ) -> dict[str, Estimate]:
        """Return the metrics inside a slice."""
        units = None if self.units is None else self.units[mask]
        fit = [metric for metric in metrics if not metric.operational]
        truth, answers = self.answered.truth[mask], self.predictions.take(mask)
        code = case.problem.positive_code
        return one_slice(fit, truth, answers, code, units, case.seed, level=level)[0]


def _rows(case: Case) -> _Rows:
    test, kept = case.test, np.arange(len(case.test.truth))
    if len(kept) > MOST_ROWS:
        kept = np.sort(np.random.default_rng(case.seed).permutation(len(kept))[:MOST_ROWS])
    predictions = case.champion.take(kept)
    answered = Rows.of(test.truth[kept], predictions, case.problem.positive_code)
    groups, times = (None if of is None else of[kept] for of in (case.groups, case.times))
    if answered.classes:
        cost = (answered.truth != answered.labels).astype(np.float64)
        expected = 1 - answered.values[np.arange(answered.n), answered.labels]
    else:
        cost, expected = np.abs(answered.error), None
    return _Rows(
        table=test.table.drop(case.problem.target, strict=False)[kept],
        answered=answered,
        predictions=predictions,
        units=units_of(answered, groups, times).codes,
        cost=cost,
        expected=expected,
        sampled=len(test.truth) if len(test.truth) > len(kept) else 0,
    )


@dataclass(frozen=True)
class _Told:
    """A slice found: its mean cost, that of the other rows, the difference, what was foretold."""

    slice: Slice
    here: float
    elsewhere: float
    difference: Estimate
    expected: float | None

    @classmethod
    def of(cls, one: Slice, rows: _Rows) -> _Told:
        """Measure a slice against the other rows."""
        inside = one.mask
        here, elsewhere = float(rows.cost[inside].mean()), float(rows.cost[~inside].mean())
        foretold = None if rows.expected is None else float(rows.expected[inside].mean())
        return cls(one, here, elsewhere, difference(rows.cost, inside, rows.units), foretold)


def difference(cost: Floats, inside: Mask, units: Groups | None = None) -> Estimate:
    """Return by how much the mean of (n,) costs is higher inside a mask than outside of it.

    The interval is Welch's (1947, Biometrika 34), with whole `units` (n,) where rows hang together.
    """
    means = cost[inside].mean(), cost[~inside].mean()
    count = int(inside.sum()), int((~inside).sum())
    influence = np.where(inside, (cost - means[0]) / count[0], (means[1] - cost) / count[1])
    freedom = min(count) if units is None else len(np.unique(units[inside]))
    half = critical(LEVEL, freedom) * float(np.sqrt(variance(influence, units)))
    value = float(means[0] - means[1])
    return Estimate(value=value, low=value - half, high=value + half, n=len(cost), method="welch")


def _serious(told: _Told) -> bool:
    """Return True where the model is much worse, and by its own probabilities does not know."""
    if told.expected is None:
        return told.difference.low >= told.elsewhere
    return told.difference.low >= FAR and told.here - told.expected >= SURPRISE


def _amount(value: float, rows: _Rows) -> str:
    return f"{value:.1%}" if rows.answered.classes else METRICS["mae"].format(value)


def _points(estimate: Estimate, rows: _Rows) -> str:
    if rows.answered.classes:
        ends = [f"{100 * end:.0f}" for end in (estimate.low, estimate.high)]
        return f"between {ends[0]} and {ends[1]} points"
    return f"between {_amount(estimate.low, rows)} and {_amount(estimate.high, rows)}"


def _line(told: _Told, rows: _Rows, case: Case) -> dict[str, Any]:
    """Return one line of the table."""
    asked = case.primary
    measured = rows.measured(told.slice.mask, case, (asked,)).get(asked.name)
    wrong = "Wrong answers" if rows.answered.classes else "Mean error"
    line: dict[str, Any] = {
        "Slice": told.slice.words,
        "Rows": int(told.slice.mask.sum()),
        f"{wrong} here": _amount(told.here, rows),
        "Elsewhere": _amount(told.elsewhere, rows),
        "More by": _points(told.difference, rows),
        asked.title: "not measured" if measured is None else asked.format(measured.value),
        "Between": ""
        if measured is None
        else f"{asked.format(measured.low)} and {asked.format(measured.high)}",
    }
    if told.expected is not None:
        line["The model expected"] = _amount(told.expected, rows)
    chance = told.slice.p_adjusted
    line["Chance of a false alarm"] = "under 0.1%" if chance < 0.001 else f"{chance:.1%}"
    return line


def _reading(looked: Searched, told: list[_Told], rows: _Rows) -> str:
    count = looked.singles + looked.pairs
    share = looked.smallest / rows.answered.n
    where = f"{count:,} slices of one or two columns, each of at least {looked.smallest} rows"
    where += f" ({share:.0%} of them)" if share >= 0.01 else ""
    if rows.sampled:
        where += f", in a sample of {rows.answered.n:,} of the {rows.sampled:,} test rows"
    if not told:
        return (
            f"None of {where}, is worse than the rest by more than chance explains. The one that "
            f"looks worst is {looked.suspect.words}."
            if looked.suspect
            else ""
        )
    first = told[0]
    what = "of the answers are wrong" if rows.answered.classes else "is the mean error"
    number = "one is" if len(told) == 1 else f"{len(told)} are"
    text = (
        f"Of {where}, {number} clearly worse than the rest. The worst is {first.slice.words} "
        f"({int(first.slice.mask.sum()):,} rows): {_amount(first.here, rows)} {what}, elsewhere "
        f"{_amount(first.elsewhere, rows)}"
    )
    if first.difference.low > 0:
        text += f" ({_points(first.difference, rows)} more)."
    elif rows.answered.classes:
        text += (
            ", which may be chance; but its probabilities are clearly further from what happened "
            "there."
        )
    else:
        text += (
            ", which may be chance; but most of its answers are clearly further off there, large "
            "errors set aside."
        )
    if first.expected is not None:
        text += f" By its own probabilities the model expected {_amount(first.expected, rows)}."
    return text


def _advice(told: list[_Told]) -> str:
    if not told:
        return ""
    text = (
        "Look at rows of these slices: are their true answers right, and is a column missing that "
        "would tell them apart? Slices picked as the worst usually look a little worse than they "
        "are; fresh rows will tell."
    )
    if any(map(_serious, told)):
        text += " Until then let a person decide there."
    return text
