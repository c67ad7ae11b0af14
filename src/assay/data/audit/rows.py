"""How rows relate to each other across the split: copies, groups, time and order."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import polars as pl

from assay.data.audit.columns import ENTITY_NAME, ID_NAME, id_like
from assay.data.audit.leakage import given_away
from assay.data.audit.score import Ints, order_strength
from assay.data.audit.subject import Subject, percent, plain, records, show
from assay.records.audit import Finding, Severity

MANY_COPIES = 0.01
"""Share of test rows with a twin in training from which the copies can decide a verdict."""
FEWEST_COPIES = 10
SAME_ANSWER = 0.9
"""Chance-corrected agreement from which a twin's answer is the row's own."""
DRIFT = 0.2
"""Strength from which the target is said to move with time or place."""
SORTED = 0.95
FEWEST_DATED = 40
BLOCKS = 10
EXAMPLES = 5


def duplicates(subject: Subject) -> Iterator[Finding]:
    """Find test rows whose features stand in a training row as well."""
    ignored = given_away(subject) | set(id_like(subject))
    columns = [name for name in subject.features if name not in ignored]
    if not columns or not len(subject.test) or not len(subject.train):
        return
    test, twin = _twins(subject, columns)
    if not len(test):
        return
    share = len(test) / len(subject.test)
    agreement = _agreement(subject, test, twin)
    chance = _chance_of_twin(subject, columns)
    many = share >= MANY_COPIES and len(test) >= FEWEST_COPIES
    severe = many and agreement >= SAME_ANSWER and chance < share / 10
    reason = ", and nearly always its answer: the test repeats what was learnt." if severe else "."
    yield Finding(
        code="DUPLICATE-ROWS-SPLIT",
        severity="error" if severe else "warning",
        where="rows",
        message=f"{len(test):,} of {len(subject.test):,} test rows ({percent(share)}) have the "
        f"same features as a training row{reason}",
        evidence={
            "test_rows": len(subject.test),
            "with_a_twin": len(test),
            "share": show(share),
            "same_answer_beyond_chance": show(agreement),
            "share_expected_by_chance": show(chance),
            "pairs": _pairs(subject, test, twin, columns),
        },
        hint="remove the copies from the data, or group the split by what they share (group_on); "
        "if such rows are truly separate cases, accept the finding with the reason",
    )


def _twins(subject: Subject, columns: list[str]) -> tuple[Ints, Ints]:
    """Return the test rows with a twin in training, and the first such twin of each."""
    hashes = subject.table.select(columns).hash_rows().to_numpy()
    known, first = np.unique(hashes[subject.train], return_index=True)
    place = np.searchsorted(known, hashes[subject.test])
    found = known[np.minimum(place, len(known) - 1)] == hashes[subject.test]
    return subject.test[found], subject.train[first[place[found]]]


def _pairs(subject: Subject, test: Ints, twin: Ints, columns: list[str]) -> list[dict[str, Any]]:
    """Return the first pairs: row numbers from 1, the values both have, and both answers."""
    target = subject.problem.target
    shown = columns[:3]
    rows, twins = (subject.table[which[:EXAMPLES]] for which in (test, twin))
    header = ["test row", "training row", *shown, f"{target} (test)", f"{target} (training)"]
    values = zip(
        (test[:EXAMPLES] + 1).tolist(),
        (twin[:EXAMPLES] + 1).tolist(),
        *(rows[name] for name in shown),
        rows[target],
        twins[target],
        strict=True,
    )
    return records(header, values)


def _agreement(subject: Subject, rows: Ints, twins: Ints) -> float:
    """Return Cohen's kappa of the answers of both, or for numbers the twins' R², at least 0."""
    kept = subject.known[rows]
    own, other = subject.target[rows[kept]], subject.target[twins[kept]]
    if not len(own):
        return 0.0
    if not subject.problem.classes:
        spread = float(((own - own.mean()) ** 2).sum())
        return max(1 - float(((own - other) ** 2).sum()) / spread, 0.0) if spread else 0.0
    size = len(subject.problem.classes)
    shares = [
        np.bincount(codes.astype(np.int64), minlength=size) / len(own) for codes in (own, other)
    ]
    expected = float(shares[0] @ shares[1])
    agreed = float((own == other).mean())
    return max((agreed - expected) / (1 - expected), 0.0) if expected < 1 else 0.0


def _chance_of_twin(subject: Subject, columns: list[str]) -> float:
    """Return how many twins in training a row would have if the columns were independent."""
    rows = len(subject.sample)
    twins = float(len(subject.train))
    for name in columns:
        counts = subject.sampled[name].value_counts(name="rows")["rows"].cast(pl.Float64)
        twins *= float((counts * (counts - 1)).sum()) / max(rows * (rows - 1), 1)
    return min(twins, 1.0)


def groups(subject: Subject) -> Iterator[Finding]:
    """Find entities, such as customers, with rows on both sides of the split."""
    policy = subject.policy
    declared = policy.group_on or (policy.group_time_on[0] if policy.group_time_on else None)
    if declared is not None and declared in subject.table.columns:
        yield from _overlap(subject, declared, "error")
    elif declared is None and subject.splits_at_random:
        for name in subject.table.columns:
            if name != subject.problem.target and _is_entity(subject, name):
                yield from _overlap(subject, name, "warning")


def _is_entity(subject: Subject, name: str) -> bool:
    """Return True for an identifier whose values repeat: named like one, or read as one."""
    column = subject.snapshot.column(name)
    present = column.rows - column.missing
    named = ID_NAME.search(name) or ENTITY_NAME.search(name)
    if not (named or column.type == "id") or present < 0.9 * column.rows:
        return False
    values = subject.table[name]
    if values.dtype.is_float():
        whole = values.drop_nulls()
        if not bool((whole == whole.round()).all()):
            return False
    elif values.dtype != pl.String:
        return False
    return 20 <= column.unique <= 0.9 * present and column.unique >= 0.005 * present


def _overlap(subject: Subject, name: str, severity: Severity) -> Iterator[Finding]:
    values = subject.table[name]
    train = values[subject.train].drop_nulls().unique()
    test = values[subject.test]
    shared = test.drop_nulls().unique(maintain_order=True)
    shared = shared.filter(shared.is_in(train.implode()))
    if shared.is_empty():
        return
    rows = int(test.is_in(shared.implode()).sum())
    told = (
        f"The split is grouped by {name}, yet"
        if severity == "error"
        else f"The column {name} seems to name whom a row is about, and"
    )
    yield Finding(
        code="GROUP-OVERLAP",
        severity=severity,
        where=name,
        message=f"{told} {shared.len():,} of its values have both training and test rows.",
        evidence={
            "values": values.n_unique(),
            "values_on_both_sides": shared.len(),
            "test_rows_of_these": rows,
            "share_of_test_rows": show(rows / max(len(subject.test), 1)),
            "examples": [show(value) for value in shared.head(EXAMPLES).to_list()],
        },
        hint=f'set split.group_on = "{name}" if the model must work for ones it has not seen',
    )


def time_order(subject: Subject) -> Iterator[Finding]:
    """Find dates that a random split ignores although the target or the file moves with time."""
    for name in _dates(subject) if subject.splits_at_random else ():
        times = plain(subject.sampled[name])
        dated = subject.sample[times.is_not_null().to_numpy()]
        rows = dated[np.argsort(times.drop_nulls().to_numpy(), kind="stable")]
        strength = order_strength(subject.outcome_of(rows))
        in_file = _file_order(times)
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
                "target_over_time": _blocks(subject, rows, subject.table[name], name),
            },
            hint=f'set split.time_on = "{name}" if the model will answer for later rows',
        )


def row_order(subject: Subject) -> Iterator[Finding]:
    """Find that the place of a row in the file says something about its target.

    A file in the order of a date is TIME-ORDER's.
    """
    rows = subject.sample
    strength = order_strength(subject.outcome_of(rows)) if subject.splits_at_random else 0.0
    dates = (plain(subject.sampled[name]) for name in _dates(subject))
    if strength < DRIFT or any(_file_order(times) >= SORTED for times in dates):
        return
    steps = np.diff(subject.target[rows])
    runs = np.count_nonzero(steps) + 1
    by_target = runs == len(subject.problem.classes) or abs(np.sign(steps).sum()) == len(steps)
    numbers = pl.Series(np.arange(1, subject.table.height + 1))
    yield Finding(
        code="ROW-ORDER",
        severity="note" if by_target else "warning",
        where="rows",
        message=BY_TARGET[0] if by_target else BY_OTHER[0],
        evidence={
            "target_explained_by_row_number": show(strength),
            **subject.basis,
            "target_by_row": _blocks(subject, rows, numbers, "row"),
        },
        hint=BY_TARGET[1] if by_target else BY_OTHER[1],
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


def _dates(subject: Subject) -> list[str]:
    """Return the date columns, used as features or not, with enough cells to tell an order."""
    return [
        column.name
        for column in subject.snapshot.columns
        if column.type == "datetime"
        and column.name in subject.table.columns
        and subject.sampled[column.name].count() >= FEWEST_DATED
    ]


def _file_order(times: pl.Series) -> float:
    """Return the size of the rank correlation of times and their place in the file."""
    ranks = times.drop_nulls().rank("average").to_numpy()
    if ranks.std() == 0:
        return 0.0
    return abs(float(np.corrcoef(ranks, np.arange(len(ranks)))[0, 1]))


def _blocks(subject: Subject, rows: Ints, start: pl.Series, name: str) -> list[dict[str, Any]]:
    """Return the target in equal blocks of ordered rows, `start` saying where each begins."""
    classes, code = subject.problem.classes, subject.problem.positive_code
    lines = []
    for block in np.array_split(rows, BLOCKS):
        target = subject.target[block]
        level = (target == code).mean() if classes else target.mean()
        lines.append((start[int(block[0])], len(block), float(level)))
    wanted = f"share of {classes[code]}" if classes else "mean target"
    return records([f"from {name}", "rows", wanted], lines)
