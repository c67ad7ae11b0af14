from __future__ import annotations

import datetime as dt
import time
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.data.split import (
    LEFT_OUT,
    ONLY_TRAIN,
    TEST,
    folds_of,
    is_ordered,
    split,
    train_valid,
)
from assay.errors import DataError, SpecError
from assay.records.snapshot import Problem
from assay.records.spec import SplitSection

CLASSES = Problem(family="any", task="binary", target="y", classes=("no", "yes"), primary="roc_auc")
NUMBER = Problem(family="any", task="regression", target="x", primary="rmse")


def table(rows: int = 1000, seed: int = 0) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    start = dt.datetime(2024, 1, 1)
    days = rng.integers(0, 300, rows)
    return pl.DataFrame(
        {
            "y": np.where(rng.random(rows) < 0.1, "yes", "no"),
            "x": rng.normal(size=rows),
            "shop": rng.integers(0, 40, rows).astype(str),
            "day": [start + dt.timedelta(days=int(day)) for day in days],
            "set": np.where(rng.random(rows) < 0.3, "test", "train"),
        }
    )


def parts_of(data: pl.DataFrame, problem: Problem = CLASSES, **policy: Any) -> np.ndarray:
    return split(SplitSection(**policy), problem, data)[1]


POLICIES: list[dict[str, Any]] = [
    {},
    {"folds": 1},
    {"stratify_on": "x"},
    {"group_on": "shop"},
    {"group_on": "shop", "folds": 1},
    {"time_on": "day"},
    {"time_on": "day", "folds": 1},
    {"group_time_on": ("shop", "day")},
    {"predefined_on": "set"},
]


@pytest.mark.parametrize("policy", POLICIES, ids=str)
@pytest.mark.parametrize("problem", [CLASSES, NUMBER], ids=["classes", "number"])
def test_every_fold_trains_and_validates_on_disjoint_rows(policy: Any, problem: Problem) -> None:
    section = SplitSection(**policy)
    words, parts, _ = split(section, problem, table())
    folds = folds_of(parts)
    ordered = is_ordered(section)
    assert len(folds) == section.folds
    assert set(np.unique(parts)) <= {TEST, LEFT_OUT, ONLY_TRAIN, *folds}
    for fold in folds:
        train, valid = train_valid(parts, fold, ordered)
        assert len(train) > 0
        assert len(valid) > 0
        assert not np.intersect1d(train, valid).size
        assert (parts[np.concatenate([train, valid])] >= 0).all()
    assert words.split()[0] in {*policy, "random", "stratify_on"}


@pytest.mark.parametrize("policy", POLICIES, ids=str)
def test_the_seed_decides(policy: Any) -> None:
    data = table()
    assert (parts_of(data, **policy) == parts_of(data, **policy)).all()
    if "time_on" not in policy and "group_time_on" not in policy:
        assert (parts_of(data, **policy) != parts_of(data, **policy, seed=1)).any()


def test_classes_keep_their_shares_within_one_row() -> None:
    data = table()
    yes = (data["y"] == "yes").to_numpy()
    parts = parts_of(data, test=0.25)
    assert (parts == TEST).sum() == 250
    assert abs((yes & (parts == TEST)).sum() - yes.sum() * 0.25) < 1
    counts = [(yes & (parts == fold)).sum() for fold in range(5)]
    assert max(counts) - min(counts) <= 1


def test_a_column_of_numbers_is_stratified_in_quantiles() -> None:
    data = table()
    low = (data["x"].rank() <= 100).to_numpy()
    parts = parts_of(data, NUMBER, stratify_on="x")
    assert (low & (parts == TEST)).sum() == 20


def test_a_class_too_small_for_every_part_is_noted() -> None:
    data = table().with_columns(y=pl.Series(["odd"] * 2 + ["no"] * 998))
    assert "1 values of y have too few rows" in split(SplitSection(), CLASSES, data)[2]
    assert split(SplitSection(), CLASSES, table())[2] == ""


