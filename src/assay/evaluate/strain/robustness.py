"""How much of the headline is lost when rows come in worse than those of the table."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.errors import DataError
from assay.evaluate.case import Case
from assay.evaluate.compare import compare
from assay.evaluate.strain.shift import SHIFTS, STANDARD, shifted, worst_tail
from assay.evaluate.strain.strains import STRAINS, Bench, Strain
from assay.kernel.family import Predictions
from assay.metrics.base import Truth
from assay.metrics.weighted import Rows
from assay.records.report import Curve, Estimate, Examination, tabled

ANSWERS = 24_000
"""Rows that are asked about in all, about."""
FEWEST_ROWS, MOST_ROWS = 200, 2_000
MOST_TRAIN = 5_000
REPLICATES = 400


@dataclass(frozen=True)
class Sampled:
    """Test rows drawn for damage: places, truth, answers as they are, groups and times."""

    index: NDArray[np.int64]
    truth: Truth
    answers: Predictions
    groups: NDArray[np.int64] | None
    times: NDArray[Any] | None


@dataclass(frozen=True)
class Series:
    """What one kind of trouble costs, from mild to strong: the headline then, and what is lost."""

    name: str
    title: str
    what: str
    advice: str
    standard: int
    severities: tuple[float, ...]
    labels: tuple[str, ...]
    values: tuple[float, ...]
    losses: tuple[Estimate, ...]
    everyday: bool = False

    @property
    def usual(self) -> Estimate:
        """Return the loss at the usual strength."""
        return self.losses[self.standard]

    @property
    def mild(self) -> Estimate:
        """Return the loss at the mildest strength."""
        return self.losses[0]


def examine(case: Case) -> Examination | None:
    """Return degradation curves of the headline, with a paired interval at each strength.

    Sampled test rows are damaged and asked about again; the loss is the paired difference of
    `compare.compare`, turned so that positive is worse. `numbers` has the loss at the usual
    strength as `robustness_NAME`, without what does not apply to the table.
    """
    code = case.problem.positive_code
    sampled = _sampled(case)
    try:
        headline = case.primary.compute(sampled.truth, sampled.answers, code)
        lead = _lost(case, sampled, case.baseline.take(sampled.index))[1]
    except DataError as error:
        return _untold(f"How the model bears bad rows could not be measured: {error}")
    series = [*_damaged(case, sampled), *_remixed(case, sampled)]
    if not series:
        return _untold("These rows have nothing that could be damaged.")
    return _told(case, series, headline, lead, len(sampled.index))


def _sampled(case: Case) -> Sampled:
    """Draw so many test rows that the whole examination stays quick."""
    asked = sum(len(strain.strengths) for strain in STRAINS)
    most = int(np.clip(ANSWERS // asked, FEWEST_ROWS, MOST_ROWS))
    draw = np.random.default_rng(case.seed)
    index = np.sort(draw.permutation(len(case.test.truth))[:most])
    groups = None
    if case.groups is not None:
        groups = np.unique(case.groups[index], return_inverse=True)[1].astype(np.int64)
    times = None if case.times is None else case.times[index]
    return Sampled(index, case.test.truth[index], case.champion.take(index), groups, times)


def _damaged(case: Case, sampled: Sampled) -> Iterator[Series]:
    """Yield the curve of each kind of damage that this table can take."""
    train = case.train.table[list(case.problem.features)]
    step = max(1, -(-train.height // MOST_TRAIN))
    frame = case.features[sampled.index]
    for number, strain in enumerate(STRAINS):
        bench = Bench(frame, train.gather_every(step), case.seed + 1 + number)
        found = []
        for strength in strain.strengths:
            worse = strain.damage(bench, strength)
            if worse is None:
                break
            found.append(_lost(case, sampled, case.predict(worse)))
        if len(found) > strain.standard:
            yield _series(strain, found)


def _lost(case: Case, sampled: Sampled, answers: Predictions) -> tuple[float, Estimate]:
    """Return the headline of these answers, and how much less it is than before."""
    code = case.problem.positive_code
    comparison = compare(
        case.primary,
        sampled.truth,
        sampled.answers,
        answers,
        positive_code=code,
        groups=sampled.groups,
        times=sampled.times,
        seed=case.seed,
        replicates=REPLICATES,
    )
    return case.primary.compute(sampled.truth, answers, code), comparison.difference


def _series(strain: Strain, found: list[tuple[float, Estimate]]) -> Series:
    strengths = strain.strengths[: len(found)]
    labels = tuple(strain.label(strength) for strength in strengths)
    return Series(
        name=strain.name,
        title=strain.title,
        what=f"{strain.what} ({labels[strain.standard]})",
        advice=strain.advice,
        standard=strain.standard,
        severities=strengths,
        labels=labels,
        values=tuple(value for value, _ in found),
        losses=tuple(loss for _, loss in found),
        everyday=strain.everyday,
    )


def _remixed(case: Case, sampled: Sampled) -> Iterator[Series]:
    """Yield the curve of the mix of rows that hurts most, chosen on predictions out of fold."""
    code = case.problem.positive_code
    known = np.flatnonzero(np.isfinite(case.oof.values.reshape(len(case.train.truth), -1)[:, 0]))
    known = known[:: max(1, -(-known.size // MOST_TRAIN))]
    train = case.train.table[list(case.problem.features)][known]
    tail = worst_tail(case.primary, train, case.train.truth[known], case.oof.take(known), code)
    if tail is None:
        return
    rows = Rows.of(sampled.truth, sampled.answers, code)
    column = case.features[tail.column][sampled.index]
    found = shifted(case.primary, column, tail, rows, sampled.groups, case.seed)
    if len(found) > STANDARD:
        more = tail.described(column.dtype)
        labels = tuple(f"moved by {by:.0%} of the usual spread" for by in SHIFTS[: len(found)])
        yield Series(
            name="shift",
            title="Another mix of rows",
            what=f"another mix, with more rows where {more} ({labels[STANDARD]})",
            advice="compare the mix of new rows with that of the training rows now and then",
            standard=STANDARD,
            severities=SHIFTS[: len(found)],
            labels=labels,
            values=tuple(value for value, _ in found),
            losses=tuple(loss for _, loss in found),
        )


def _told(
    case: Case, series: list[Series], headline: float, lead: Estimate, rows: int
) -> Examination:
    metric = case.primary
    harmed = [one for one in series if one.usual.low > 0]
    worst = max(harmed or series, key=lambda one: one.usual.value)
    loss = worst.usual
    reading = (
        f"{metric.title} is {metric.format(headline)} on {rows:,} test rows as they are. "
        f"Of {len(series)} kinds of trouble, {worst.what} costs the most: {metric.title} gets "
        f"worse by {_range(case, loss)}."
    )
    if not harmed:
        reading += " None of them does harm that is more than chance."
    spoilt = [one for one in series if one.everyday and 0 < lead.low <= lead.value <= one.mild.low]
    if spoilt:
        what = " or ".join(f"{one.title.lower()} ({one.labels[0]})" for one in spoilt)
        reading += f" Already with {what} it is no better than the baseline is on good rows."
    costly = bool(harmed) and loss.value > max(lead.value, 0.0) / 2
    return Examination(
        name="robustness",
        title="How it bears bad rows",
        reading=reading,
        concern="serious" if spoilt else "look" if costly else "none",
        advice=f"Before asking the model about new rows, {worst.advice}." if harmed else "",
        numbers={f"robustness_{one.name}": one.usual for one in series},
        tables=tabled({"What each trouble costs": [_line(case, one) for one in series]}),
        curves=(_curve(case, series, headline, rows),),
    )


def _range(case: Case, loss: Estimate) -> str:
    value, low, high = (case.primary.format(number) for number in (loss.value, loss.low, loss.high))
    return f"{value} (between {low} and {high})"


def _line(case: Case, one: Series) -> dict[str, Any]:
    loss = one.usual
    return {
        "Trouble": one.what[0].upper() + one.what[1:],
        f"{case.primary.title} then": case.primary.format(one.values[one.standard]),
        "Worse by": case.primary.format(loss.value),
        "Worse by, between": f"{case.primary.format(loss.low)} and "
        f"{case.primary.format(loss.high)}",
    }


def _curve(case: Case, series: list[Series], headline: float, rows: int) -> Curve:
    data = {
        one.title: {
            "severity": list(one.severities),
            "label": list(one.labels),
            "value": list(one.values),
            "loss": [loss.value for loss in one.losses],
            "low": [loss.low for loss in one.losses],
            "high": [loss.high for loss in one.losses],
        }
        for one in series
    }
    every = rows == len(case.test.truth)
    return Curve(
        kind="degradation",
        title="What is lost as rows get worse",
        data={"metric": case.primary.title, "headline": headline, "series": data},
        note="" if every else f"{rows:,} of {len(case.test.truth):,} test rows, drawn at random",
    )


def _untold(why: str) -> Examination:
    return Examination(name="robustness", title="How it bears bad rows", reading=why)
