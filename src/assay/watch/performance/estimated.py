"""Performance without labels: what is expected of the answers, with an interval, or "cannot say".

Classes: confidence-based estimation (Guillory et al. 2021, ICCV; NannyML's CBPE), with the answered
probabilities first recalibrated by what test rows and training rows out of fold showed, by score
and by column (`additive.py`), so that a shift into regions where the model is miscalibrated is
allowed for. Numbers: direct loss estimation by the same model of the errors. All of it holds only
while the relation between inputs and target stays what it was.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.special import expit, logit, stdtrit

from assay.kernel.family import Predictions
from assay.metrics import Metric
from assay.metrics.weighted import Floats
from assay.records.report import Estimate
from assay.records.watch import Measured
from assay.watch.drift.joint import Joint, JointFound
from assay.watch.performance.additive import Codes
from assay.watch.performance.asked import LEVEL, Asked, asked, within
from assay.watch.performance.known import usable
from assay.watch.performance.plausible import REPEATS, Window, draws, sampled
from assay.watch.performance.slices import slice_masks
from assay.watch.profile import Profile

ASSUMED = "estimated, as if the relation of inputs and target had not changed"
FEWEST = 30
"""Rows of a slice or of a window below which nothing is estimated."""
MOST_OUTSIDE = 0.25
"""Share of rows with a value that no training row had, above which nothing can be said."""
UNDEFINED = 0.05
"""Share of draws without a value above which the metric cannot be said."""
FEWEST_ALIKE = 100.0
"""Training rows that must be left when they are weighted to look like the window."""
TINY, NEAR = 1e-9, 1e-6


def estimate(
    profile: Profile,
    answers: Predictions,
    codes: Codes,
    frame: pl.DataFrame | None = None,
    *,
    doubt: str = "",
    alpha: float = 0.01,
) -> tuple[Measured, ...]:
    """Return every metric that is asked of a window, estimated without its labels.

    `answers` are those of n rows as they were served, `codes` (n, columns) their cells in the order
    of `profile.columns`, `frame` the columns that slices are made of. `doubt` says why nothing can
    be said although the rows look familiar: labels contradict (`concept.py`), or too few known rows
    are like them (`unlike`). `alpha` is the chance of a false alarm over all gates. A row whose
    answer is no number is left out.
    """
    known = profile.known
    told = usable(answers)
    answers, codes = answers.take(told), codes[told]
    masks = {} if frame is None else slice_masks(profile.slices, frame.filter(told))
    questions = asked(profile, tuple(masks), alpha)
    n = len(codes)
    if known is None:
        doubt = "the package has no error model"
    elif n < FEWEST:
        doubt = f"fewer than {FEWEST} rows"
    doubt = doubt or outside(profile, codes)
    if doubt or known is None:
        return tuple(q.unsaid(n, doubt, estimated=True) for q in questions)
    window, index = sampled(known, answers, codes)
    parts = {"": window} | {name: window.take(mask[index]) for name, mask in masks.items()}
    return _estimates(questions, parts)


def _estimates(questions: tuple[Asked, ...], parts: Mapping[str, Window]) -> tuple[Measured, ...]:
    found = []
    for where, part in parts.items():
        here = [q for q in questions if q.slice == where]
        if len(part.weight) < FEWEST:
            few = f"fewer than {FEWEST} rows"
            found += [q.unsaid(part.rows, few, estimated=True) for q in here]
            continue
        values = draws(part, [q.metric for q in here])
        found += [_said(q, values[q.metric.name], part.rows) for q in here]
    return tuple(found)


def _said(question: Asked, values: Floats, n: int) -> Measured:
    missing = ~np.isfinite(values)
    if missing.mean() > UNDEFINED:
        few = "too few rows are expected of a class that it needs"
        return question.unsaid(n, few, estimated=True)
    seen, surer = (summary(question.metric, values, n, level) for level in (LEVEL, question.level))
    return question.said(seen, surer, ASSUMED, estimated=True)


def summary(metric: Metric, values: Floats, n: int, level: float) -> Estimate:
    """Return the estimate that (draws, repeats) plausible values make, at this level.

    On the metric's own scale (log-odds for a share), around the median, with a spread of its own on
    each side (two-piece normal: Wallis 2014, Statistical Science 29), and Student's t for so few
    draws of the model (Satterthwaite 1946, Biometrics Bulletin 2).
    """
    scale, back = _scale(metric)
    each = scale(values)
    middle = float(np.nanmedian(each))
    apart = each - middle
    below, above = (float(np.sqrt(np.nanmean(apart[s * apart >= 0] ** 2))) for s in (-1, 1))
    within_draws = float(np.nanmean(np.nanvar(each, axis=1, ddof=1)))
    between = max(float(np.nanvar(np.nanmean(each, axis=1), ddof=1)) - within_draws / REPEATS, 0.0)
    share = between / max(between + within_draws, TINY)
    z = float(stdtrit((len(each) - 1) / max(share**2, TINY), (1 + level) / 2))
    ends = back(np.array([middle, middle - z * below, middle + z * above]))
    ends = np.where(ends - metric.low < NEAR, metric.low, ends)  # the scale never gets there
    ends = np.where(metric.high - ends < NEAR, metric.high, ends)
    return within(metric, float(ends[0]), float(ends[1:].min()), float(ends[1:].max()), n)


Scale = Callable[[Floats], Floats]


def _scale(metric: Metric) -> tuple[Scale, Scale]:
    """Return the map to a scale without ends, and the map back."""
    if np.isfinite(metric.low) and np.isfinite(metric.high):
        width = metric.high - metric.low
        return (
            lambda v: logit(np.clip((v - metric.low) / width, TINY, 1 - TINY)),
            lambda v: metric.low + width * expit(v),
        )
    if np.isfinite(metric.low):
        return lambda v: np.log(np.maximum(v - metric.low, TINY)), lambda v: metric.low + np.exp(v)
    return lambda v: np.log(np.maximum(1 - v, TINY)), lambda v: 1 - np.exp(v)  # what is unexplained


def outside(profile: Profile, codes: Codes) -> str:
    """Return why rows lie too far outside of what training knew, "" where they do not."""
    lacking: NDArray[np.bool_] = np.zeros(len(codes), dtype=bool)
    by_column = {}
    for place, column in enumerate(profile.columns):
        never = np.array(column.counts) == 0
        if never.any():
            new = never[codes[:, place]]
            by_column[column.name] = float(new.mean())
            lacking |= new
    share = float(lacking.mean())
    if share <= MOST_OUTSIDE:
        return ""
    worst = max(by_column, key=lambda name: by_column[name])
    return f"{share:.0%} of the rows have a value that no training row had, most in {worst}"


def unlike(joint: Joint | None, shift: JointFound | None) -> str:
    """Return why too few training rows are like the window's, "" where enough are.

    The effective sample size of training rows under importance weights is their number over the
    mean density ratio of the window's rows (Kong 1992, University of Chicago, report 348).
    """
    if joint is None or shift is None or not len(shift.scores):
        return ""
    ratio = float(np.exp(np.clip(shift.scores, -20.0, 20.0)).mean())
    alike = joint.rows / max(ratio, 1.0)
    if alike >= FEWEST_ALIKE:
        return ""
    few = f"only about {alike:,.0f}" if alike >= 1 else "none"
    return f"{few} of {joint.rows:,} training rows are like those of this window"
