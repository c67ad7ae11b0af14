"""Time and the split: dates that it ignores, parts that overlap, and columns from afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import permutations
from typing import Any

import numpy as np
import polars as pl

from assay.data.audit.leaks.single import LIMITS
from assay.data.audit.score import Ints, Score, column_scores, order_strength
from assay.data.audit.subject import Subject, once, percent, plain, records, show
from assay.records.audit import Finding

DRIFT = 0.2
"""Strength from which the target is said to move with time or place."""
SORTED = 0.95
FEWEST_DATED = 40
BLOCKS = 10
OVERLAP = 0.01
"""Share of test rows before the last training row that is no slip."""
MEANT_IN_TIME = 0.8
"""Share of pairs in which the test row is the later one, from which a split is meant in time."""
AFTERWARDS = 0.9
"""Share of rows in which a date must be later than the row's own time."""
MOST_DATES = 8
EXAMPLES = 5


def time_order(subject: Subject) -> Iterator[Finding]:
    """Find dates that a random split ignores although the target or the file moves with time."""
    for name in dates_of(subject) if subject.splits_at_random else ():
        rows, strength, in_file = _in_time(subject, name)
        if strength < DRIFT and in_file < SORTED:
            continue
        yield Finding(
            code="TIME-ORDER",
            severity="warning",
            where=name,
            message=f"The rows carry a date in {name}, "
            + ("and the target drifts with it" if strength >= DRIFT else "stand in its order")
            + ", but the split is random: the test asks about days that training has seen.",
            evidence={
                "target_explained_by_time": show(strength),
                "rank_correlation_of_row_and_time": show(in_file),
                **subject.basis,
                "target_over_time": blocks_of(subject, rows, subject.table[name], name),
            },
            hint=f'set split.time_on = "{name}" if the model will answer for later rows',
        )


def time_overlap(subject: Subject) -> Iterator[Finding]:
    """Find a given or grouped split that tests on days which training has seen.

    A date alone is no fault: the target or the file must move with it, or the split must be meant
    in time, with most test rows later than most training rows.
    """
    if subject.splits_at_random or subject.policy.time_on or not len(subject.test):
        return
    for name in dates_of(subject):
        times = plain(subject.table[name])
        train, test = (times[rows].drop_nulls() for rows in (subject.train, subject.test))
        if not len(train) or not len(test):
            continue
        early = float((test < train.max()).mean())  # type: ignore[arg-type]  # a share
        later = _share_later(train, test)
        rows, strength, in_file = _in_time(subject, name)
        meant = later >= MEANT_IN_TIME and subject.test_is_given
        moves = strength >= DRIFT or (in_file >= SORTED and subject.test_is_given)
        if early > OVERLAP and (meant or moves):
            yield _overlap(subject, name, early, later, strength, rows)


def future(subject: Subject) -> Iterator[Finding]:
    """Find dates from after the moment at which the model is asked.

    Under a split by time, a date that is mostly later than the row's own. Without one, two dates
    whose distance tells the answer although neither date does.
    """
    own = subject.policy.time_on or (subject.policy.group_time_on or ("", ""))[1]
    dates = dates_of(subject)[:MOST_DATES]
    if own:
        if own in dates:
            for name in dates:
                if name != own and name in subject.features:
                    yield from _later(subject, own, name)
        return
    for first, name in permutations(dates, 2):
        score = _wait(subject, first, name)
        late = _late(subject, first, name)
        suspicious = score is not None and score.value >= LIMITS[score.metric, score.discrete][0]
        if name in subject.features and late > 0.5 and suspicious:
            yield _future(subject, first, name, late, score)


@once
def dates_of(subject: Subject) -> list[str]:
    """Return the date columns, used as features or not, with enough cells to tell an order."""
    return [
        column.name
        for column in subject.snapshot.columns
        if column.type == "datetime"
        and column.name in subject.table.columns
        and subject.sampled[column.name].count() >= FEWEST_DATED
    ]


def file_order(times: pl.Series) -> float:
    """Return the size of the rank correlation of times and their place in the file."""
    ranks = times.drop_nulls().rank("average").to_numpy()
    if ranks.std() == 0:
        return 0.0
    return abs(float(np.corrcoef(ranks, np.arange(len(ranks)))[0, 1]))


