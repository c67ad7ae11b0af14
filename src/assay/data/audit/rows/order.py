"""What the place of a row in the file says about its target."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import polars as pl

from assay.data.audit.rows.times import (
    DRIFT,
    SORTED,
    blocks_of,
    dates_of,
    file_order,
)
from assay.data.audit.score import order_strength
from assay.data.audit.subject import Subject, plain, show
from assay.records.audit import Finding


def row_order(subject: Subject) -> Iterator[Finding]:
    """Find that the place of a row in the file says something about its target.

    A file in the order of a date is TIME-ORDER's, or TIME-OVERLAP's.
    """
    given = subject.test_is_given
    rows = subject.sample
    asked = subject.splits_at_random or given
    strength = order_strength(subject.outcome_of(rows)) if asked else 0.0
    dates = (plain(subject.sampled[name]) for name in dates_of(subject))
    if strength < DRIFT or any(file_order(times) >= SORTED for times in dates):
        return
    steps = np.diff(subject.target[rows])
    runs = np.count_nonzero(steps) + 1
    by_target = runs == len(subject.problem.classes) or abs(np.sign(steps).sum()) == len(steps)
    harmless = by_target and not given
    message, hint = GIVEN if given else BY_TARGET if by_target else BY_OTHER
    numbers = pl.Series(np.arange(1, subject.table.height + 1))
    yield Finding(
        code="ROW-ORDER",
        severity="note" if harmless else "warning",
        where="rows",
        message=message,
        evidence={
            "target_explained_by_row_number": show(strength),
            **subject.basis,
            "target_by_row": blocks_of(subject, rows, numbers, "row"),
        },
        hint=hint,
    )


BY_TARGET = (
    "The file is sorted by the target; the split shuffles it.",
    "nothing needs to be done as long as the split is random",
)
BY_OTHER = (
    "The place of a row in the file says something about its target: the rows seem to stand in "
    "the order of time, place or source, which a random split ignores.",
    "find out what orders the file: if it is time, set split.time_on; if it is a source, "
    "split.group_on",
)
GIVEN = (
    "The place of a row in the file says something about its target, and the test part is given: "
    "if it was cut from one end of the file, it asks another question than training answers.",
    "find out what orders the file and how the test part was chosen; if by place, let the split "
    "draw it at random, or by time with split.time_on",
)