def test_groups_stay_whole_and_sizes_come_near() -> None:
    data = table()
    parts = parts_of(data, group_on="shop")
    whole = data.with_columns(part=parts).group_by("shop").agg(pl.col("part").n_unique())
    assert whole["part"].max() == 1
    assert abs((parts == TEST).mean() - 0.2) < 0.02
    sizes = np.bincount(parts[parts >= 0])
    assert sizes.max() - sizes.min() < 30  # a group has about 25 rows


def test_group_split_keeps_class_shares_when_it_can() -> None:
    rng = np.random.default_rng(3)
    shop = np.repeat(np.arange(100), 20)
    rate = np.where(shop < 50, 0.05, 0.6)
    data = pl.DataFrame({"shop": shop, "y": np.where(rng.random(2000) < rate, "yes", "no")})
    yes = (data["y"] == "yes").to_numpy()
    test = parts_of(data, group_on="shop") == TEST
    assert abs(yes[test].mean() - yes.mean()) < 0.05


def test_one_giant_group_leaves_rows_on_both_sides() -> None:
    data = pl.DataFrame({"y": ["no", "yes"] * 50, "shop": ["a"] * 90 + list("bcdefghijk")})
    parts = parts_of(data, group_on="shop", folds=3)
    assert (parts == TEST).any()
    assert folds_of(parts) == [0, 1, 2]


def test_test_rows_are_the_last_and_one_time_is_never_cut() -> None:
    data = table()
    parts = parts_of(data, time_on="day")
    test, rest = data.filter(parts == TEST), data.filter(parts != TEST)
    assert rest["day"].max() < test["day"].min()
    assert abs(test.height - 200) < 10
    before = rest["day"].min()
    for fold in folds_of(parts):
        train, valid = train_valid(parts, fold, True)
        assert data["day"][train].max() < data["day"][valid].min()
        assert data["day"][valid].min() > before
        before = data["day"][valid].max()


def test_numbers_are_times_too() -> None:
    data = table().with_columns(day=pl.int_range(1000))
    assert (parts_of(data, time_on="day")[-200:] == TEST).all()


def test_a_counter_taken_for_an_id_can_be_made_a_number() -> None:
    data = table().with_columns(day=pl.int_range(1000).cast(pl.String))
    with pytest.raises(DataError) as caught:
        parts_of(data, time_on="day")
    assert 'data.types."day" = "number"' in caught.value.hint


def test_groups_of_the_test_are_new_and_later() -> None:
    section = SplitSection(group_time_on=("shop", "day"))
    data = table()
    _, parts, note = split(section, CLASSES, data)
    test, train = data.filter(parts == TEST), data.filter(parts >= 0)
    assert train["day"].max() < test["day"].min()
    assert not set(train["shop"]) & set(test["shop"])
    assert f"{(parts == LEFT_OUT).sum()} rows are left out" in note
    assert "a fold may train on rows that are later than those it validates" in note
    for fold in folds_of(parts):
        rows, valid = train_valid(parts, fold, True)
        assert not set(data["shop"][rows]) & set(data["shop"][valid])


