"""The packages that Assay serves: one booster of the peers' size, and the default ensemble."""

from __future__ import annotations

import shutil
from pathlib import Path

import polars as pl

import assay
from assay.lifecycle.predict import load
from assay.records.fitted import Candidate
from assay.tasks.tabular.portfolio import trees

BOOSTER = {"rounds": 100, "learning_rate": 0.1, "min_data_in_leaf": 20}
"""What LightGBM takes by default, as in the peers' pipeline."""
PROJECT = """\
[project]
name = "adult"

[data]
source = "adult.parquet"
target = "income"
positive = ">50K"

[split]
predefined_on = "split"
seed = {}

[metric]
primary = "roc_auc"
"""
ONE = '\n[budget]\nonly = ["boosting"]\niterations = 1\n'
MANY = '\n[budget]\ntime = "60s"\n'


def prepare(source: Path, folder: Path) -> None:
    """Write the table that everyone is fitted on: words that are missing are the word "?"."""
    folder.mkdir(parents=True, exist_ok=True)
    frame = pl.read_parquet(source).with_columns(pl.col(pl.String).fill_null("?"))
    frame.write_parquet(folder / "adult.parquet")
    frame.write_csv(folder / "adult.csv")


def package(table: Path, store: Path, *, ensemble: bool, leaves: int = 31) -> None:
    """Run a project on the table, so that the store has one version more of `adult`."""
    project = store.with_name(f"{store.name}-project")
    shutil.rmtree(project, ignore_errors=True)
    project.mkdir(parents=True)
    shutil.copy(table, project / "adult.parquet")
    (project / "assay.toml").write_text(PROJECT.format(leaves) + (MANY if ensemble else ONE))
    usual = trees._booster
    if not ensemble:
        trees._booster = lambda _facts, name, _params: _fixed(name, leaves)
    try:
        assay.run(project, store=store)
    finally:
        trees._booster = usual


def _fixed(name: str, leaves: int) -> Candidate:
    """Return the booster of the peers' size in place of one of the portfolio."""
    params = {**BOOSTER, "num_leaves": leaves, "categories": "codes"}
    return Candidate(name=name, kind="boosting", params=params)


def truth(
    store: Path, rows: list[dict[str, object]], version: int | str = "champion"
) -> list[float]:
    """Return the chances of the positive class by a version, asked as a table."""
    model = load(f"adult@{version}", store=store)
    return model.predict(pl.DataFrame(rows))["probability_>50K"].to_list()
