"""Constant, id-like, mixed and mostly missing columns."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest


def test_a_constant_column(run, honest, only, codes):
    table = honest(0)
    assert "CONSTANT-COLUMN" not in codes(run(table))
    finding = only(run(table.with_columns(pl.lit("Ltd").alias("form"))), "CONSTANT-COLUMN")
    assert (finding.severity, finding.where, finding.evidence["value"]) == (
        "warning",
        "form",
        "Ltd",
    )


def test_one_value_and_gaps_are_not_constant(run, honest, codes):
    table = honest(0).with_columns(pl.when(pl.col("smoker")).then(1.0).alias("gift"))
    assert "CONSTANT-COLUMN" not in codes(run(table))


ROWS = 300
RNG = np.random.default_rng(0)


@pytest.mark.parametrize(
    "values",
    [
        pl.Series([f"C-{i:05d}" for i in RNG.permutation(ROWS)]),
        pl.Series(np.arange(1.0, ROWS + 1)),
        pl.Series(RNG.permutation(ROWS) + 5000.0),
        pl.Series(RNG.choice(10**9, ROWS, replace=False).astype(float)),
    ],
)
def test_an_id_like_column(run, honest, only, values):
    table = honest(1, ROWS).with_columns(values.alias("account_no"))
    finding = only(run(table), "ID-COLUMN")
    assert (finding.severity, finding.where) == ("warning", "account_no")
    assert len(finding.evidence["examples"]) == 5


@pytest.mark.parametrize(
    "values",
    [
        pl.Series([f"a longer free text number {i}" for i in range(ROWS)]),
        pl.Series(RNG.normal(size=ROWS)),
        pl.Series(RNG.integers(0, 200, ROWS).astype(float)),
        pl.Series(RNG.choice(10**9, ROWS, replace=False).astype(float)),
    ],
)
def test_measures_and_prose_are_no_ids(run, honest, codes, values):
    assert "ID-COLUMN" not in codes(run(honest(1, ROWS).with_columns(values.alias("income"))))


def test_an_id_that_is_no_feature_is_left_alone(run, honest, codes):
    table = honest(1).with_row_index("id")
    features = [c for c in table.columns if c not in ("id", "y")]
    assert "ID-COLUMN" not in codes(run(table, features=features))


def test_text_that_is_mostly_numbers(run, honest, only, codes):
    table = honest(2, 400)
    cells = [f"{i % 37}" for i in range(400)]
    assert "MIXED-TYPES" not in codes(run(table.with_columns(pl.Series("code", cells))))
    cells[3:40:4] = ["<script>" + "x" * 200] * 10
    finding = only(run(table.with_columns(pl.Series("code", cells))), "MIXED-TYPES")
    assert (finding.severity, finding.where) == ("warning", "code")
    (line,) = finding.evidence["other_cells"]
    assert len(line["cell"]) == 80


def test_a_column_that_is_mostly_missing(run, honest, only, codes):
    table = honest(3)
    assert "HIGH-MISSING" not in codes(run(table))
    kept = pl.when(pl.int_range(pl.len()) % 4 == 0).then(pl.col("weight")).alias("deck")
    finding = only(run(table.with_columns(kept)), "HIGH-MISSING")
    assert (finding.severity, finding.where, finding.evidence["share"]) == ("note", "deck", 0.75)


@pytest.mark.parametrize(
    "values", [pl.Series([f"KD-{i:05d}" for i in range(400)]), pl.Series(np.arange(1.0, 401))]
)
def test_copied_rows_do_not_hide_an_id(run, honest, only, values):
    table = honest(4, 400).with_columns(values.alias("customer_no"))
    finding = only(run(pl.concat([table, table.head(60)])), "ID-COLUMN")
    assert (finding.where, finding.evidence["distinct_values"]) == ("customer_no", 400)


def test_values_that_repeat_in_other_rows_are_no_id(run, honest, codes):
    towns = pl.Series([f"T{i % 340:03d}" for i in range(400)])
    assert "ID-COLUMN" not in codes(run(honest(4, 400).with_columns(towns.alias("town_no"))))
