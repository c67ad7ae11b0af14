"""`assay init` and then its own `assay run`, without an edit, on every table at hand."""

from __future__ import annotations

import os
from pathlib import Path

import polars as pl
import pytest
from projects import Said

TABLES = {
    "adult_census.parquet": "income",
    "bank_marketing.parquet": "y",
    "creditcard_fraud_undersampled.parquet": "Class",
    "mammography.parquet": "label",
    "penguins.parquet": "species",
    "telco_churn.csv": "Churn",
    "titanic.csv": "survived",
    "vehicle_claim_fraud.parquet": "FraudFound_P",
    "ames_housing.parquet": "Sale_Price",
    "beijing_pm25.parquet": "pm2_5",
    "california_housing.parquet": "median_house_value",
    "wine_quality.parquet": "quality",
    "sms_spam.parquet": "label",
    "ag_news_test.parquet": "label",
    "sst2.parquet": "label",
    "airline_passengers.csv": "Passengers",
    "etth1.parquet": "OT",
    "cranfield_qrels.parquet": "grade",
    "onet_job_zones.parquet": "job_zone",
    "movielens100k_ratings.parquet": "rating",
}
CATALOGUE = {
    "breast_cancer": "diagnosis",
    "wine": "cultivar",
    "diabetes": "progression",
}
NO_TABLES = {
    "mnist.npz": "y_train",
    "cora.npz": "labels",
    "m4_hourly.parquet": "test",
    "squad1_xquad_en.parquet": "answers",
}


MANY, FEW = 21_000, 8_000
"""A table of more rows than the first is thinned to about the second, to save time."""


@pytest.fixture
def data() -> Path:
    folder = os.environ.get("ASSAY_DATA")
    if not folder:
        pytest.skip("ASSAY_DATA does not name the folder of the data sets")
    return Path(folder)


def thinned(file: Path, folder: Path) -> Path:
    """Return the table, or every n-th row of a large one: enough for all that a run does."""
    if file.suffix != ".parquet":
        return file
    table = pl.read_parquet(file)
    if table.height <= MANY:
        return file
    table.gather_every(table.height // FEW).write_parquet(folder / file.name)
    return folder / file.name


def works(home: Path, source: str | Path, target: str, cli) -> Said:
    """Propose a project file and run it as it is; returns what the run said."""
    proposed = cli("init", home, "--data", source, "--target", target)
    assert proposed.code == 0, proposed.err
    said = cli("run", home, "--budget", "1s")
    assert said.code in (0, 3, 4), said.err
    data = said.data
    assert data["stopped_by"] is None, data["reason"]
    for constant in ("prior", "median"):
        assert constant not in data["champion"]["name"].replace(data["baseline"]["name"], "")
    assert data["parity"]["label_flips"] == 0
    assert data["parity"]["max_abs_diff"] <= 1e-7
    assert data["package"]["bytes"] < 20_000_000
    assert Path(data["report"]).stat().st_size > 10_000
    return said


@pytest.mark.data
@pytest.mark.parametrize("name", TABLES)
def test_a_real_table_runs_as_proposed(name, data, tmp_path, cli):
    works(tmp_path / name.partition(".")[0], thinned(data / name, tmp_path), TABLES[name], cli)


@pytest.mark.parametrize("name", CATALOGUE)
def test_a_set_of_the_catalogue_runs_as_proposed(name, tmp_path, cli, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    said = works(tmp_path / name, name, CATALOGUE[name], cli)
    # on a slow machine nothing better than the baseline may be found in the time that it has
    alone = said.data["champion"]["name"] == said.data["baseline"]["name"]
    assert (said.data["verdict"] == "rejected") == alone


@pytest.mark.data
@pytest.mark.parametrize("name", NO_TABLES)
def test_what_is_no_table_is_refused(name, data, tmp_path, cli):
    said = cli("init", tmp_path / "new", "--data", data / name, "--target", NO_TABLES[name])
    assert said.code == 2, said.out
    assert "INTERNAL" not in said.codes
    assert not (tmp_path / "new").exists()