def test_nothing_is_left_out_when_groups_follow_each_other() -> None:
    day = np.arange(200)
    data = pl.DataFrame({"y": ["no", "yes"] * 100, "shop": day // 10, "day": day})
    parts = parts_of(data, group_time_on=("shop", "day"), folds=3)
    assert (parts != LEFT_OUT).all()
    assert (parts == TEST).sum() == 40


def test_the_official_test_rows_are_taken_as_they_are() -> None:
    data = table()
    official = (data["set"] == "test").to_numpy()
    assert ((parts_of(data, predefined_on="set") == TEST) == official).all()
    years = data.with_columns(set=pl.when(pl.col("set") == "test").then(2024).otherwise(2023))
    found = parts_of(years, predefined_on="set", test_values=("2024",))
    assert ((found == TEST) == official).all()


def test_a_missing_stratum_is_a_stratum() -> None:
    data = table().with_columns(
        set=pl.when(pl.int_range(1000) < 100).then(None).otherwise(pl.col("set"))
    )
    parts = parts_of(data, stratify_on="set")
    assert (parts[:100] == TEST).sum() == 20


BAD: list[tuple[dict[str, Any], str]] = [
    ({"group_on": "shp"}, "SPLIT-COLUMN"),
    ({"time_on": "days"}, "SPLIT-COLUMN"),
    ({"stratify_on": "nope"}, "SPLIT-COLUMN"),
    ({"group_time_on": ("shop", "nope")}, "SPLIT-COLUMN"),
    ({"predefined_on": "sett"}, "SPLIT-COLUMN"),
    ({"time_on": "shop"}, "SPLIT-TIME-TYPE"),
    ({"predefined_on": "set", "test_values": ("holdout",)}, "SPLIT-TEST-VALUE"),
    ({"group_on": "one"}, "SPLIT-GROUPS"),
    ({"group_on": "gaps"}, "SPLIT-MISSING"),
    ({"time_on": "when"}, "SPLIT-MISSING"),
    ({"time_on": "same"}, "SPLIT-EMPTY"),
    ({"predefined_on": "all"}, "SPLIT-EMPTY"),
]


@pytest.mark.parametrize(("policy", "code"), BAD, ids=str)
def test_a_policy_that_the_table_cannot_carry(policy: Any, code: str) -> None:
    data = table().with_columns(
        one=pl.lit("a"),
        gaps=pl.when(pl.int_range(1000) < 3).then(None).otherwise(pl.col("shop")),
        when=pl.when(pl.int_range(1000) < 3).then(None).otherwise(pl.int_range(1000)),
        same=pl.lit(7),
        all=pl.lit("test"),
    )
    with pytest.raises((SpecError, DataError)) as caught:
        parts_of(data, **policy)
    assert caught.value.code == code
    assert caught.value.where.startswith("split")
    assert caught.value.hint


def test_an_unknown_column_names_the_nearest() -> None:
    with pytest.raises(SpecError) as caught:
        parts_of(table(), group_on="shp")
    assert "shop" in caught.value.allowed


@pytest.mark.parametrize("rows", [0, 1, 2])
def test_a_table_of_almost_nothing_is_refused(rows: int) -> None:
    with pytest.raises(DataError) as caught:
        parts_of(table(1000).head(rows))
    assert caught.value.code == "SPLIT-EMPTY"


@settings(max_examples=60, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 40), min_size=3, max_size=30),
    share=st.floats(0.05, 0.6),
    seed=st.integers(0, 1000),
)
def test_any_groups_are_split_whole(sizes: list[int], share: float, seed: int) -> None:
    shop = np.repeat(np.arange(len(sizes)), sizes)
    data = pl.DataFrame({"shop": shop, "x": np.arange(len(shop)) * 1.0})
    parts = parts_of(data, NUMBER, group_on="shop", test=share, seed=seed, folds=3)
    assert all(len(np.unique(parts[shop == group])) == 1 for group in range(len(sizes)))
    assert (parts == TEST).any()
    assert len(folds_of(parts)) >= 2


@pytest.mark.parametrize("policy", [{}, {"group_on": "shop"}, {"group_time_on": ("shop", "day")}])
def test_large_tables_are_fast(policy: Any) -> None:
    rng = np.random.default_rng(0)
    rows = 200_000
    data = pl.DataFrame(
        {
            "y": rng.choice(["no", "yes"], rows),
            "shop": rng.integers(0, 20_000, rows).astype(str),
            "day": rng.integers(0, 10**6, rows),
        }
    )
    start = time.process_time()
    parts_of(data, **policy)
    assert time.process_time() - start < 2  # 1,000,000 rows take less than a second of one core
