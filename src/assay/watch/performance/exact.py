"""Performance with labels: the metrics of the seal on the labelled rows of a window."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from assay.kernel.family import Predictions
from assay.metrics.base import Truth
from assay.metrics.intervals.estimates import estimates
from assay.metrics.weighted import Rows
from assay.records.watch import Measured
from assay.watch.performance.asked import LEVEL, Asked, asked
from assay.watch.performance.known import Known, usable
from assay.watch.performance.selection import UNCOVERED, Selection, selection, weighted_estimates
from assay.watch.performance.slices import slice_masks
from assay.watch.profile import Profile

FEWEST = 20
"""Labelled rows below which nothing is measured."""
REPLICATES = 500


def measure(
    profile: Profile,
    answers: Predictions,
    truth: Truth,
    frame: pl.DataFrame | None = None,
    *,
    among: Predictions | None = None,
    alpha: float = 0.01,
) -> tuple[Measured, ...]:
    """Return every metric that is asked of a window, measured on its labelled rows.

    `answers` are those of n rows as they were served, `truth` (n,) their class codes, -1 where
    nobody said, or numbers, NaN there. `frame` has the columns that slices are made of. `among`
    are the answers of all the rows that might have got a label, where `answers` are not. `alpha` is
    the chance of a false alarm over all gates.

    Where labelled rows score otherwise than the rest, labels are weighted by the inverse of how
    often a row of such a score was labelled (`selection.py`), and `reason` says so; slices are
    measured as they are where `among` is given.
    """
    known = profile.known
    told = labelled(answers, truth)
    masks = {} if frame is None else slice_masks(profile.slices, frame)
    everyone = np.ones(len(truth), dtype=bool)
    found = []
    for question in asked(profile, tuple(masks), alpha):
        mask = masks.get(question.slice, everyone)
        rows = answers.take(mask), truth[mask], told[mask]
        how = _selected(known, rows[0], rows[2], None if question.slice else among)
        found.append(_measured(known, question, *rows, how))
    return tuple(found)


def _selected(
    known: Known | None, answers: Predictions, told: NDArray[np.bool_], among: Predictions | None
) -> Selection:
    if known is None:
        return Selection(None)
    others = answers.take(~told) if among is None else among
    bins = known.bins(answers.take(told)), known.bins(others.take(usable(others)))
    return selection(*bins, among=among is not None)


def labelled(answers: Predictions, truth: Truth) -> NDArray[np.bool_]:
    """Return the (n,) rows that have a label, and an answer that is a number."""
    known = truth >= 0 if truth.dtype.kind == "i" else np.isfinite(truth)
    both: NDArray[np.bool_] = usable(answers) & known
    return both


def _measured(
    known: Known | None,
    question: Asked,
    answers: Predictions,
    truth: Truth,
    told: NDArray[np.bool_],
    how: Selection,
) -> Measured:
    metric, n = question.metric, int(told.sum())
    if n < FEWEST:
        why = f"{n:,} labelled rows, fewer than {FEWEST}" if n else "no labels came yet"
        return question.unsaid(n, why, estimated=False)
    code = known.positive if known is not None else 0
    part, true = answers.take(told), truth[told]
    rows = Rows.of(true, part, code)
    reason = metric.unfit(true, rows.classes, code)
    if not reason and how.missing > UNCOVERED:
        reason = f"no labels came for scores like those of {how.missing:.0%} of the rows"
    if reason:
        return question.unsaid(n, reason, estimated=False)
    levels = (LEVEL, question.level)
    plain = [
        estimates([metric], true, part, positive_code=code, replicates=REPLICATES, level=level)[
            metric.name
        ]
        for level in levels
    ]
    if how.weights is not None:
        plain = weighted_estimates(metric, rows, how.weights, levels, plain)
    seen, surer = plain
    if not seen.n:
        why = "no labelled row enters into it, such as none that was answered with the class"
        return question.unsaid(n, why, estimated=False)
    return question.said(seen, surer, how.reason, estimated=False)
