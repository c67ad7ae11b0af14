"""The target and the rows there are to judge it: missing, rare, and too few."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np

from assay.data.audit.subject import Subject, percent, records, show
from assay.records.audit import Finding, Severity

RARE = 0.10
VERY_RARE = 0.01
MANY_MISSING = 0.05
REMOVED = "missing-target"
"""The cleaning rule that leaves out rows without a target."""
FEW_PER_CLASS = 10
SHOWN = 10
WIDEST = 0.10
"""Half-width of a 95 % interval from which a gate can hardly tell good from bad."""
Z = 1.96


def missing_target(subject: Subject) -> Iterator[Finding]:
    """Report the rows that were removed, or cannot be used, because the target is missing."""
    target = subject.problem.target
    removed = sum(s.cells for s in subject.snapshot.cleaning if s.rule == REMOVED)
    unknown = int((~subject.known).sum())
    if not removed + unknown:
        return
    share = (removed + unknown) / (subject.table.height + removed)
    yield Finding(
        code="TARGET-MISSING",
        severity="warning" if share >= MANY_MISSING else "note",
        where=target,
        message=f"The target {target} is missing in {percent(share)} of the rows; they neither "
        "train nor test a model.",
        evidence={"rows_removed": removed, "rows_unknown": unknown, "share": show(share)},
        hint="ask why the answer is missing: if it is not by chance, the rest is no fair sample",
    )


def imbalance(subject: Subject) -> Iterator[Finding]:
    """Report that the rarest class is rare."""
    classes = subject.problem.classes
    if len(classes) < 2:
        return
    counts = np.bincount(subject.target[subject.known].astype(np.int64), minlength=len(classes))
    if not counts.sum():
        return
    rarest = int(counts.argmin())
    share = float(counts[rarest] / counts.sum())
    if share >= RARE / max(len(classes) - 1, 1):
        return
    blind = subject.problem.primary == "accuracy"
    yield Finding(
        code="CLASS-IMBALANCE",
        severity="warning" if blind or share < VERY_RARE else "note",
        where=subject.problem.target,
        message=f"Only {percent(share)} of the rows are {show(classes[rarest])}"
        + (", and accuracy rewards a model that never says so." if blind else "."),
        evidence={
            "classes": records(
                ["class", "rows", "share"],
                [
                    (classes[i], int(counts[i]), float(counts[i] / counts.sum()))
                    for i in np.argsort(counts, kind="stable")[:SHOWN]
                ],
            )
        },
        hint="judge by average_precision, recall or balanced_accuracy rather than accuracy",
    )


def tiny_classes(subject: Subject) -> Iterator[Finding]:
    """Find classes with too few rows to learn or to judge."""
    classes = subject.problem.classes
    if not classes:
        return
    counts = [
        np.bincount(
            subject.target[rows][subject.known[rows]].astype(np.int64), minlength=len(classes)
        )
        for rows in (subject.train, subject.test)
    ]
    for label, train, test in zip(classes, *counts, strict=True):
        severity = _tiny(int(train), int(test), binary=len(classes) == 2)
        if severity is None:
            continue
        yield Finding(
            code="TINY-CLASS",
            severity=severity,
            where=subject.problem.target,
            message=f"The class {show(label)} has {train} training and {test} test rows: too few "
            + ("to learn it." if train < FEW_PER_CLASS else "to judge how well it is told apart."),
            evidence={"class": show(label), "train": int(train), "test": int(test)},
            hint="get more rows of it, join it with another class, or leave it out of the question",
        )


def _tiny(train: int, test: int, *, binary: bool) -> Severity | None:
    if train < 2 or (binary and test == 0):
        return "error"
    if train < FEW_PER_CLASS or test < (FEW_PER_CLASS if binary else 2):
        return "warning"
    return None


def few_rows(subject: Subject) -> Iterator[Finding]:
    """Find gates whose interval will be too wide to decide anything."""
    test = subject.test[subject.known[subject.test]]
    classes, code = subject.problem.classes, subject.problem.positive_code
    positives = int((subject.target[test] == code).sum()) if classes else 0
    for gate in subject.gates if len(test) else ():
        threshold = gate.at_least if gate.at_least is not None else gate.at_most
        unfit = gate.metric in TWO_CLASSES and subject.problem.positive is None
        if threshold is None or gate.metric not in WIDTHS or unfit:
            continue
        width = WIDTHS[gate.metric](threshold, positives, len(test) - positives)
        widest = WIDEST * (abs(threshold) if gate.metric in RELATIVE else 1)
        if widest < width < math.inf:
            yield _few_rows(gate.metric, threshold, width, widest, len(test))


def _few_rows(metric: str, threshold: float, width: float, widest: float, rows: int) -> Finding:
    needed = math.ceil(rows * (width / widest) ** 2)
    return Finding(
        code="TOO-FEW-ROWS",
        severity="warning",
        where=metric,
        message=f"The gate {metric} at {threshold:g} will be judged with an interval of about "
        f"± {width:.2g}: only a model far from the threshold can be decided.",
        evidence={
            "test_rows": rows,
            "half_width": show(width),
            "half_width_wanted": show(widest),
            "test_rows_needed": needed,
        },
        hint=f"about {needed:,} test rows would do: raise split.test, or get more data",
    )


def _proportion(share: float, rows: int) -> float:
    """Wald's half-width, with at least the variance of 1 success in `rows` (+4) trials."""
    share = min(max(share, 1 / (rows + 4)), 1 - 1 / (rows + 4))
    return Z * math.sqrt(share * (1 - share) / max(rows, 1))


def _auc(area: float, positives: int, negatives: int) -> float:
    """Half-width by Hanley and McNeil, Radiology 143 (1982), for a negative exponential model."""
    if not positives or not negatives:
        return math.inf
    area = min(max(area, 0.5), 0.999)
    q1, q2 = area / (2 - area), 2 * area**2 / (1 + area)
    variance = area * (1 - area) + (positives - 1) * (q1 - area**2)
    variance += (negatives - 1) * (q2 - area**2)
    return Z * math.sqrt(variance / (positives * negatives))


WIDTHS: dict[str, Callable[[float, int, int], float]] = {
    # half-width of the 95 % interval at a threshold, with so many positive and other test rows
    "roc_auc": _auc,
    "recall": lambda t, p, _: _proportion(t, p),
    "specificity": lambda t, _, n: _proportion(t, n),
    "accuracy": lambda t, p, n: _proportion(t, p + n),
    "balanced_accuracy": lambda t, p, n: math.hypot(_proportion(t, p), _proportion(t, n)) / 2,
    # Olkin and Finn (1995), "Correlations redux", equation 18, without predictors' correction
    "r2": lambda t, _, n: Z * 2 * math.sqrt(max(t, 0.01)) * (1 - t) / math.sqrt(n),
    "rmse": lambda t, _, n: Z * t / math.sqrt(2 * n),
    "mae": lambda t, _, n: Z * t * math.sqrt(math.pi / 2 - 1) / math.sqrt(n),
}
TWO_CLASSES = frozenset({"roc_auc", "recall", "specificity", "balanced_accuracy"})
RELATIVE = frozenset({"rmse", "mae"})
"""Metrics in the target's unit: their width is compared with the threshold."""
