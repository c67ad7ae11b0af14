"""Looks at the columns of a table: which to leave out, and how to split."""

from __future__ import annotations

import math
from dataclasses import dataclass

from assay.records.snapshot import Column, DataSnapshot, names_an_id
from assay.records.spec import SplitSection
from assay.spec.values import label

NEAR_UNIQUE = 0.95
"""From this share of different values on, a column names its rows."""

_SPLIT_NAMES = frozenset(
    {"split", "set", "subset", "fold", "partition", "part", "sample", "dataset", "data_split"}
)
_TEST = frozenset({"test", "testing"})
_TRAIN = frozenset({"train", "training"})
_OTHER_PARTS = frozenset({"valid", "validation", "val", "dev"})


@dataclass(frozen=True)
class Analysis:
    """What `analyse` found.

    `drop` pairs a column to leave out with the reason. `notes` pairs a column
    that stays with a sentence. `suggest` maps keys that only a person can decide on, such as
    `split.time_on`, to the column that may suit them.
    """

    drop: tuple[tuple[str, str], ...]
    notes: tuple[tuple[str, str], ...]
    split: SplitSection
    suggest: dict[str, str]


def analyse(snapshot: DataSnapshot, target: str) -> Analysis:
    """Say which columns to leave out of a project, and which split to propose.

    Names of rows, constants and the target under another name go; dates and repeated entities
    stay, with advice. A column that marks test rows makes the split.
    """
    goal = snapshot.column(target)
    others = [column for column in snapshot.columns if column.name != target]
    split, marked = _predefined(others)
    reasons = {c.name: _reason_to_drop(c, goal) for c in others if c.name != marked}
    drop = tuple((name, reason) for name, reason in reasons.items() if reason)
    kept = [column for column in others if not reasons.get(column.name) and column.name != marked]
    dates = [column.name for column in kept if column.type == "datetime"]
    ideas = {
        "split.time_on": dates if len(dates) == 1 and marked is None else [],
        "split.group_on": [c.name for c in kept if _repeats(c) and marked is None],
        "slices.0.column": [column.name for column in kept if _sliceable(column)],
    }
    return Analysis(
        drop=drop,
        notes=tuple((c.name, note) for c in kept if (note := _note(c))),
        split=split,
        suggest={path: names[0] for path, names in ideas.items() if names},
    )


def _predefined(columns: list[Column]) -> tuple[SplitSection, str | None]:
    """Find a column such as split = train/test, and its values that mark the test rows."""
    for column in columns:
        values = [value for value, _ in column.top]
        words = {value.strip().lower() for value in values}
        known = words <= _TEST | _TRAIN | _OTHER_PARTS and column.unique == len(values)
        if column.name.lower() in _SPLIT_NAMES and known and words & _TEST and words & _TRAIN:
            tests = tuple(value for value in values if value.strip().lower() in _TEST)
            return SplitSection(predefined_on=column.name, test_values=tests), column.name
    return SplitSection(), None


def _reason_to_drop(column: Column, target: Column) -> str:
    present = column.rows - column.missing
    if present == 0:
        return "empty: every value is missing"
    if column.unique <= 1 and column.missing == 0:
        return f"constant: always {column.top[0][0]}" if column.top else "constant: one value only"
    share = column.unique / present
    if column.type == "id" and share >= NEAR_UNIQUE:
        return f"id: {column.unique:,} different values in {column.rows:,} rows"
    if column.type == "category" and share >= NEAR_UNIQUE and column.unique > 20:
        return f"near-unique text: {column.unique:,} different values in {column.rows:,} rows"
    if _same_as(column, target):
        return f"has the distribution of {target.name}: the target under another name?"
    return ""


def _same_as(column: Column, target: Column) -> bool:
    """Compare distributions; equal counts of a balanced table are no sign, unequal ones are."""
    if column.missing != target.missing:
        return False
    counts = sorted(value_counts(column).values())
    if counts:
        unlike = len(set(counts)) == len(counts) and counts[0] >= 10
        return unlike and counts == sorted(value_counts(target).values())
    ours = (column.low, column.high, column.mean, column.std, column.median)
    theirs = (target.low, target.high, target.mean, target.std, target.median)
    return column.unique == target.unique and all(
        a is not None and b is not None and math.isclose(a, b, rel_tol=1e-9)
        for a, b in zip(ours, theirs, strict=True)
    )


def value_counts(column: Column) -> dict[str, int]:
    """Return how often each value occurs; empty when fewer than two, or not all, are known."""
    present = column.rows - column.missing
    if column.top and len(column.top) == column.unique > 1:
        return dict(column.top)
    if column.unique == 2 and column.mean is not None and column.high != column.low:
        low, high = column.low or 0.0, column.high or 0.0
        upper = round(present * (column.mean - low) / (high - low))
        return {label(low): present - upper, label(high): upper}
    return {}


def _repeats(column: Column) -> bool:
    """Return True for what looks like the id of an entity that has several rows."""
    present = column.rows - column.missing
    named = names_an_id(column.name)
    looks = column.type == "id" or (column.type in ("category", "number") and named)
    return looks and 20 < column.unique <= present / 2


def _sliceable(column: Column) -> bool:
    return column.type in ("category", "boolean") and 2 <= column.unique <= 6


def _note(column: Column) -> str:
    present = column.rows - column.missing
    if column.type == "datetime":
        return "a date: set time_on if the model will answer for later rows"
    if _repeats(column):
        return f"{column.unique:,} values, {present / column.unique:.0f} rows each: set group_on?"
    if column.type == "text":
        return "free text, used as words: drop it if it names persons"
    if column.type == "id":
        return f"looks like an id, {column.unique:,} different values: drop it if it names rows"
    return ""
