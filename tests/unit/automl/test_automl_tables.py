"""The tables are split once, and scored as scikit-learn would score them."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import numpy as np
import polars as pl
from sklearn.metrics import log_loss, root_mean_squared_error


def test_a_table_is_dealt_into_strata_and_no_row_is_in_both(
    tables: ModuleType, tmp_path: Path
) -> None:
    table = tables.prepare("digits", tmp_path)
    folder = tmp_path / "tables" / "digits"
    train, test = (pl.read_parquet(folder / f"{part}.parquet") for part in ("train", "test"))
    assert train.height + test.height == 1797
    assert (train.height, test.height) == (table.train_rows, table.test_rows)
    counts = pl.concat([train, test])["target"].value_counts().sort("target")["count"]
    tested = test["target"].value_counts().sort("target")["count"]
    assert tested.to_list() == [round(0.2 * count) for count in counts]
    assert train.join(test, on=train.columns, how="semi").height == 0
    assert table.task == "multiclass"


def test_a_table_that_is_there_is_not_dealt_again(tables: ModuleType, tmp_path: Path) -> None:
    first = tables.prepare("diabetes", tmp_path)
    file = tmp_path / "tables" / "diabetes" / "test.parquet"
    before = file.stat().st_mtime_ns
    assert tables.prepare("diabetes", tmp_path) == first
    assert file.stat().st_mtime_ns == before


def test_log_loss_is_that_of_scikit_learn(tables: ModuleType, tmp_path: Path) -> None:
    table = tables.prepare("digits", tmp_path)
    answer = tables.truth(table, tmp_path)
    values = np.random.default_rng(1).dirichlet(np.ones(10), answer.size)
    values[0] = np.eye(10)[answer[0] - 1]  # wrong and certain
    found = tables.overall(table, tables.losses(table, answer, values))
    assert np.isclose(found, log_loss(answer, values))


def test_rmse_is_that_of_scikit_learn(tables: ModuleType, tmp_path: Path) -> None:
    table = tables.prepare("diabetes", tmp_path)
    answer = tables.truth(table, tmp_path)
    values = answer + np.random.default_rng(1).normal(size=answer.size)
    found = tables.overall(table, tables.losses(table, answer, values))
    assert np.isclose(found, root_mean_squared_error(answer, values))


def test_rows_that_repeat_are_left_out(tables: ModuleType, tmp_path: Path, monkeypatch) -> None:
    file = tmp_path / "twice.parquet"
    pl.DataFrame({"a": [1, 1, 2, 3], "y": [0, 1, 0, None]}).write_parquet(file)
    monkeypatch.setenv("ASSAY_DATA", str(tmp_path))
    found = tables.read(tables.Source("y", "twice.parquet", distinct=True))
    assert found.to_dict(as_series=False) == {"a": [1, 2], "y": ["0", "0"]}
