"""Time, preparation, drift, answers and groups: whether the test part is what it is taken for."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import polars as pl
import pytest
from sklearn import datasets

from assay.data.audit import battery
from assay.data.audit.rows import drift, prepared, sides, times
from assay.data.audit.rows import order as rows
from assay.records.spec import SplitSection

GIVEN = SplitSection(predefined_on="part")
START = datetime(2022, 1, 1)


@pytest.fixture(autouse=True)
def checks_of_the_split(monkeypatch):
    """Run the checks under test alone: the others cost time and are tested elsewhere."""
    modules = {module.__name__ for module in (drift, prepared, rows, sides, times)}
    kept = [check for check in battery.CHECKS if check.find.__module__ in modules]
    monkeypatch.setattr(battery, "CHECKS", tuple(kept))


def given(test: np.ndarray) -> np.ndarray:
    return np.where(test, -1, np.arange(len(test)) % 5).astype(np.int8)


def at_random(rows: int, seed: int = 0) -> np.ndarray:
    return given(np.random.default_rng(seed).random(rows) < 0.25)


def days(numbers: np.ndarray) -> pl.Series:
    dates = [START + timedelta(hours=float(24 * number)) for number in numbers]
    return pl.Series(dates).cast(pl.Datetime("us"))


def cancer() -> pl.DataFrame:
    data = datasets.load_breast_cancer()
    answers = pl.Series("y", np.where(data.target == 0, "malignant", "benign"))
    return pl.DataFrame(data.data, schema=list(data.feature_names)).with_columns(answers)


# time


def diary(drifts: float, seed: int = 0, rows: int = 800) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    day = rng.permutation(rows).astype(float)
    level = drifts * day / rows + rng.normal(size=rows)
    answers = np.where(level > drifts / 2, "up", "down")
    return pl.DataFrame({"day": days(day), "weight": rng.normal(size=rows), "y": answers})


def test_a_given_test_part_from_the_same_days(run, only, codes):
    table = diary(3)
    finding = only(run(table, policy=GIVEN, parts=at_random(800)), "TIME-OVERLAP")
    assert (finding.severity, finding.where) == ("warning", "day")
    assert finding.evidence["test_rows_before_the_last_training_row"] > 0.95
    later = given((table["day"].rank() > 600).to_numpy())
    assert "TIME-OVERLAP" not in codes(run(table, policy=GIVEN, parts=later))
    assert "TIME-OVERLAP" not in codes(run(diary(0), policy=GIVEN, parts=at_random(800)))


def test_a_split_that_is_meant_in_time_but_overlaps(run, only):
    table = diary(0)
    late = (table["day"].rank() > 600).to_numpy()
    slipped = late ^ (np.random.default_rng(0).random(800) < 0.03)
    finding = only(run(table, policy=GIVEN, parts=given(slipped)), "TIME-OVERLAP")
    assert 0.01 < finding.evidence["test_rows_before_the_last_training_row"] <= 1
    assert finding.evidence["pairs_with_the_test_row_later"] > 0.8


def visits(wait: np.ndarray, opened: np.ndarray) -> pl.DataFrame:
    rng = np.random.default_rng(0)
    table = {"opened": days(opened), "closed": days(opened + wait), "age": rng.normal(size=600)}
    return pl.DataFrame(table)


def test_a_date_from_after_the_row(run, only, codes):
    rng = np.random.default_rng(0)
    opened, ill = rng.permutation(600).astype(float), rng.random(600) < 0.4
    policy = SplitSection(time_on="opened")
    parts = given(opened > 450)
    honest = visits(rng.exponential(5, 600) + 0.1, opened).with_columns(y=ill)
    finding = only(run(honest, policy=policy, parts=parts), "LEAK-FUTURE")
    assert (finding.severity, finding.where) == ("warning", "closed")
    assert finding.evidence["share_later"] == 1.0
    telling = visits(np.where(ill, 40, 4) + rng.normal(size=600), opened).with_columns(y=ill)
    finding = only(run(telling, policy=policy, parts=parts), "LEAK-FUTURE")
    assert finding.severity == "error"
    before = visits(-rng.exponential(5, 600) - 0.1, opened).with_columns(y=ill)
    assert "LEAK-FUTURE" not in codes(run(before, policy=policy, parts=parts))


def test_without_a_time_of_its_own_only_a_telling_distance_of_dates_is_suspicious(run, only, codes):
    rng = np.random.default_rng(0)
    opened, ill = rng.permutation(600).astype(float), rng.random(600) < 0.4
    telling = visits(np.where(ill, 40, 4) + rng.normal(size=600), opened).with_columns(y=ill)
    assert only(run(telling), "LEAK-FUTURE").where == "closed"
    honest = visits(rng.exponential(5, 600) + 0.1, opened).with_columns(y=ill)
    assert "LEAK-FUTURE" not in codes(run(honest))


# order


def test_a_sorted_file_whose_end_is_the_test(run, only):
    table = cancer()
    noise = np.random.default_rng(0).normal(scale=0.5, size=569)
    table = table[((table["y"] == "benign").cast(pl.Float64) + pl.Series(noise)).arg_sort()]
    parts = given(np.arange(569) > 450)
    result = run(table, policy=GIVEN, parts=parts)
    assert only(result, "ROW-ORDER").severity == "warning"
    assert only(result, "LABEL-SHIFT").where == "y"


# preparation


@pytest.mark.parametrize("ddof", [0, 1])
def test_columns_scaled_over_all_rows(run, only, codes, ddof):
    table = cancer()
    assert "PREPARED-ON-ALL" not in codes(run(table))
    names = table.columns[2:5]
    scaled = table.with_columns(
        (pl.col(name) - pl.col(name).mean()) / pl.col(name).std(ddof=ddof) for name in names
    )
    finding = only(run(scaled), "PREPARED-ON-ALL")
    assert finding.severity == "warning"
    assert [line["column"] for line in finding.evidence["columns"]] == names


def test_columns_scaled_over_training_rows_are_fine(run, codes):
    table, parts = cancer(), at_random(569)
    train = pl.Series(parts >= 0)
    scaled = table.with_columns(
        (table[name] - table[name].filter(train).mean()) / table[name].filter(train).std()
        for name in table.columns[:-1]
    )
    assert "PREPARED-ON-ALL" not in codes(run(scaled, parts=parts))


def test_columns_brought_to_one_range_over_all_rows(run, only, codes):
    table = cancer()
    names = table.columns[:6]
    scaled = table.with_columns(
        (pl.col(name) - pl.col(name).min()) / (pl.col(name).max() - pl.col(name).min())
        for name in names
    )
    largest = scaled[names[0]].arg_max()
    parts = at_random(569)
    parts[largest] = -1
    found = only(run(scaled, parts=parts), "PREPARED-ON-ALL").evidence["columns"]
    assert names[0] in [line["column"] for line in found]
    for name in names:
        parts[scaled[name].arg_max()] = parts[scaled[name].arg_min()] = 0
    assert "PREPARED-ON-ALL" not in codes(run(scaled, parts=parts))


def test_principal_components_of_all_rows(run, only):
    values = cancer().drop("y").to_numpy()
    values = (values - values.mean(axis=0)) / values.std(axis=0)
    turned = values @ np.linalg.svd(values, full_matrices=False)[2].T
    table = pl.DataFrame(turned[:, :8]).with_columns(y=cancer()["y"])
    assert only(run(table), "PREPARED-ON-ALL").evidence["components"] is True


@pytest.mark.parametrize("how", ["mean", "median"])
def test_gaps_filled_in_over_all_rows(run, only, codes, how):
    table, parts = cancer(), at_random(569)
    gone = pl.Series(np.random.default_rng(3).random(569) < 0.1)
    name = "worst area"
    gaps = table.with_columns(pl.when(gone).then(None).otherwise(pl.col(name)).alias(name))
    everywhere = getattr(gaps[name], how)()
    filled = gaps.with_columns(pl.col(name).fill_null(everywhere))
    finding = only(run(filled, parts=parts), "PREPARED-ON-ALL")
    assert finding.where == name
    assert finding.evidence["columns"][0]["statistic"] == how
    training = getattr(gaps[name].filter(pl.Series(parts >= 0)), how)()
    honest = gaps.with_columns(pl.col(name).fill_null(training))
    assert "PREPARED-ON-ALL" not in codes(run(honest, parts=parts))


# drift, answers, groups


def shifted(by: float) -> tuple[pl.DataFrame, np.ndarray]:
    rng = np.random.default_rng(0)
    parts = at_random(1500)
    test = parts == -1
    table = {
        "weight": rng.normal(size=1500) + by * test,
        "height": rng.normal(size=1500),
        "town": rng.choice(["north", "south", "east"], 1500),
        "y": rng.choice(["no", "yes"], 1500),
    }
    return pl.DataFrame(table), parts


def test_test_rows_unlike_the_training_rows(run, only, codes):
    table, parts = shifted(2.0)
    finding = only(run(table, policy=GIVEN, parts=parts), "DRIFT")
    assert (finding.severity, finding.where) == ("warning", "weight")
    assert 0.8 < finding.evidence["low"] < finding.evidence["told_apart_roc_auc"]
    assert [line["column"] for line in finding.evidence["columns"]] == ["weight"]
    assert only(
        run(table, policy=SplitSection(time_on="height"), parts=parts), "DRIFT"
    ).severity == ("note")
    table, parts = shifted(0.0)
    assert not codes(run(table, policy=GIVEN, parts=parts)) & {"DRIFT", "LABEL-SHIFT"}


def test_groups_that_are_whole_do_not_look_like_drift(run, codes):
    rng = np.random.default_rng(0)
    site = rng.integers(0, 60, 1500)
    level = rng.normal(size=60)[site]
    columns = {"site": [f"S{s}" for s in site], "level": level, "noise": rng.normal(size=1500)}
    table = pl.DataFrame(columns).with_columns(y=rng.choice(["no", "yes"], 1500))
    parts = given(site < 15)
    found = codes(run(table, policy=SplitSection(group_on="site"), parts=parts))
    assert "DRIFT" not in found


@pytest.mark.parametrize(("share", "severity"), [(0.3, "warning"), (0.95, "error")])
def test_other_answers_in_the_test(run, only, codes, share, severity):
    rng = np.random.default_rng(1)
    parts = at_random(1500)
    yes = rng.random(1500) < np.where(parts == -1, share, 0.1)
    table = pl.DataFrame({"weight": rng.normal(size=1500), "y": np.where(yes, "yes", "no")})
    finding = only(run(table, policy=GIVEN, parts=parts), "LABEL-SHIFT")
    assert finding.severity == severity
    assert finding.evidence["share_moved"] == pytest.approx(share - 0.1, abs=0.05)


def test_other_numbers_in_the_test(run, only):
    rng = np.random.default_rng(1)
    parts = at_random(1500)
    table = pl.DataFrame({"weight": rng.normal(size=1500), "y": rng.normal(size=1500)})
    moved = table.with_columns(pl.col("y") + pl.Series(1.0 * (parts == -1)))
    assert only(run(moved, policy=GIVEN, parts=parts), "LABEL-SHIFT").severity == "warning"
    assert not run(table, policy=GIVEN, parts=parts).findings


def test_a_group_that_is_not_tested(run, only, codes):
    table, parts = shifted(0.0)
    parts[(table["town"] == "east").to_numpy()] = 0
    finding = only(run(table, policy=GIVEN, parts=parts), "UNREPRESENTATIVE")
    assert (finding.severity, finding.where) == ("warning", "town")
    (line,) = finding.evidence["groups"]
    assert (line["value"], line["missing from"], line["rows there"]) == ("east", "test", 0)


def test_random_splits_are_representative(run, codes):
    rng = np.random.default_rng(0)
    columns = {f"c{i}": [f"v{v}" for v in rng.integers(0, 40, 1000)] for i in range(12)}
    table = pl.DataFrame(columns).with_columns(y=rng.choice(["no", "yes"], 1000))
    for seed in range(8):
        found = codes(run(table, policy=GIVEN, parts=at_random(1000, seed)))
        assert not found & {"UNREPRESENTATIVE", "LABEL-SHIFT"}
