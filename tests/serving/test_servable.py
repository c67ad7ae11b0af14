"""A package behind the server: verified, typed as in training, its Python only where allowed."""

from __future__ import annotations

import shutil

import numpy as np
import polars as pl
import pytest

from assay.errors import DataError, Refused, Tampered, UsageError
from assay.lifecycle.predict import load
from assay.lifecycle.run import run
from assay.lifecycle.serving.servable import PackageServable, load_servable
from assay.stores.workspace import Workspace, open_workspace

PROJECT = """
[project]
name = "made"

[data]
source = "table.csv"
target = "y"

[features]
transform = "features:ratio"

[budget]
iterations = 1
only = ["linear_0.3"]

[[gates]]
metric = "r2"
at_least = 0.05
"""

FEATURES = """
import polars as pl


def ratio(frame):
    return frame.with_columns((pl.col("a") / pl.col("b")).alias("ratio"))
"""


def table(rows: int = 300) -> pl.DataFrame:
    rng = np.random.default_rng(0)
    a, b = rng.normal(50, 20, rows).round(2), rng.uniform(1, 7, rows).round(2)
    word = rng.choice(["left", "right", None], rows)
    return pl.DataFrame({"a": a, "b": b, "word": word, "y": a / b + rng.normal(0, 5, rows)})


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Return a store with a model that needs Python of its project's own."""
    folder = tmp_path_factory.mktemp("made")
    table().write_csv(folder / "table.csv")
    (folder / "assay.toml").write_text(PROJECT)
    (folder / "features.py").write_text(FEATURES)
    run(folder, store=folder / ".assay", allow_code=True)
    return open_workspace(folder / ".assay", create=False)


@pytest.fixture(scope="module")
def model(made: Workspace) -> PackageServable:
    return load_servable(made, "made", 1, allow_code=True)


def test_code_of_the_project_runs_only_where_it_is_allowed(made):
    with pytest.raises(Refused, match="Python code"):
        load_servable(made, "made", 1)


def test_rows_and_tables_go_through_the_code(made, model):
    frame = table(30).drop("y")
    wanted = load(model.package.path, allow_code=True).predict(frame)["prediction"].to_list()
    typed = model.table(frame)
    assert model.ask(typed).values.tolist() == pytest.approx(wanted, abs=1e-9)
    cells = [model.read(row) for row in frame.to_dicts()]
    assert all(row is not None for row in cells)
    assert model.rows(cells).values.tolist() == pytest.approx(wanted, abs=1e-9)
    assert model.rows(cells[:1]).values.tolist() == pytest.approx(wanted[:1], abs=1e-9)


def test_a_row_that_does_not_fit_is_read_by_nobody(model):
    assert model.read({"a": 1, "b": 2}) is None
    assert model.read({"a": "many", "b": 2, "word": "left"}) is None
    with pytest.raises(DataError):
        model.table([{"a": "many", "b": 2, "word": "left"}])


def test_every_form_of_a_table_is_typed_alike(model):
    frame = table(9).drop("y")
    wanted = model.table(frame)
    assert model.table(frame.to_dicts()).equals(wanted)
    assert model.table(frame.to_dict(as_series=False)).equals(wanted)
    assert model.table(frame.cast(pl.String)).equals(wanted)


def test_the_example_is_a_row_that_is_answered(model):
    cells = model.read(model.example)
    assert cells is not None
    assert model.rows([cells]).values.shape == (1,)


def test_a_version_that_is_not_there_is_named(made):
    for name, version in (("made", 2), ("mad", 1)):
        with pytest.raises(UsageError):
            load_servable(made, name, version, allow_code=True)


def test_nothing_that_was_changed_is_served(made, tmp_path):
    shutil.copytree(made.root, tmp_path / "store")
    workspace = open_workspace(tmp_path / "store", create=False)
    package = next(p for p in (tmp_path / "store" / "packages").iterdir() if len(p.name) == 64)
    file = package / "model.onnx"
    file.chmod(0o644)
    file.write_bytes(file.read_bytes()[:-1] + b"\x00")
    with pytest.raises(Tampered):
        load_servable(workspace, "made", 1, allow_code=True)
