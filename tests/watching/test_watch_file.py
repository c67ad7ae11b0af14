"""`assay watch NAME --data FILE`: rows of any file, whatever is wrong with it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from shop import Shop, make_table
from watched import judged, once

import assay
from assay.cli.main import main

Capsys = pytest.CaptureFixture[str]

WRITERS: dict[str, Any] = {
    ".csv": pl.DataFrame.write_csv,
    ".parquet": pl.DataFrame.write_parquet,
    ".jsonl": pl.DataFrame.write_ndjson,
}


@pytest.fixture
def judge(trained: Shop, tmp_path: Path, capsys: Capsys) -> Any:
    """Return a function that writes rows to a file and judges it."""

    def write(frame: pl.DataFrame, ending: str = ".parquet", model: str = "churny") -> Any:
        path = tmp_path / f"rows é{ending}"
        WRITERS[ending](frame, path)
        return once(trained, capsys, "--data", path, model=model)

    return write


@pytest.mark.parametrize("ending", WRITERS)
def test_rows_like_those_of_training_are_steady(judge: Any, ending: str) -> None:
    code, data = judge(make_table(1000, seed=61).drop("price"), ending)
    assert (code, data["verdict"], data["rows"], data["quality"]) == (0, "steady", 1000, [])
    assert not any(row["flagged"] for row in data["drift"])
    assert {"column", "effect", "p", "flagged"} <= set(data["drift"][0])
    found = data["performance"]["roc_auc"]
    assert found["estimated"] is False
    assert found["low"] < found["value"] < found["high"]
    assert data["seconds"] > 0


def test_without_the_target_performance_is_estimated(judge: Any) -> None:
    table = make_table(1000, seed=62).drop("price")
    _, exact = judge(table)
    _, data = judge(table.drop("left"))
    guessed = data["performance"]["roc_auc"]
    assert guessed["estimated"] is True
    assert guessed["low"] < exact["performance"]["roc_auc"]["value"] < guessed["high"]


@pytest.mark.parametrize("model", ["churny", "pricy"])
def test_what_moved_ends_with_three(judge: Any, model: str) -> None:
    table = make_table(1000, seed=63).with_columns(pl.col("visits") + 3)
    code, data = judge(table.drop("left", "price"), model=model)
    assert (code, data["verdict"]) == (3, "drift")
    assert "visits" in [row["column"] for row in data["drift"] if row["flagged"]]


def test_nothing_is_done_about_a_file(trained: Shop, judge: Any) -> None:
    before = len(trained.events())
    judge(make_table(500, seed=64).with_columns(pl.col("fee") * 100).drop("price"))
    assert len(trained.events()) == before
    assert judged(trained) == []


def test_a_column_that_lacks_is_drift_and_no_column_at_all_a_mistake(judge: Any) -> None:
    table = make_table(500, seed=65)
    code, data = judge(table.drop("region", "left", "price"))
    assert code == 3
    assert [(b["code"], b["column"]) for b in data["quality"]] == [("WATCH-ABSENT", "region")]
    assert {(m["standing"], m["reason"]) for m in data["performance"].values()} == {
        ("unsaid", "the rows lack region")
    }
    code, answer = judge(table.select(pl.lit(1).alias("Fee ü")))
    assert code == 2
    assert answer["errors"][0]["code"] == "DATA-COLUMNS-MISSING"


@pytest.mark.parametrize("ending", [".csv", ".parquet"])
def test_one_row_is_unknown_and_none_a_mistake(judge: Any, ending: str) -> None:
    table = make_table(1, seed=66).drop("left", "price")
    code, data = judge(table, ending)
    assert (code, data["verdict"], data["rows"]) == (4, "unknown", 1)
    code, answer = judge(table[:0], ending)
    assert (code, answer["errors"][0]["code"]) == (2, "DATA-EMPTY")


def test_cells_that_cannot_be_read_are_named(judge: Any) -> None:
    table = make_table(200, seed=67).drop("left", "price")
    code, answer = judge(table.with_columns(pl.lit("much").alias("fee")))
    assert code == 2
    assert "fee" in answer["errors"][0]["where"]


@pytest.mark.parametrize("content", [b"", b"\x00\xff\x00", b"PAR1 torn"])
def test_what_is_no_table_is_said(
    trained: Shop, tmp_path: Path, capsys: Capsys, content: bytes
) -> None:
    path = tmp_path / "rows.csv"
    path.write_bytes(content)
    code, answer = once(trained, capsys, "--data", path)
    assert code == 2
    assert answer["errors"][0]["code"].startswith("DATA-")
    code, answer = once(trained, capsys, "--data", tmp_path / "gone.csv")
    assert (code, answer["errors"][0]["code"]) == (2, "DATA-NOT-FOUND")


def test_odd_cells_do_no_harm(judge: Any) -> None:
    """NaN, infinity, missing cells, words from everywhere, and classes that are none."""
    table = make_table(400, seed=68).drop("price")
    odd = table.with_columns(
        pl.when(pl.int_range(400) % 50 == 0).then(np.nan)
        .when(pl.int_range(400) % 50 == 1).then(np.inf).otherwise("fee").alias("fee"),
        pl.when(pl.int_range(400) % 40 == 0).then(pl.lit("🙂 \u202eнет")).otherwise("region")
        .alias("region"),
        pl.when(pl.int_range(400) % 7 == 0).then(pl.lit("perhaps")).otherwise("left").alias("left"),
    )  # fmt: skip
    code, data = judge(odd)
    assert code in (0, 3)
    assert data["rows"] == 400
    assert data["performance"]["roc_auc"]["value"] > 0.8


def test_labels_that_are_not_there_yet_are_no_drift_and_foreign_ones_are(judge: Any) -> None:
    table = make_table(1000, seed=71).drop("price")
    some = pl.when(pl.int_range(1000) % 4 == 0)
    _, data = judge(table.with_columns(some.then("left").alias("left")))
    (label,) = (row for row in data["drift"] if row["kind"] == "label")
    assert (data["labelled"], label["flagged"]) == (250, False)
    code, data = judge(
        table.with_columns(some.then(pl.lit("perhaps")).otherwise("left").alias("left"))
    )
    (label,) = (row for row in data["drift"] if row["kind"] == "label")
    assert (code, label["flagged"]) == (3, True)
    assert label["reading"] == "never seen 25% instead of 0%"


def test_labels_of_the_file_that_deny_an_estimate_withdraw_it(judge: Any) -> None:
    table = make_table(1000, seed=72).drop("price")
    only = table.with_columns(pl.lit(table["left"][0]).alias("left"))
    _, data = judge(only)
    found = data["performance"]["roc_auc"]
    assert (found["value"], found["standing"]) == (None, "unsaid")
    assert "the relation of inputs and target changed" in found["reason"]


def test_a_large_file_is_read_in_parts_that_make_no_difference(
    trained: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = make_table(5000, seed=69).drop("left", "price")
    table.write_parquet(tmp_path / "rows.parquet")
    whole = assay.judge(table, "churny", store=trained.store)
    monkeypatch.setattr("assay.lifecycle.watching.files.CELLS", 5000)
    parts = assay.judge(tmp_path / "rows.parquet", "churny@2", store=trained.store)
    assert parts.rows == whole.rows == 5000
    assert [(m.column, m.counts) for m in sorted(parts.drift, key=lambda m: m.column)
            if m.kind == "input"] == [
           (m.column, m.counts) for m in sorted(whole.drift, key=lambda m: m.column)
            if m.kind == "input"]  # fmt: skip


def test_people_see_what_moved_and_what_to_do(
    trained: Shop, tmp_path: Path, capsys: Capsys
) -> None:
    table = make_table(800, seed=70).with_columns(pl.col("fee") + 10)
    table.write_parquet(tmp_path / "rows.parquet")
    words = ["watch", "churny", "--data", str(tmp_path / "rows.parquet")]
    capsys.readouterr()
    assert main([*words, "--store", str(trained.store)]) == 3
    said = capsys.readouterr().out
    assert "churny@2, 800 rows: drift" in said
    assert "█" in said
    assert "e+00" not in said
    assert "--json" in said.partition("Next:")[2]
