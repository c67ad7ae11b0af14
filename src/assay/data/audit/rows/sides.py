"""Whether both parts hold the same answers and the same groups."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import polars as pl

from assay.data.audit.rows.chance import Bools
from assay.data.audit.score import Floats, Ints
from assay.data.audit.subject import Subject, percent, records, show
from assay.kernel.loader import load
from assay.records.audit import Finding, Severity

RARELY = 1e-3
"""Chance, for the whole table, that rows dealt at random would raise the finding."""
MOVED, GROWN = 0.05, 1.5
"""Share of rows that must change class, or times by which a class must grow or shrink."""
FAR = 0.1
"""Largest difference of the shares of rows below a number, from which numbers have moved."""
SEVERE = 0.5
FEWEST_OF_CLASS = 20
MOST_GROUPS = 50
FEWEST_OF_GROUP = 20
ABSENT = 0.1
"""Part of the expected rows up to which a group is nearly absent."""
SHOWN = 10


def label_shift(subject: Subject) -> Iterator[Finding]:
    """Find that test rows have other answers than training rows, beyond chance."""
    test = subject.test[subject.known[subject.test]]
    if subject.splits_at_random or len(test) < FEWEST_OF_CLASS or not len(subject.train):
        return
    target = [subject.target[rows].astype(np.float64) for rows in (subject.train, test)]
    if subject.problem.classes:
        size = len(subject.problem.classes)
        counts = np.stack([np.bincount(t.astype(np.int64), minlength=size) for t in target])
        moved, chance = _moved(counts)
        if chance < RARELY and (moved >= MOVED or _grown(counts) >= GROWN):
            yield _shift(subject, moved, chance, _class_lines(subject, counts))
    else:
        moved, chance = _distance(target[0], target[1])
        if chance < RARELY and moved >= FAR:
            yield _shift(subject, moved, chance, _number_lines(target))


def unrepresentative(subject: Subject) -> Iterator[Finding]:
    """Find groups that are in one part and nearly absent from the other, beyond chance.

    The chance of so few rows is bounded by that of Chernoff for a binomial number (Arratia and
    Gordon, Bulletin of Mathematical Biology 51, 1989), shared among all groups that are asked.
    """
    used = subject.parts >= -1
    share = len(subject.test) / max(int(used.sum()), 1)
    if not 0 < share < 1:
        return
    counts = {name: _of_groups(subject, name, used) for name in _grouping(subject)}
    asked = sum(len(table) for table in counts.values())
    for name, table in counts.items():
        lines = []
        for value, rows, test in table.rows():
            for part, here, expected in (
                ("test", test, share),
                ("training", rows - test, 1 - share),
            ):
                rare = here <= ABSENT * expected * rows
                if rare and _log_chance(here, rows, expected) < np.log(RARELY / (2 * asked)):
                    lines.append((value, part, rows, here, expected * rows))
        if lines:
            yield _absent(subject, name, lines)


def _moved(counts: Ints) -> tuple[float, float]:
    """Return the share of rows that would have to change class, and Pearson's chance of it."""
    shares = counts / counts.sum(axis=1, keepdims=True)
    together = counts[:, counts.sum(axis=0) > 0].astype(np.float64)
    expected = together.sum(axis=1, keepdims=True) * together.sum(axis=0) / together.sum()
    statistic = float(((together - expected) ** 2 / expected).sum())
    chance = float(load("scipy.special:chdtrc")(max(together.shape[1] - 1, 1), statistic))
    return float(np.abs(shares[0] - shares[1]).sum() / 2), chance


def _grown(counts: Ints) -> float:
    """Return the largest factor by which a class that is not rare grows or shrinks."""
    shares = (counts + 0.5) / counts.sum(axis=1, keepdims=True)
    factor = np.maximum(shares[0] / shares[1], shares[1] / shares[0])
    common = counts.sum(axis=0) >= FEWEST_OF_CLASS
    return float(factor[common].max(initial=1.0))


def _distance(train: Floats, test: Floats) -> tuple[float, float]:
    """Return the distance of Kolmogorov and Smirnov and its chance (Massart's bound, 1990)."""
    train, test = np.sort(train), np.sort(test)
    values = np.concatenate([train, test])
    below = [np.searchsorted(part, values, "right") / len(part) for part in (train, test)]
    far = float(np.abs(below[0] - below[1]).max())
    rows = len(train) * len(test) / (len(train) + len(test))
    return far, min(2 * float(np.exp(-2 * rows * far**2)), 1.0)