def blocks_of(subject: Subject, rows: Ints, start: pl.Series, name: str) -> list[dict[str, Any]]:
    """Return the target in equal blocks of ordered rows, `start` saying where each begins."""
    classes, code = subject.problem.classes, subject.problem.positive_code
    lines = []
    for block in np.array_split(rows, BLOCKS):
        target = subject.target[block]
        level = (target == code).mean() if classes else target.mean()
        lines.append((start[int(block[0])], len(block), float(level)))
    wanted = f"share of {classes[code]}" if classes else "mean target"
    return records([f"from {name}", "rows", wanted], lines)


def _in_time(subject: Subject, name: str) -> tuple[Ints, float, float]:
    """Return dated rows in order, how much time says about the target, and about the file."""
    times = plain(subject.sampled[name])
    dated = subject.sample[times.is_not_null().to_numpy()]
    rows = dated[np.argsort(times.drop_nulls().to_numpy(), kind="stable")]
    return rows, order_strength(subject.outcome_of(rows)), file_order(times)


def _share_later(train: pl.Series, test: pl.Series) -> float:
    """Return the share of pairs whose test row is the later one, ties counting half."""
    known = np.sort(train.to_numpy())
    asked = test.to_numpy()
    below = np.searchsorted(known, asked, "left") + np.searchsorted(known, asked, "right")
    return float(below.mean() / 2 / len(known))


def _overlap(
    subject: Subject, name: str, early: float, later: float, strength: float, rows: Ints
) -> Finding:
    ranges = [
        (part, len(which), times.min(), times.max())
        for part, which in (("training", subject.train), ("test", subject.test))
        for times in (subject.table[name][which],)
    ]
    return Finding(
        code="TIME-OVERLAP",
        severity="warning",
        where=name,
        message=f"{percent(early)} of the test rows are earlier in {name} than the last training "
        "row: the test asks about days that training has seen, which the model will not have when "
        "it is used.",
        evidence={
            "test_rows_before_the_last_training_row": show(early),
            "pairs_with_the_test_row_later": show(later),
            "target_explained_by_time": show(strength),
            "range": records(["part", "rows", "from", "to"], ranges),
            "target_over_time": blocks_of(subject, rows, subject.table[name], name),
        },
        hint=f'set split.time_on = "{name}", or end the training rows before the first test row',
    )


def _later(subject: Subject, own: str, name: str) -> Iterator[Finding]:
    late = _late(subject, own, name)
    if late >= AFTERWARDS:
        yield _future(subject, own, name, late, _wait(subject, own, name))


def _late(subject: Subject, first: str, name: str) -> float:
    """Return the share of rows with both dates whose second is the later one."""
    both = plain(subject.sampled[name]) - plain(subject.sampled[first])
    return float((both.drop_nulls() > 0).mean() or 0.0)  # type: ignore[arg-type]  # a share


def _wait(subject: Subject, first: str, name: str) -> Score | None:
    """Return what the time between two dates says about the target."""
    wait = plain(subject.sampled[name]) - plain(subject.sampled[first])
    scores = [s for s in column_scores(wait, subject.outcome) if s.basis == "values"]
    return max(scores, key=lambda score: score.strength, default=None)


def _future(subject: Subject, own: str, name: str, late: float, score: Score | None) -> Finding:
    limit = LIMITS[score.metric, score.discrete][1] if score else np.inf
    certain = score is not None and score.value >= limit
    target = subject.problem.target
    both = subject.sampled[own].is_not_null() & subject.sampled[name].is_not_null()
    shown = subject.sampled.filter(both).head(EXAMPLES)
    header = [own, name, target]
    told = f", and the time between the two gives {target} away" if certain else ""
    return Finding(
        code="LEAK-FUTURE",
        severity="error" if certain else "warning",
        where=name,
        message=f"The date {name} is later than {own} in {percent(late)} of the rows{told}: when "
        "the model is asked, it has probably not happened yet.",
        evidence={
            "share_later": show(late),
            **({"score_of_the_time_between": show(score.value)} if score else {}),
            **({"score": score.metric} if score else {}),
            **subject.basis,
            "rows_of_the_file": records(header, zip(*(shown[c] for c in header), strict=True)),
        },
        hint=f"add {name} to data.drop, or make sure that it is known at {own}, such as a date "
        "that was agreed beforehand",
    )
