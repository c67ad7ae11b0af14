"""What was lost is made again, what was proposed is known by its file, and readings are counted."""

from __future__ import annotations

import json
import shutil

import numpy as np
import polars as pl
import pytest
from projects import ACCEPTED, Project

import assay
from assay.errors import StoreError, Tampered, TransientFault
from assay.lifecycle import project as preparing
from assay.lifecycle.material import TEST, Material
from assay.records.base import digest, digest_of, from_json, to_json
from assay.records.package import Manifest
from assay.stores.workspace import open_workspace


def blob(project: Project, name: str):
    return project.store / "objects" / name[:2] / name[2:]


# ---- what was lost


def test_a_package_folder_that_is_gone_is_built_again_and_nothing_else(copied):
    made = copied("binary")
    first = made.run()
    fits, reads = made.fits(), made.kinds()["test.read"]
    before = (first.package / "manifest.json").read_bytes()
    shutil.rmtree(first.package)
    again = made.run()
    assert again.package == first.package
    assert (again.package / "manifest.json").read_bytes() == before
    assert (made.fits(), made.kinds()["test.read"]) == (fits, reads)
    assert made.kinds()["model.registered"] == made.kinds()["alias.moved"] == 1
    assert assay.verify(str(made.store)).packages == 1


@pytest.mark.parametrize("record", ["evaluate", "search", "judge"])
def test_a_record_that_is_gone_is_made_again(record, copied):
    made = copied("binary")
    first = made.run()
    name = first.entry.data["records"][record]
    blob(made, name).unlink()
    again = made.run()
    assert again.run == first.run
    assert blob(made, again.entry.data["records"][record]).exists()
    assert again.verdict == first.verdict
    assert made.kinds()["run.resumed"] == 1
    assert assay.verify(again.run, store=made.store).events == len(made.events())


def test_predictions_that_are_gone_are_fitted_again(copied):
    made = copied("binary")
    first = made.run()
    event = next(e for e in made.events() if e.subject == "fit:prior:0")
    fit = json.loads(blob(made, event.data["record"]).read_bytes())
    blob(made, fit["predictions"]).unlink()
    made.edit("at_least = 0.7", "at_least = 0.75")
    again = made.run("split.seed=0", 'budget.time="3s"')
    assert again.package is not None
    assert made.fits().count("fit:prior:0") == 2
    assert first.metrics == again.metrics


def test_a_rollback_stays_when_the_package_is_built_again(copied):
    made = copied("binary")
    made.run("gates.0.at_least=0.6")
    assert assay.rollback("binary", "a hunch", store=made.store).version == 1
    shutil.rmtree(made.store / "packages" / assay.models(made.store)[1].package)
    again = made.run("gates.0.at_least=0.6")
    assert again.package.is_dir()
    assert [v.version for v in assay.models(made.store) if v.aliases] == [1]


def test_a_package_whose_model_is_no_model_is_named_even_when_every_digest_fits(copied, tmp_path):
    path = tmp_path / "forged"
    shutil.copytree(copied("binary").run().package, path)
    manifest = json.loads((path / "manifest.json").read_bytes())
    (path / "model.onnx").write_bytes(b"no model")
    manifest["files"]["model.onnx"] = digest_of(b"no model")
    forged = from_json(to_json(manifest), Manifest)
    (path / "manifest.json").write_bytes(to_json(forged))
    (path / "manifest.sha256").write_text(digest(forged))
    with pytest.raises(Tampered) as error:
        assay.load(path)
    assert error.value.code == "PACKAGE-MODEL"


# ---- readings of the test rows


def test_the_same_test_rows_are_counted_whatever_columns_go_with_them(copied):
    made = copied("binary")
    assert made.run().to_dict()["test_reads"] == 1
    second = made.run('data.drop=["height"]')
    assert second.to_dict()["test_reads"] == 2
    assert second.view.report.test == made.run().view.report.test
    other = made.run("split.seed=3")
    assert other.to_dict()["test_reads"] == 1
    assert other.view.report.test != second.view.report.test


# ---- who chose


def test_proposals_belong_to_their_file_and_not_to_a_name(project, tmp_path, cli):
    table = project().folder / "table.csv"
    store = tmp_path / "store"
    for place in ("one", "two"):
        words = ("--data", table, "--target", "left", "--name", "shop", "--store", store)
        assert cli("init", tmp_path / place, *words).code == 0
    both = [tmp_path / place / "assay.toml" for place in ("one", "two")]
    events = open_workspace(store, create=False).ledger.read()
    proposed = [event for event in events if event.kind == "project.proposed"]
    assert [e.data["file"] for e in proposed] == [str(file) for file in both]
    copy = tmp_path / "three" / "assay.toml"
    copy.parent.mkdir()
    copy.write_text(both[0].read_text())
    shutil.copy(table, copy.parent)

    def agency(file) -> str:
        choices = assay.check(file, store=store).prepared.spec.choices
        return next(c.agency for c in choices if c.path == "metric.primary")

    assert [agency(file) for file in (*both, copy)] == ["accepted", "accepted", "user"]