def _shift(subject: Subject, moved: float, chance: float, lines: list[dict[str, Any]]) -> Finding:
    severe = moved >= SEVERE
    target = subject.problem.target
    words = "far from" if severe else "not"
    return Finding(
        code="LABEL-SHIFT",
        severity="error" if severe and not _by_time(subject) else "warning",
        where=target,
        message=f"The answers of the test rows are {words} those of the training rows: for "
        f"{percent(moved)} of the rows {target} would have to change to make both alike.",
        evidence={"share_moved": show(moved), "chance": show(chance), "answers": lines},
        hint="find out how the test rows were chosen; if not by time, draw them at random, so that "
        "thresholds and probabilities learnt in training hold for them",
    )


def _by_time(subject: Subject) -> bool:
    return bool(subject.policy.time_on or subject.policy.group_time_on)


def _class_lines(subject: Subject, counts: Ints) -> list[dict[str, Any]]:
    shares = counts / counts.sum(axis=1, keepdims=True)
    order = np.argsort(-np.abs(shares[0] - shares[1]), kind="stable")[:SHOWN]
    lines = [
        (
            subject.problem.classes[i],
            int(counts[0, i]),
            shares[0, i],
            int(counts[1, i]),
            shares[1, i],
        )
        for i in order
    ]
    return records(["class", "training rows", "share", "test rows", "share of test"], lines)


def _number_lines(parts: list[Floats]) -> list[dict[str, Any]]:
    levels = (0.1, 0.25, 0.5, 0.75, 0.9)
    quantiles = [np.quantile(part, levels) for part in parts]
    lines = [(percent(q), float(a), float(b)) for q, a, b in zip(levels, *quantiles, strict=True)]
    return records(["of the rows are below", "training", "test"], lines)


def _grouping(subject: Subject) -> list[str]:
    """Return the columns whose values are groups of rows, the split's own left out."""
    policy = subject.policy
    own = {policy.predefined_on, policy.group_on, policy.time_on, *(policy.group_time_on or ())}
    own.add(subject.problem.target)
    return [
        column.name
        for column in subject.snapshot.columns
        if column.name in subject.table.columns
        and column.name not in own
        and column.type in ("category", "boolean")
        and 2 <= column.unique <= MOST_GROUPS
    ]


def _of_groups(subject: Subject, name: str, used: Bools) -> pl.DataFrame:
    """Return each value of a column that is common enough, its rows and its test rows."""
    frame = pl.DataFrame({"value": subject.table[name], "test": subject.parts == -1})
    counts = frame.filter(pl.Series(used)).group_by("value", maintain_order=True)
    return (
        counts.agg(pl.len().alias("rows"), pl.col("test").sum())
        .drop_nulls("value")
        .filter(pl.col("rows") >= FEWEST_OF_GROUP)
    )


def _log_chance(count: int, rows: int, share: float) -> float:
    """Return the log of a bound on the chance of at most `count` of `rows` at this share."""
    here = count / rows
    if here >= share:
        return 0.0
    inside = here * np.log(here / share) if here else 0.0
    return -rows * float(inside + (1 - here) * np.log((1 - here) / (1 - share)))


def _absent(subject: Subject, name: str, lines: list[tuple[Any, str, int, int, float]]) -> Finding:
    declared = not subject.splits_at_random and subject.policy.predefined_on is not None
    severity: Severity = "warning" if declared or subject.snapshot.test_rows else "note"
    value, part, rows, here, _ = lines[0]
    few = "no" if here == 0 else f"only {here:,}"
    more = f" The same holds for {len(lines) - 1} more values." if len(lines) > 1 else ""
    told = "not tested" if part == "test" else "not learnt"
    return Finding(
        code="UNREPRESENTATIVE",
        severity=severity,
        where=name,
        message=f"Of {rows:,} rows with {name} {show(value)}, {few} are {part} rows: how well the "
        f"model does for them is {told}.{more}",
        evidence={
            "groups": records(
                ["value", "missing from", "rows", "rows there", "rows expected there"],
                lines[:SHOWN],
            )
        },
        hint="draw the test rows so that every group is in both parts, for example with "
        f'split.stratify_on = "{name}", or say that the model is not meant for the missing ones',
    )
