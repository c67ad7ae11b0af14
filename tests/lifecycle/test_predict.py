"""Asking a model: by name or path, in any kind of frame, with the rows that real life sends."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pytest
from polars.testing import assert_frame_equal
from projects import TARGETS, Project, make_table

import assay
from assay.errors import DataError, UsageError


@pytest.fixture(scope="module")
def model(finished):
    project = finished["binary"]
    return assay.load("binary", store=project.store)


@pytest.fixture(scope="module")
def rows() -> pl.DataFrame:
    return make_table("binary", 60, seed=9).drop("left")


def raw(project: Project) -> pl.DataFrame:
    return pl.read_csv(project.folder / "table.csv")


def test_names_versions_and_paths_are_the_same_model(finished, rows, monkeypatch):
    project = finished["binary"]
    package = project.run().package
    wanted = assay.load(package).predict(rows)
    for reference in ("binary", "binary@champion", "binary@1"):
        loaded = assay.load(reference, store=project.store)
        assert loaded.digest == package.name
        assert_frame_equal(loaded.predict(rows), wanted)
    monkeypatch.chdir(project.folder)
    assert assay.load("binary@1").digest == package.name
    monkeypatch.setenv("ASSAY_STORE", str(project.store))
    monkeypatch.chdir("/")
    assert assay.load("binary").digest == package.name


@pytest.mark.parametrize(
    ("reference", "code"),
    [
        ("binry", "MODEL-UNKNOWN"),
        ("binary@2", "MODEL-NO-VERSION"),
        ("binary@0", "MODEL-NO-VERSION"),
        ("binary@first", "MODEL-NO-VERSION"),
        ("./nothing", "PACKAGE-NOT-FOUND"),
    ],
)
def test_a_model_that_is_not_there(reference, code, finished):
    with pytest.raises(UsageError) as error:
        assay.load(reference, store=finished["binary"].store)
    assert error.value.code == code


def test_the_answer_is_in_the_kind_of_frame_that_was_given(model, rows):
    answer = model.predict(rows)
    assert answer.columns == ["prediction", "probability_no", "probability_yes"]
    assert answer.height == rows.height
    np.testing.assert_allclose(answer["probability_no"] + answer["probability_yes"], 1)
    assert set(answer["prediction"]) == {"yes", "no"}

    frame = rows.to_pandas()
    frame.index = pd.Index([f"row {i}" for i in range(len(frame))][::-1], name="key")
    in_pandas = model.predict(frame)
    assert isinstance(in_pandas, pd.DataFrame)
    assert in_pandas.index.equals(frame.index)
    assert in_pandas["prediction"].tolist() == answer["prediction"].to_list()

    assert model.predict(rows.to_dicts()) == answer.to_dicts()
    assert model.predict(rows.to_dict(as_series=False)) == answer.to_dict(as_series=False)
    assert model.predict(rows.row(3, named=True)) == answer.row(3, named=True)


@pytest.mark.parametrize("given", [7, "text", None, np.zeros((2, 5))])
def test_what_is_no_table_is_refused(given, model):
    with pytest.raises(DataError):
        model.predict(given)


def test_no_rows_get_no_answers(model, rows):
    answer = model.predict(rows.head(0))
    assert (answer.height, answer.columns[0]) == (0, "prediction")
    assert model.predict([]) == []


@pytest.mark.parametrize("task", TARGETS)
def test_the_raw_rows_of_the_file_get_the_answers_of_the_run(task, finished):
    """The table as training cleaned it and the file as it lies there go through the same door."""
    project = finished[task]
    result = project.run()
    loaded = assay.load(result.package)
    table = raw(project)
    answer = loaded.predict(table.drop(TARGETS[task]))
    as_text = pl.read_csv(project.folder / "table.csv", infer_schema=False)
    assert_frame_equal(loaded.predict(as_text), answer)
    test = result.view.split
    assert test.test == 120
    truth = table[TARGETS[task]]
    if task == "regression":
        found = 1 - ((truth - answer["prediction"]) ** 2).mean() / truth.var(ddof=0)
        name = "r2"
    else:
        found, name = (truth == answer["prediction"]).mean(), "accuracy"
    interval = result.metrics[name]
    assert interval.low - 0.05 <= found <= interval.high + 0.05


@pytest.mark.parametrize(("values", "labels"), [
    ({"yes": 1, "no": 0}, {0, 1}), ({"yes": True, "no": False}, {True, False}),
    ({"yes": 7, "no": -2}, {7, -2}),
])  # fmt: skip
def test_labels_keep_their_type(values, labels, project):
    kind = pl.Boolean if isinstance(values["yes"], bool) else pl.Int64
    types = '{ left = "boolean" }' if kind == pl.Boolean else "{}"
    positive = f'"{str(values["yes"]).lower()}"'
    made = project("binary", positive=positive, types=types)
    table = raw(made)
    table.with_columns(pl.col("left").replace_strict(values, return_dtype=kind)).write_csv(
        made.folder / "table.csv"
    )
    answer = assay.load(made.run().package).predict(table)["prediction"]
    assert answer.dtype == kind
    assert set(answer) == labels


def test_intervals_of_a_number_cover_nine_of_ten(finished):
    fresh = make_table("regression", 4_000, seed=11)
    answer = assay.load(finished["regression"].run().package).predict(fresh)
    assert answer.columns == ["prediction", "low", "high"]
    inside = (fresh["spend"] >= answer["low"]) & (fresh["spend"] <= answer["high"])
    assert 0.85 < inside.mean() < 0.95


@pytest.mark.parametrize("ending", ["csv", "parquet", "jsonl"])
def test_files_in_and_out(ending, finished, rows, model, tmp_path, cli):
    writers = {"csv": "write_csv", "parquet": "write_parquet", "jsonl": "write_ndjson"}
    readers = {"csv": pl.read_csv, "parquet": pl.read_parquet, "jsonl": pl.read_ndjson}
    file, out = tmp_path / f"new.{ending}", tmp_path / f"answers.{ending}"
    getattr(rows, writers[ending])(file)
    said = cli("predict", "binary", file, "-o", out, "--store", finished["binary"].store)
    assert (said.code, said.data["rows"]) == (0, 60)
    written = readers[ending](out)
    assert written.columns == [*rows.columns, "prediction", "probability_no", "probability_yes"]
    wanted = model.predict(rows)
    assert written["prediction"].to_list() == wanted["prediction"].to_list()
    np.testing.assert_allclose(written["probability_yes"], wanted["probability_yes"])
    assert {path.name for path in tmp_path.iterdir()} == {file.name, out.name}


def test_a_column_called_prediction_is_kept_beside_the_answer(finished, rows, tmp_path, cli):
    file, out = tmp_path / "new.csv", tmp_path / "answers.csv"
    taken = {"prediction": pl.lit("mine"), "prediction_predicted": pl.lit("older")}
    rows.with_columns(**taken).write_csv(file)
    assert cli("predict", "binary", file, "-o", out, "--store", finished["binary"].store).code == 0
    written = pl.read_csv(out)
    assert set(written["prediction"]) == {"mine"}
    assert set(written["prediction_predicted"]) == {"older"}
    assert set(written["prediction_predicted_predicted"]) == {"yes", "no"}


def test_an_output_that_cannot_be_written_is_refused(finished, rows, tmp_path, cli):
    file = tmp_path / "new.csv"
    rows.write_csv(file)
    store = finished["binary"].store
    said = cli("predict", "binary", file, "-o", tmp_path / "answers.xlsx", "--store", store)
    assert (said.code, said.codes) == (2, ["PREDICT-FORMAT"])
    said = cli("predict", "binary", file, "-o", tmp_path / "no" / "a.csv", "--store", store)
    assert (said.code, said.codes) == (2, ["PREDICT-NOT-WRITTEN"])
    said = cli("predict", "binary", tmp_path / "nothing.csv", "-o", "a.csv", "--store", store)
    assert (said.code, said.codes) == (2, ["DATA-NOT-FOUND"])


def test_cells_that_csv_cannot_hold_are_named(finished, rows, tmp_path, cli):
    file = tmp_path / "new.parquet"
    rows.with_columns(tags=pl.Series([["a", "b"]] * rows.height)).write_parquet(file)
    store = finished["binary"].store
    said = cli("predict", "binary", file, "-o", tmp_path / "a.csv", "--store", store)
    assert (said.code, said.codes) == (2, ["PREDICT-CELLS"])
    assert "tags" in said.err
    assert cli("predict", "binary", file, "-o", tmp_path / "a.parquet", "--store", store).code == 0


def test_an_output_that_is_the_input_is_refused(finished, rows, tmp_path, cli):
    file, link = tmp_path / "new.csv", tmp_path / "link.csv"
    rows.write_csv(file)
    link.symlink_to(file)
    for out in (file, link):
        said = cli("predict", "binary", file, "-o", out, "--store", finished["binary"].store)
        assert (said.code, said.codes) == (2, ["PREDICT-SAME-FILE"])
        assert_frame_equal(pl.read_csv(file), rows)


def test_a_lazy_frame_gets_a_frame(model, rows):
    assert_frame_equal(model.predict(rows.lazy()), model.predict(rows))


def test_missing_columns_are_named_all_at_once(model, rows):
    with pytest.raises(DataError) as error:
        model.predict(rows.drop("fee", "region"))
    assert error.value.code == "DATA-COLUMNS-MISSING"
    assert "fee" in str(error.value)
    assert "region" in str(error.value)


def test_a_cell_that_is_no_number_is_named(model, rows):
    wrong = rows.with_columns(
        pl.when(pl.int_range(pl.len()) == 7).then(pl.lit("soon")).otherwise("fee").alias("fee")
    )
    with pytest.raises(DataError) as error:
        model.predict(wrong)
    assert "fee" in str(error.value)
    assert "soon" in str(error.value)


def test_more_columns_another_order_and_text_change_nothing(model, rows):
    wanted = model.predict(rows)
    shuffled = rows.select(reversed(rows.columns)).with_columns(left=pl.lit("yes"), new=pl.lit(1))
    assert_frame_equal(model.predict(shuffled), wanted)
    assert_frame_equal(model.predict(rows.cast(pl.String)), wanted)
    padded = rows.with_columns(pl.format(" {} ", pl.col("fee").cast(pl.String)).alias("fee"))
    assert_frame_equal(model.predict(padded), wanted)


def test_what_training_never_saw_gets_an_answer(model, rows):
    strange = rows.with_columns(
        region=pl.lit("east"), fee=pl.lit(1e12), visits=pl.lit(None, pl.Int64)
    )
    answer = model.predict(strange)
    assert answer["probability_yes"].is_between(0, 1).all()
    unseen = model.predict(rows.with_columns(region=pl.lit("east")))
    assert unseen["probability_yes"].is_finite().all()
    none = rows.with_columns(pl.all().map_batches(lambda s: pl.Series(s.name, [None] * len(s))))
    assert model.predict(none)["probability_yes"].n_unique() == 1


def test_infinities_are_answered_in_the_bounds(model, rows):
    answer = model.predict(rows.with_columns(fee=pl.lit(float("inf"))))
    assert answer["probability_yes"].is_between(0, 1).all()
    answer = model.predict(rows.with_columns(fee=pl.lit(float("nan"))))
    assert answer["probability_yes"].is_between(0, 1).all()


def test_one_row_is_answered_as_it_is_among_others(model, rows):
    together = model.predict(rows)
    alone = pl.concat([model.predict(rows[i : i + 1]) for i in range(10)])
    assert_frame_equal(alone, together.head(10))


def test_a_model_shows_itself_without_running_what_its_names_say(model):
    shown = model._repr_html_()
    assert "region" in shown
    assert "left" in shown
