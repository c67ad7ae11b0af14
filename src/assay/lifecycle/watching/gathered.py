"""A window of the log that is over, with the labels that came, as evidence to judge."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from assay.kernel.family import Predictions
from assay.lifecycle.watching.judging import Evidence, Labelled, contradiction, moment, truth_of
from assay.lifecycle.watching.labels import TRUTH, Joining, count_fresh, measured
from assay.lifecycle.watching.subject import Subject
from assay.lifecycle.watching.tally import KEY, Tally
from assay.lifecycle.watching.windows import Window, features_of
from assay.metrics.operate import group_words
from assay.records.watch import WatchVerdict
from assay.serve.log.columns import CHANCE, FEATURE
from assay.watch.drift.losses import follow, losses_of


def evidence_of(
    subject: Subject, window: Window, joining: Joining, number: int, minimum: int
) -> Evidence:
    """Return what is known of a window; labels that suffice are taken out of what came."""
    labels = joining.labels
    tally = window.tallies.get(subject.version.version, Tally())
    sample = tally.sample.drop(KEY, strict=False)
    found = Evidence(
        tally,
        features_of(sample) if sample.height else pl.DataFrame(),
        logged_answers(subject, sample) if sample.height else None,
        rows=window.rows,
        number=number,
        since=window.first if window.rows else None,
        until=window.last if window.rows else None,
        seconds=window.last - window.first if window.rows else None,
        versions=window.versions,
        logged=True,
    )
    if count_fresh(labels, subject.version.version) < minimum:
        return replace(found, doubt=labels.doubt)
    rows = measured(labels, subject.version.version)
    told = Labelled(
        features_of(rows),
        logged_answers(subject, rows),
        truth_of(subject, rows[TRUTH]),
        among=logged_answers(subject, joining.peers(rows)),
    )
    denied = contradiction(subject, told)
    labels.doubt = denied.reading if denied else ""
    risen = follow(labels.streams, losses_of(told.answers, told.truth))
    return replace(found, labelled=told, doubt=labels.doubt, denied=denied, risen=risen)


def unjudged(subject: Subject, window: Window, number: int, reason: str) -> WatchVerdict:
    """Return the verdict on a window that could not be judged."""
    version = subject.version
    return WatchVerdict(
        model=version.name,
        version=version.version,
        package=version.package,
        window=number,
        rows=window.rows,
        since=moment(window.first),
        until=moment(window.last),
        verdict="unknown",
        reason=reason,
        versions=window.versions,
    )


def logged_answers(subject: Subject, rows: pl.DataFrame) -> Predictions:
    """Return what was answered to rows of the log."""
    signature = subject.signature
    if not signature.classes:
        return Predictions(rows["value"].cast(pl.Float64).fill_null(np.nan).to_numpy())
    chances = [pl.col(CHANCE + name).cast(pl.Float64) for name in signature.classes]
    values = rows.select(chances).to_numpy()
    operating = signature.operating
    threshold: float | NDArray[np.float64] = operating.threshold
    if operating.thresholds and FEATURE + operating.group in rows.columns:
        words, known = group_words(rows[FEATURE + operating.group]), operating.thresholds
        threshold = np.array([known.get(word, operating.threshold) for word in words])
    return Predictions(values, signature.classes, threshold)
