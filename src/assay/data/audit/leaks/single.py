"""Columns that know the answer: LEAK-TARGET, LEAK-SUSPECT and LABEL-COPY.

The idea is that of Kaufman, Rosset and Perlich, "Leakage in data mining" (TKDD 2012), section 5.1:
a column that alone predicts almost without error was most likely written after the answer.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import polars as pl

from assay.data.audit.score import FEW, Score
from assay.data.audit.subject import Subject, once, plain, records, show
from assay.kernel.family import class_labels
from assay.records.audit import Finding, Severity

LIMITS: dict[tuple[str, bool], tuple[float, float]] = {
    # metric, discrete: (suspicious from, too good to be true from)
    ("roc_auc", True): (0.98, 0.995),
    ("roc_auc", False): (0.98, 0.995),
    ("roc_auc_worst_pair", True): (0.985, 0.995),
    ("roc_auc_worst_pair", False): (0.985, 0.995),
    ("balanced_accuracy", True): (0.90, 0.95),
    ("balanced_accuracy", False): (0.95, 0.975),
    ("r2", True): (0.95, 0.99),
    ("r2", False): (0.95, 0.99),
}
"""Honest measurements are allowed more than statements: a discrete column is judged earlier."""
CERTAIN = 2
"""Limits that a score passes when its column is taken for a leak."""

SHOWN = 8
"""Rows of a cross table."""

NAMES = {
    "roc_auc": "ROC-AUC",
    "roc_auc_worst_pair": "ROC-AUC of the least separate classes",
    "balanced_accuracy": "balanced accuracy",
    "r2": "R² of the target's ranks",
}
SOURCES = {
    "missing": "Whether {} is filled in",
    "values": "The column {} alone",
    "values and missing": "The column {}, its gaps included,",
}


def leaks(subject: Subject) -> Iterator[Finding]:
    """Find columns that alone predict the target beyond what is plausible."""
    worst = {name: max(scores, key=_suspicion) for name, scores in subject.scores.items() if scores}
    for name in subject.features:
        if name in worst and _suspicion(worst[name])[0]:
            others = {other: worst[other] for other in worst if other != name}
            yield _leak(subject, name, worst[name], others)


@once
def given_away(subject: Subject) -> frozenset[str]:
    """Return the features that LEAK-TARGET names."""
    return frozenset(
        name
        for name, scores in subject.scores.items()
        if any(limits_passed(score) == CERTAIN for score in scores)
    )


@once
def suspects(subject: Subject) -> frozenset[str]:
    """Return the features that LEAK-TARGET or LEAK-SUSPECT names for a score of their own."""
    return frozenset(
        name for name, scores in subject.scores.items() if any(map(limits_passed, scores))
    )


def limits_passed(score: Score) -> int:
    """Return how many of its two limits a score passes."""
    return sum(score.value >= limit for limit in LIMITS[score.metric, score.discrete])


def _suspicion(score: Score) -> tuple[int, float, int]:
    """Return how many limits a score passes, its strength, and the rows it rests on."""
    return limits_passed(score), score.strength, score.rows


def _leak(subject: Subject, name: str, score: Score, others: Mapping[str, Score]) -> Finding:
    certain = _suspicion(score)[0] == CERTAIN
    target = subject.problem.target
    found = f"{NAMES[score.metric]} {score.value:.3f} on {score.rows:,} training rows"
    if certain:
        message = f"{SOURCES[score.basis].format(name)} gives {target} away: {found}."
        hint = (
            f"if {name} is filled in only after the answer, add it to data.drop; if it is known "
            "before, accept LEAK-TARGET for it in the project file, with the reason"
        )
    else:
        message = f"{SOURCES[score.basis].format(name)} almost gives {target} away: {found}."
        hint = f"make sure that {name} is known at the time the model is asked, or drop it"
    evidence: dict[str, Any] = {
        "score": score.metric,
        "value": show(score.value),
        "limit": LIMITS[score.metric, score.discrete][certain],
        "judged_by": score.basis,
        **subject.basis,
        "values": cross_table(subject, name),
    }
    if others:
        column, other = max(others.items(), key=lambda item: item[1].strength)
        evidence["next_best"] = f"{show(column)}: {other.metric} {other.value:.3f}"
    code: str = "LEAK-TARGET" if certain else "LEAK-SUSPECT"
    severity: Severity = "error" if certain else "warning"
    return Finding(
        code=code, severity=severity, where=name, message=message, evidence=evidence, hint=hint
    )


def label_copies(subject: Subject) -> Iterator[Finding]:
    """Find columns that are the target under another name: each value means one answer."""
    target = plain(subject.sampled[subject.problem.target])
    answers = target.n_unique()
    for name in subject.features:
        values = plain(subject.sampled[name])
        filled = values.is_not_null()
        share = values.count() / max(len(values), 1)
        if share < 0.5 or values.n_unique() > answers + 1:
            continue
        pairs = pl.DataFrame({"value": values, "target": target}).filter(filled)
        if not _is_copy(pairs):
            continue
        yield Finding(
            code="LABEL-COPY",
            severity="error",
            where=name,
            message=f"The column {name} is {subject.problem.target} under another name: "
            "each of its values stands for exactly one answer.",
            evidence={
                "filled_in": show(share),
                "distinct_values": pairs["value"].n_unique(),
                **subject.basis,
                "values": cross_table(subject, name),
            },
            hint=f"add {name} to data.drop",
        )


def _is_copy(pairs: pl.DataFrame) -> bool:
    """Return True for a bijection whose values repeat, or for numbers in the very same order."""
    distinct = pairs["target"].n_unique()
    if distinct < 2 or pairs["value"].n_unique() != distinct or pairs.height < 20:
        return False
    if pairs.n_unique() != distinct:
        return False
    if distinct <= pairs.height // 2:
        return True
    if not all(dtype.is_numeric() for dtype in pairs.dtypes):
        return False
    value, target = (pairs[name].rank("dense").to_numpy() for name in ("value", "target"))
    return bool((value == target).all() or (value == distinct + 1 - target).all())


def cross_table(subject: Subject, name: str) -> list[dict[str, Any]]:
    """Return what a person can check: the column's values against the target, in counts.

    Numbers with many values are cut into ranges of about equal size. For a numeric target each
    line has rows, least, mean and largest target.
    """
    return counted(subject, plain(subject.sampled[name]), subject.sampled[subject.problem.target])


def counted(subject: Subject, values: pl.Series, target: pl.Series) -> list[dict[str, Any]]:
    """Return the cross table of any values (n,) and the target (n,) of the same rows."""
    ranged = values.dtype.is_numeric() and values.n_unique() > FEW
    lines: list[pl.Expr] = [pl.len().alias("rows")]
    if subject.problem.classes:
        shown = subject.problem.classes[:SHOWN]
        target = class_labels(target)
        lines += [(pl.col("target") == label).sum().alias(f"{i}") for i, label in enumerate(shown)]
        header = ["value", "rows", *(f"{subject.problem.target} = {label}" for label in shown)]
    else:
        lines += [pl.col("target").min().alias("least")]
        lines += [pl.col("target").mean().alias("mean"), pl.col("target").max().alias("most")]
        header = ["value", "rows", "least", "mean", "most"]
    frame = pl.DataFrame({"raw": values, "value": labels_of(values, ranged), "target": target})
    table = frame.group_by("value").agg(*lines, pl.col("raw").min().alias("low"))
    place = "low" if ranged else -pl.col("rows").cast(pl.Int64)
    table = table.sort(pl.col("value").is_null(), place, "value").drop("low").head(SHOWN + 1)
    return records(header, table.with_columns(pl.col("value").fill_null("(missing)")).rows())


def labels_of(values: pl.Series, ranged: bool) -> pl.Series:
    """Return each value as text, or the range of about equal size that it lies in."""
    if not ranged:
        return class_labels(values)
    rank = (values.rank("average") - 0.5) / (values.len() - values.null_count())
    frame = pl.DataFrame({"value": values, "group": (rank * SHOWN).cast(pl.Int64)})
    low, high = pl.col("value").min(), pl.col("value").max()
    edges = frame.drop_nulls().group_by("group").agg(low.alias("low"), high.alias("high"))
    labels = {group: f"{low:.6g} to {high:.6g}" for group, low, high in edges.rows()}
    return frame["group"].replace_strict(labels, default=None, return_dtype=pl.String)
