"""Rows with the same features and another answer."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest


def twice(table, rows, **changed):
    copies = table.head(rows)
    return pl.concat([table, copies.with_columns(**changed)])


def parts(rows):
    return (np.arange(rows) % 5).astype(np.int8)


def test_contradicting_answers(run, honest, only, codes):
    table = honest(0, 400)
    other = pl.when(pl.col("y") == "class 0").then(pl.lit("class 1")).otherwise(pl.lit("class 0"))
    assert "LABEL-CONFLICT" not in codes(run(twice(table, 40), parts=parts(440)))
    finding = only(run(twice(table, 40, y=other), parts=parts(440)), "LABEL-CONFLICT")
    assert (finding.severity, finding.where) == ("warning", "y")
    assert (finding.evidence["rows"], finding.evidence["groups"]) == (80, 40)
    assert finding.evidence["lost_at_least"] == pytest.approx(40 / 440, rel=1e-5)
    assert "91 %" in finding.message
    line = finding.evidence["examples"][0]
    assert sorted(line["for example rows"].split(", "), key=int) == ["1", "401"]
    assert line["rows"] == 2


def test_a_row_number_does_not_hide_a_conflict(run, honest, only):
    table = honest(0, 400)
    flipped = table["y"].replace_strict({"class 0": "class 1", "class 1": "class 0"})
    both = pl.concat([table, table.with_columns(flipped.alias("y"))]).with_row_index("id")
    features = [c for c in table.columns if c != "y"]
    finding = only(run(both, features=["id", *features], parts=parts(800)), "LABEL-CONFLICT")
    assert finding.evidence["rows"] == 800


def test_conflicts_of_coarse_columns_are_a_note(run, only):
    rng = np.random.default_rng(0)
    table = pl.DataFrame(
        {"smoker": rng.random(300) < 0.3, "y": rng.choice(["no", "yes"], 300, p=[0.8, 0.2])}
    )
    finding = only(run(table), "LABEL-CONFLICT")
    assert finding.severity == "note"
    assert "too coarse" in finding.hint


def test_numbers_that_contradict_each_other(run, honest, only, codes):
    table = honest(0, 400, classes=0)
    assert "LABEL-CONFLICT" not in codes(run(twice(table, 60), parts=parts(460)))
    both = twice(table, 60, y=pl.col("y") + 2)
    finding = only(run(both, parts=parts(460)), "LABEL-CONFLICT")
    target = both["y"].to_numpy()
    lost = 60 * 2 / ((target - target.mean()) ** 2).sum()
    assert finding.evidence["lost_at_least"] == pytest.approx(lost, rel=1e-4)
    assert finding.severity == "warning"


def test_only_training_rows_count(run, honest, codes):
    table = honest(0, 400)
    other = pl.when(pl.col("y") == "class 0").then(pl.lit("class 1")).otherwise(pl.lit("class 0"))
    split = parts(440)
    split[400:] = -1
    assert "LABEL-CONFLICT" not in codes(run(twice(table, 40, y=other), parts=split))
