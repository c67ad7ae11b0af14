"""Columns that know the answer are found, honest strong ones are left alone."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from sklearn import datasets


def bunch_table(name: str) -> pl.DataFrame:
    bunch = getattr(datasets, f"load_{name}")()
    table = pl.DataFrame(bunch.data, schema=[f"{c}" for c in bunch.feature_names])
    if name == "diabetes":
        return table.with_columns(pl.Series("y", bunch.target))
    return table.with_columns(pl.Series("y", [str(bunch.target_names[i]) for i in bunch.target]))


def treated(seed: int, wrong: float, missing: float) -> pl.DataFrame:
    """Return the breast cancer table with a column that was filled in after the diagnosis."""
    rng = np.random.default_rng(seed)
    table = bunch_table("breast_cancer")
    ill = (table["y"] == "malignant").to_numpy() ^ (rng.random(table.height) < wrong)
    gone = rng.random(table.height) < missing
    values = ["surgery" if i else "none" for i in ill]
    return table.with_columns(
        pl.Series("treatment", [None if g else v for v, g in zip(values, gone, strict=True)])
    )


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("wrong", "missing"), [(0, 0), (0.02, 0.1), (0.03, 0.05)])
def test_a_treatment_given_after_the_diagnosis_stops_the_run(run, only, seed, wrong, missing):
    result = run(treated(seed, wrong, missing), seed=seed)
    finding = only(result, "LEAK-TARGET")
    assert finding in result.blocking
    assert finding.where == "treatment"
    counts = {line["value"]: line for line in finding.evidence["values"]}
    assert counts["surgery"]["y = malignant"] > 10 * counts["surgery"]["y = benign"]
    assert sum(line["rows"] for line in counts.values()) == 456
    assert finding.evidence["next_best"].startswith("worst")


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", ["breast_cancer", "wine", "iris", "diabetes"])
def test_strong_honest_measurements_are_no_errors(run, name, seed):
    assert run(bunch_table(name), seed=seed).blocking == ()


def test_the_evidence_counts_are_those_of_the_training_rows(run, only):
    table = treated(0, 0.03, 0.05)
    parts = np.zeros(table.height, np.int8)
    parts[::4] = -1
    finding = only(run(table, parts=parts), "LEAK-TARGET")
    train = table.filter(parts >= 0)
    wanted = train.filter((pl.col("treatment") == "none") & (pl.col("y") == "benign")).height
    (line,) = [line for line in finding.evidence["values"] if line["value"] == "none"]
    assert line["y = benign"] == wanted


@pytest.mark.parametrize("classes", [0, 2, 3])
@pytest.mark.parametrize("rows", [150, 3000])
def test_the_target_with_a_little_noise_is_found(run, honest, only, classes, rows):
    table = honest(1, rows, classes)
    code = table["y"] if classes == 0 else table["y"].str.tail(1).cast(pl.Float64)
    noise = np.random.default_rng(0).normal(scale=0.02, size=rows)
    result = run(table.with_columns((-3 * code + noise).alias("later")))
    assert only(result, "LEAK-TARGET").where == "later"


def test_a_leak_that_is_not_monotone_is_found(run, honest, only):
    table = honest(2, 2000, 0)
    result = run(table.with_columns((pl.col("y") ** 2).alias("square"), pl.col("y").abs()))
    assert only(result, "LEAK-TARGET").where == "square"
    table = honest(2, 2000, 2)
    far = pl.when(pl.col("y") == "class 1").then(pl.lit(5.0)).otherwise(0.0)
    sign = pl.Series(np.random.default_rng(0).choice([-1.0, 1.0], 2000))
    jitter = pl.Series(np.random.default_rng(1).normal(size=2000))
    result = run(table.with_columns((far * sign + jitter.alias("j") * 0.5).alias("ring")))
    assert only(result, "LEAK-TARGET").where == "ring"


def test_filled_in_only_for_one_answer_is_found(run, honest, only):
    table = honest(3, 800)
    rng = np.random.default_rng(3)
    values = pl.Series(rng.normal(size=800))
    refund = pl.when(pl.col("y") == "class 1").then(values).alias("refund")
    finding = only(run(table.with_columns(refund)), "LEAK-TARGET")
    assert finding.where == "refund"
    assert finding.evidence["judged_by"] == "missing"
    assert finding.message.startswith("Whether refund is filled in")


def test_an_answer_that_is_read_as_missing_counts_as_one(run, only):
    """`none` in a treatment column becomes a gap; the gaps then are the benign rows."""
    table = treated(0, 0, 0).with_columns(pl.col("treatment").replace("none", None))
    half = pl.when(pl.int_range(pl.len()) % 2 == 0).then(pl.lit("wait"))
    table = table.with_columns(pl.coalesce("treatment", half).alias("treatment"))
    finding = only(run(table), "LEAK-TARGET")
    assert finding.evidence["judged_by"] == "values and missing"
    assert "its gaps included" in finding.message


def test_a_category_that_fixes_a_number_is_found(run, honest, only):
    table = honest(4, 2000, 0)
    band = pl.col("y").rank("ordinal").floordiv(80).cast(pl.String).alias("band")
    assert only(run(table.with_columns(band)), "LEAK-TARGET").where == "band"


def test_a_column_in_the_grey_zone_is_a_warning(run, honest, only):
    table = honest(5, 3000)
    flip = np.random.default_rng(5).random(3000) < 0.08
    told = (table["y"] == "class 1").to_numpy() ^ flip
    result = run(table.with_columns(pl.Series("told", told)))
    finding = only(result, "LEAK-SUSPECT")
    assert (finding.severity, finding.where) == ("warning", "told")
    assert result.blocking == ()


@pytest.mark.parametrize("filled", [True, False])
def test_a_column_filled_in_for_some_of_one_answer_is_suspicious(run, honest, only, codes, filled):
    table = honest(5, 2000, 3)
    half = pl.Series(np.random.default_rng(0).random(2000) < 0.3)
    told = (pl.col("y") == "class 2") & half
    table = table.with_columns(pl.when(told if filled else ~told).then(pl.lit(1.0)).alias("refund"))
    finding = only(run(table), "LEAK-AFTER")
    assert (finding.severity, finding.where) == ("warning", "refund")
    assert "the answer of only 34 % of all rows" in finding.message
    some = pl.when(half).then(pl.lit(1.0)).alias("refund")
    assert "LEAK-AFTER" not in codes(run(table.with_columns(some)))


def test_the_target_under_another_name(run, honest, only):
    table = honest(6)
    words = pl.col("y").replace_strict({"class 0": "stays", "class 1": "leaves"}).alias("state")
    finding = only(run(table.with_columns(words)), "LABEL-COPY")
    assert (finding.severity, finding.where) == ("error", "state")


def test_a_number_in_other_units_is_a_copy(run, honest, only):
    table = honest(7, 400, 0)
    result = run(table.with_columns((32 - 1.8 * pl.col("y")).alias("fahrenheit")))
    assert only(result, "LABEL-COPY").where == "fahrenheit"


def test_row_numbers_are_no_copy_of_a_number(run, honest, codes):
    table = honest(8, 400, 0).with_row_index("row")
    assert "LABEL-COPY" not in codes(run(table))


@pytest.mark.parametrize("seed", range(24))
def test_clean_tables_have_no_error(run, honest, seed):
    for classes in (0, 2, 4):
        result = run(honest(seed, 60 + 50 * seed, classes), seed=seed)
        assert result.blocking == ()
        assert not any(f.code.startswith("LE") for f in result.findings)


def test_categories_of_their_own_say_nothing(run, honest, codes):
    table = honest(9, 2000)
    names = pl.Series("name", [f"n{i % 1500}" for i in range(2000)])
    assert not codes(run(table.with_columns(names))) & {"LEAK-TARGET", "LEAK-SUSPECT"}


def test_scores_of_a_large_table_say_that_they_are_sampled(run, honest, only):
    table = honest(10, 130_000)
    finding = only(run(table.with_columns(pl.col("y").alias("copy"))), "LEAK-TARGET")
    assert finding.evidence["rows"] == 100_000
    assert finding.evidence["sampled_from"] == 104_000