def test_a_choice_that_is_taken_back_is_told(copied):
    made = copied("binary")
    more = '[[gates]]\nmetric = "accuracy"\nat_least = 0.6\n'
    made.file.write_text(made.file.read_text() + more)
    made.run("split.test=0.25")
    made.edit(more, "")
    made.run("gates.0.at_least=0.6")

    def told(path: str) -> list[tuple[str, object]]:
        choices = [e for e in made.events() if e.kind == "choice.made"]
        return [(e.agency, e.data["value"]) for e in choices if e.data["path"] == path]

    assert told("split.test") == [("default", 0.2), ("user", 0.25), ("default", 0.2)]
    assert told("gates.1.at_least") == [("user", 0.6), ("user", None)]


def test_init_that_cannot_write_leaves_no_file_that_would_count_as_a_person_s(
    project, tmp_path, monkeypatch
):
    table = project().folder / "table.csv"

    def full(*_, **__):
        raise StoreError("STORE-FULL", "there is no room left to write to the store")

    monkeypatch.setattr("assay.kernel.stage.Context.append", full)
    with pytest.raises(StoreError):
        assay.init(tmp_path / "new", data=str(table), target="left")
    assert not (tmp_path / "new" / "assay.toml").exists()


# ---- what is read, and how


def test_a_fault_of_the_line_is_tried_again_before_anything_fails(project, monkeypatch):
    made = project(more=ACCEPTED)
    real, faults = preparing.ingest, [TransientFault("SQL-LINE", "the line is down")]

    def flaky(*args, **options):
        if faults:
            raise faults.pop()
        return real(*args, **options)

    monkeypatch.setattr(preparing, "ingest", flaky)
    notes = []
    assert assay.check(made.folder, notify=notes.append).ok
    assert "trying again: the line is down" in [note.text for note in notes]


def test_one_validation_part_for_a_large_table_is_sealed_before_it_is_used(project, monkeypatch):
    made = project()
    monkeypatch.setattr(preparing, "ONE_VALIDATION_PART", 600)
    found = assay.check(made.folder)
    assert found.prepared.seal.split.folds == 1
    assert found.split.valid > 0
    chosen = assay.check(made.folder, overrides=["split.folds=4"])
    assert chosen.prepared.seal.split.folds == 4
    assert chosen.split.valid == 0


def test_what_a_model_says_it_takes_is_what_its_training_rows_held(project):
    made = project(more=ACCEPTED)
    first = made.run()
    table = pl.read_csv(made.folder / "table.csv").with_row_index()
    parts = Material.open(first_inputs(first), first.workspace.store).parts
    test = [int(i) for i in (parts == TEST).nonzero()[0]]
    fee = pl.when(pl.col("index") == test[0]).then(9_999.0).otherwise(pl.col("fee")).alias("fee")
    table.with_columns(fee).drop("index").write_csv(made.folder / "table.csv")
    model = assay.load(made.run().package)
    (field,) = [f for f in model.signature.inputs if f.name == "fee"]
    assert field.high < 9_999


def first_inputs(result) -> dict:
    return {
        "problem": result.view.problem,
        "snapshot": result.view.snapshot,
        "split": result.view.split,
    }


def test_init_proposes_to_split_in_time_where_the_rows_stand_in_time(tmp_path, cli):
    days = pl.date_range(pl.date(2024, 1, 1), pl.date(2025, 1, 31), eager=True)
    rng = np.random.default_rng(1)
    size = days.len()
    table = pl.DataFrame(
        {
            "day": days,
            "visits": rng.poisson(6, size),
            "sales": np.arange(size) * 0.5 + rng.normal(0, 5, size),
        }
    )
    table.write_csv(tmp_path / "table.csv")
    said = cli("init", tmp_path / "new", "--data", tmp_path / "table.csv", "--target", "sales")
    assert said.code == 0, said.err
    text = (tmp_path / "new" / "assay.toml").read_text()
    assert 'time_on = "day"' in text
    found = assay.check(tmp_path / "new")
    assert found.split.ordered
    assert "TIME-ORDER" not in {finding.code for finding in found.audit.findings}
