"""Copies, groups, time and order across the split."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import polars as pl
import pytest

from assay.records.spec import SplitSection


def with_copies(table: pl.DataFrame, copies: int) -> tuple[pl.DataFrame, np.ndarray]:
    """Return the table with its first rows again at the end, and the copies as test rows."""
    parts = (np.arange(table.height + copies) % 5).astype(np.int8)
    parts[150:250] = -1
    parts[table.height :] = -1
    return pl.concat([table, table.head(copies)]), parts


@pytest.mark.parametrize("classes", [0, 2, 3])
def test_copies_of_training_rows_in_the_test_are_an_error(run, honest, only, classes):
    table, parts = with_copies(honest(0, 600, classes), 40)
    finding = only(run(table, parts=parts), "DUPLICATE-ROWS-SPLIT")
    assert finding.severity == "error"
    assert finding.evidence["with_a_twin"] == 40
    pair = finding.evidence["pairs"][0]
    assert (pair["test row"], pair["training row"]) == (601, 1)
    assert pair["y (test)"] == pair["y (training)"]


def test_an_id_column_does_not_hide_copies(run, honest, only):
    table, parts = with_copies(honest(0), 40)
    finding = only(run(table.with_row_index("id"), parts=parts), "DUPLICATE-ROWS-SPLIT")
    assert finding.severity == "error"


def test_few_copies_are_a_warning(run, honest, only, codes):
    table, parts = with_copies(honest(0), 3)
    assert only(run(table, parts=parts), "DUPLICATE-ROWS-SPLIT").severity == "warning"
    table, parts = with_copies(honest(0), 0)
    assert "DUPLICATE-ROWS-SPLIT" not in codes(run(table, parts=parts))


def test_equal_rows_of_coarse_features_are_a_warning(run, only):
    rng = np.random.default_rng(0)
    table = pl.DataFrame({"sex": rng.choice(["m", "f"], 500), "band": rng.choice(list("abc"), 500)})
    table = table.with_columns(((pl.col("sex") == "m") & (pl.col("band") != "a")).alias("y"))
    finding = only(run(table), "DUPLICATE-ROWS-SPLIT")
    assert finding.severity == "warning"
    assert finding.evidence["share"] == finding.evidence["same_answer_beyond_chance"] == 1.0


def test_equal_features_with_answers_of_their_own_are_a_warning(run, honest, only):
    table, parts = with_copies(honest(0), 60)
    shuffled = table["y"].to_numpy().copy()
    shuffled[600:] = np.random.default_rng(0).permutation(shuffled[600:])
    finding = only(
        run(table.with_columns(pl.Series("y", shuffled)), parts=parts), "DUPLICATE-ROWS-SPLIT"
    )
    assert finding.severity == "warning"


def visits(rows: int = 600) -> pl.DataFrame:
    rng = np.random.default_rng(1)
    patient = rng.integers(0, 150, rows)
    return pl.DataFrame(
        {
            "patient_id": [f"P{i}" for i in patient],
            "age": 20.0 + patient % 60,
            "pressure": rng.normal(120, 10, rows),
            "y": rng.choice(["ill", "well"], rows),
        }
    )


def test_patients_on_both_sides(run, only, codes):
    table = visits()
    features = ["age", "pressure"]
    finding = only(run(table, features=features), "GROUP-OVERLAP")
    assert (finding.severity, finding.where) == ("warning", "patient_id")
    assert finding.evidence["values_on_both_sides"] > 50
    assert "GROUP-OVERLAP" not in codes(run(table.drop("patient_id")))


def test_patients_with_numbers_for_names(run, only):
    table = visits().with_columns(pl.col("patient_id").str.tail(-1).cast(pl.Float64))
    assert only(run(table), "GROUP-OVERLAP").where == "patient_id"


@pytest.mark.parametrize(
    "policy",
    [SplitSection(group_on="patient_id"), SplitSection(group_time_on=("patient_id", "age"))],
)
def test_a_grouped_split_is_held_to_its_word(run, only, codes, policy):
    table = visits()
    finding = only(run(table, policy=policy), "GROUP-OVERLAP")
    assert finding.severity == "error"
    numbers = table["patient_id"].str.tail(-1).cast(pl.Int64).to_numpy()
    parts = np.where(numbers < 30, -1, numbers % 5).astype(np.int8)
    assert "GROUP-OVERLAP" not in codes(run(table, policy=policy, parts=parts))


def diary(drift: float, rows: int = 800, *, shuffled: bool = True) -> pl.DataFrame:
    rng = np.random.default_rng(2)
    day = np.arange(rows)
    if shuffled:
        day = rng.permutation(day)
    start = datetime(2020, 1, 1)
    level = drift * day / rows + rng.normal(size=rows)
    return pl.DataFrame(
        {
            "day": pl.Series([start + timedelta(days=int(d)) for d in day]).cast(pl.Datetime("us")),
            "weight": rng.normal(size=rows),
            "y": np.where(level > drift / 2, "up", "down"),
        }
    )


def test_a_target_that_drifts_under_a_random_split(run, only, codes):
    finding = only(run(diary(3)), "TIME-ORDER")
    assert (finding.severity, finding.where) == ("warning", "day")
    shares = [line["share of up"] for line in finding.evidence["target_over_time"]]
    assert shares[0] < 0.3 < 0.7 < shares[-1]
    assert "TIME-ORDER" not in codes(run(diary(0)))
    assert "TIME-ORDER" not in codes(run(diary(3), policy=SplitSection(time_on="day")))


def test_a_file_in_the_order_of_its_dates(run, only):
    finding = only(run(diary(0, shuffled=False)), "TIME-ORDER")
    assert finding.evidence["rank_correlation_of_row_and_time"] == 1.0


def test_one_order_is_reported_once(run, codes):
    table = diary(3, shuffled=False)
    assert {"TIME-ORDER"} == codes(run(table)) & {"TIME-ORDER", "ROW-ORDER"}
    assert {"ROW-ORDER"} == codes(run(table.drop("day"))) & {"TIME-ORDER", "ROW-ORDER"}


@pytest.mark.parametrize("classes", [0, 2, 3])
def test_a_row_number_that_predicts(run, honest, only, codes, classes):
    table = honest(3, 800, classes)
    assert "ROW-ORDER" not in codes(run(table))
    key = table["y"] if classes == 0 else table["y"].str.tail(1).cast(pl.Float64)
    noise = pl.Series(np.random.default_rng(0).normal(scale=0.7, size=800))
    drifting = table[(key + noise).arg_sort()]
    finding = only(run(drifting), "ROW-ORDER")
    assert finding.severity == "warning"
    assert finding.evidence["target_by_row"][0]["from row"] < 10


@pytest.mark.parametrize("classes", [0, 2, 3])
def test_a_file_sorted_by_the_target_is_a_note(run, honest, only, classes):
    assert only(run(honest(3, 800, classes).sort("y")), "ROW-ORDER").severity == "note"
