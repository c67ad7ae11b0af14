"""Whether the test rows are like the training rows: columns, answers, and groups.

That a classifier can tell two samples apart is a test of their difference with no assumption on
its kind: Lopez-Paz and Oquab, "Revisiting classifier two-sample tests" (ICLR 2017). Rows dealt at
random are not asked: chance alone would tell them apart.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import polars as pl

from assay.data.audit.score import Floats, Ints, Outcome, average_ranks, column_scores
from assay.data.audit.subject import SEED, Subject, percent, plain, records, show
from assay.data.audit.values.columns import id_like
from assay.data.audit.values.target import WIDTHS
from assay.kernel.loader import load
from assay.records.audit import Finding, Severity

MOST_ROWS = 5_000
"""Rows of each part that are compared."""
FEWEST_ROWS = 50
FOLDS = 3
ROUNDS = 30
MOST_COLUMNS = 200
NOTICED, PLAIN = 0.6, 0.75
"""ROC-AUC of telling test from training rows from which it is worth a word, and a warning."""
TOLD = 0.55
SHOWN = 5
COMMON = 3


def drift(subject: Subject) -> Iterator[Finding]:
    """Find that a quick model can tell test rows from training rows."""
    if subject.splits_at_random:
        return
    rng = np.random.default_rng(SEED)
    parts = [_some(rows, rng) for rows in (subject.train, subject.test)]
    columns = _columns(subject)[:MOST_COLUMNS]
    if min(len(part) for part in parts) < FEWEST_ROWS or not columns:
        return
    rows = np.concatenate(parts)
    is_test = np.repeat([0, 1], [len(part) for part in parts])
    frame = pl.DataFrame([plain(subject.table[name][rows]) for name in columns])
    area = _told_apart(frame, is_test, _folds(subject, rows, rng))
    width = WIDTHS["roc_auc"](area, len(parts[1]), len(parts[0]))
    if area - width < NOTICED:
        return
    yield _drift(subject, area, width, frame, is_test)


def _columns(subject: Subject) -> list[str]:
    """Return the features without names of rows, dates, and what the split was made by."""
    policy = subject.policy
    used = {policy.predefined_on, policy.time_on, policy.group_on, *(policy.group_time_on or ())}
    used |= set(id_like(subject))
    dated = {c.name for c in subject.snapshot.columns if c.type == "datetime"}
    return [name for name in subject.features if name not in used | dated]


def _some(rows: Ints, rng: np.random.Generator) -> Ints:
    return rows if len(rows) <= MOST_ROWS else np.sort(rng.choice(rows, MOST_ROWS, replace=False))


def _folds(subject: Subject, rows: Ints, rng: np.random.Generator) -> Ints:
    """Deal rows to folds at random, rows of one declared group together."""
    policy = subject.policy
    group = policy.group_on or (policy.group_time_on[0] if policy.group_time_on else None)
    if group is None or group not in subject.table.columns:
        return np.asarray(rng.integers(FOLDS, size=len(rows)))
    codes = subject.table[group][rows].rank("dense").fill_null(0).to_numpy().astype(np.int64)
    return np.asarray(rng.integers(FOLDS, size=int(codes.max()) + 1)[codes])


def _told_apart(frame: pl.DataFrame, is_test: Ints, folds: Ints) -> float:
    """Return the cross-fitted ROC-AUC of boosted trees that tell test from training rows."""
    train, dataset = load("lightgbm:train"), load("lightgbm:Dataset")
    table = np.stack([_numbers(values) for values in frame.iter_columns()], axis=1)
    settings = {
        "objective": "binary",
        "num_leaves": 15,
        "learning_rate": 0.15,
        "min_data_in_leaf": 20,
        "feature_fraction": 0.8,
        "max_bin": 63,
        "seed": 0,
        "deterministic": True,
        "force_col_wise": True,
        "verbosity": -1,
    }
    areas = []
    for fold in range(FOLDS):
        inside, outside = folds != fold, folds == fold
        if min(np.bincount(is_test[part], minlength=2).min() for part in (inside, outside)) < 5:
            continue
        model = train(settings, dataset(table[inside], is_test[inside]), num_boost_round=ROUNDS)
        areas.append(_area(model.predict(table[outside]), is_test[outside]))
    return float(np.mean(areas)) if areas else 0.5


def _numbers(values: pl.Series) -> Floats:
    """Return numbers as they are and categories by how common they are; gaps are NaN."""
    if values.dtype.is_numeric():
        numbers = values.cast(pl.Float64).fill_null(np.nan).to_numpy()
        return np.where(np.isfinite(numbers), numbers, np.nan)
    counts = values.to_frame("cell").select(pl.len().over("cell")).to_series()
    codes = pl.DataFrame([counts.alias("rows"), values.cast(pl.String).alias("cell")])
    ranks = codes.select(pl.struct("rows", "cell").rank("dense")).to_series()
    return np.where(values.is_null(), np.nan, ranks.to_numpy()).astype(np.float64)


def _area(scores: Floats, positive: Ints) -> float:
    ranks = average_ranks(pl.Series(scores))[positive == 1]
    count, rest = len(ranks), len(positive) - len(ranks)
    return float((ranks.sum() - count * (count + 1) / 2) / (count * rest))


def _drift(
    subject: Subject, area: float, width: float, frame: pl.DataFrame, is_test: Ints
) -> Finding:
    timed = bool(subject.policy.time_on or subject.policy.group_time_on)
    severity: Severity = "warning" if area - width >= PLAIN and not timed else "note"
    columns = _telling(frame, is_test)
    names = " and ".join(show(line["column"]) for line in columns[:2]) or "several columns together"
    expected = " Under a split by time that is to be expected." if timed else ""
    return Finding(
        code="DRIFT",
        severity=severity,
        where=str(columns[0]["column"]) if columns else "rows",
        message=f"The test rows are not like the training rows: a quick model tells a pair of "
        f"them apart in {percent(area)} of cases (50 % is chance), mostly by {names}.{expected}",
        evidence={
            "told_apart_roc_auc": show(area),
            "low": show(max(area - width, 0.0)),
            "high": show(min(area + width, 1.0)),
            "training_rows": int((is_test == 0).sum()),
            "test_rows": int((is_test == 1).sum()),
            "columns": columns,
        },
        hint="find out how the test rows were chosen; the scores hold for rows like them, not for "
        "rows like the training rows",
    )


def _telling(frame: pl.DataFrame, is_test: Ints) -> list[dict[str, Any]]:
    """Return the columns that tell the parts apart the most, with what they hold in each."""
    found = []
    for values in frame.iter_columns():
        scores = column_scores(values, Outcome(codes=is_test))
        area = max((s.value for s in scores if s.metric == "roc_auc"), default=0.5)
        if area >= TOLD:
            found.append((area, values))
    found.sort(key=lambda pair: -pair[0])
    lines = [
        (values.name, area, *(_words(values.filter(pl.Series(is_test == k))) for k in (0, 1)))
        for area, values in found[:SHOWN]
    ]
    return records(["column", "told apart alone", "training rows", "test rows"], lines)


def _words(values: pl.Series) -> str:
    """Return the distribution of a column in a few words."""
    missing = values.null_count() / max(len(values), 1)
    gaps = f", missing {percent(missing)}" if missing else ""
    filled = values.drop_nulls()
    if values.dtype.is_numeric():
        low, middle, high = (filled.quantile(q) for q in (0.1, 0.5, 0.9))
        return f"80 % in {show(low)} … {show(high)}, middle {show(middle)}{gaps}"
    common = filled.alias("cell").value_counts(sort=True, name="rows").head(COMMON)
    told = ", ".join(
        f"{show(cell)} {percent(rows / max(len(values), 1))}" for cell, rows in common.rows()
    )
    return told + gaps
