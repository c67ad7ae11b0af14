from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from assay.records.snapshot import Column, DataSnapshot
from assay.spec.analyse import analyse, value_counts

Snapshot = Callable[..., DataSnapshot]


def column(name: str, kind: str = "number", rows: int = 1000, **more: Any) -> Column:
    return Column(name=name, type=kind, rows=rows, **more)


TARGET = column("left", "category", unique=2, top=(("no", 730), ("yes", 270)))


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (column("a", "id", unique=1000), "id: 1,000 different values in 1,000 rows"),
        (column("a", "category", unique=990), "near-unique text"),
        (column("a", "category", unique=1, top=(("x", 1000),)), "constant: always x"),
        (column("a", unique=1, low=3.0, high=3.0), "constant: one value only"),
        (column("a", "text", missing=1000), "empty"),
        (column("a", "category", unique=2, top=(("0", 730), ("1", 270))), "under another name"),
        (column("a", unique=2, low=0.0, high=1.0, mean=0.27), "under another name"),
        (column("a", unique=2, low=0.0, high=1.0, mean=0.73), "under another name"),
    ],
)
def test_columns_to_drop(found: Column, reason: str, snapshot_of: Snapshot) -> None:
    ((name, why),) = analyse(snapshot_of(found, TARGET), "left").drop
    assert name == "a"
    assert reason in why


@pytest.mark.parametrize(
    "kept",
    [
        column("a", unique=1000, low=0.0, high=1.0, mean=0.5),
        column("a", "text", unique=1000),
        column("a", "category", unique=1, missing=400, top=(("x", 600),)),
        column("a", "category", unique=2, top=(("0", 729), ("1", 271))),
        column("a", unique=2, low=0.0, high=1.0, mean=0.271),
        column("a", "category", unique=2, missing=1, top=(("0", 729), ("1", 270))),
    ],
)
def test_columns_to_keep(kept: Column, snapshot_of: Snapshot) -> None:
    assert analyse(snapshot_of(kept, TARGET), "left").drop == ()


def test_equal_counts_of_a_balanced_table_are_no_sign(snapshot_of: Snapshot) -> None:
    halves = (("a", 500), ("b", 500))
    target = column("y", "category", unique=2, top=halves)
    other = column("x", "category", unique=2, top=halves)
    assert analyse(snapshot_of(other, target), "y").drop == ()


def test_a_number_that_repeats_the_target(snapshot_of: Snapshot) -> None:
    shape = {"unique": 900, "low": 0.1, "high": 9.0, "mean": 4.2, "std": 1.5, "median": 4.0}
    target, twin = column("price", **shape), column("price_eur", **shape)
    other = column("size", **{**shape, "median": 4.01})
    drop = analyse(snapshot_of(target, twin, other), "price").drop
    assert [name for name, _ in drop] == ["price_eur"]


def test_a_column_that_marks_the_test_rows(snapshot_of: Snapshot) -> None:
    marks = column("Split", "category", unique=3, top=(("Train", 600), ("TEST", 300), ("val", 100)))
    found = analyse(snapshot_of(marks, TARGET), "left")
    assert found.split.predefined_on == "Split"
    assert found.split.test_values == ("TEST",)
    assert found.drop == ()


@pytest.mark.parametrize(
    "marks",
    [
        column("split", "category", unique=2, top=(("a", 600), ("b", 400))),
        column("colour", "category", unique=2, top=(("train", 600), ("test", 400))),
        column("split", "category", unique=1, top=(("test", 1000),)),
        column("split", "category", unique=30, top=(("train", 600), ("test", 300))),
    ],
)
def test_a_column_that_marks_nothing(marks: Column, snapshot_of: Snapshot) -> None:
    assert analyse(snapshot_of(marks, TARGET), "left").split.predefined_on is None


def test_dates_entities_and_slices_are_only_suggested(snapshot_of: Snapshot) -> None:
    found = analyse(
        snapshot_of(
            column("signup", "datetime", unique=300),
            column("customer_id", unique=200),
            column("sex", "category", unique=2, top=(("f", 480), ("m", 520))),
            TARGET,
        ),
        "left",
    )
    assert found.suggest == {
        "split.time_on": "signup",
        "split.group_on": "customer_id",
        "slices.0.column": "sex",
    }
    assert [name for name, _ in found.notes] == ["signup", "customer_id"]
    assert found.split.time_on is None
    assert found.split.group_on is None


def test_two_dates_suggest_no_time(snapshot_of: Snapshot) -> None:
    dates = (column(name, "datetime", unique=300) for name in ("start", "end"))
    assert "split.time_on" not in analyse(snapshot_of(*dates, TARGET), "left").suggest


def test_counts_of_a_number_with_two_values() -> None:
    assert value_counts(column("y", unique=2, low=0.0, high=1.0, mean=0.384)) == {
        "0": 616,
        "1": 384,
    }
    assert value_counts(column("y", unique=3, low=0.0, high=2.0, mean=0.4)) == {}
