"""Training and serving read a row alike: served in every form, it is answered as `predict` does."""

from __future__ import annotations

import os
import tomllib
from io import BytesIO
from pathlib import Path
from typing import Any

import msgspec
import polars as pl
import pytest
from shop import Client, Shop, Start

from assay.data import catalogue
from assay.data.source import read_any
from assay.lifecycle.predict import load
from assay.lifecycle.run import run
from assay.tasks.tabular.portfolio.choose import candidates
from assay.tasks.tabular.portfolio.facts import Facts

EXAMPLES = Path(__file__).parents[2] / "examples"
STREAM = "application/vnd.apache.arrow.stream"
ENOUGH, MOST, SINGLES = 4_000, 1_500, 60
CLOSE = 1e-9
"""Rows of a table are added up in another order than a row alone: the last bits may differ."""

_KINDS = {c.kind: c.name for c in reversed(candidates(Facts(classes=2, rows=480)))}

BUNDLED = {"diabetes": "boosting", "diagnosis": "linear", "wine-cultivars": "boosting"}
REAL = {"adult": "boosting", "churn": "linear", "california": "boosting"}
TABLES = {
    "ames_housing.parquet": ("Sale_Price", "boosting", ""),
    "titanic.csv": ("survived", "linear", 'drop = ["alive"]'),
    "wine_quality.parquet": ("quality", "boosting", 'duplicates = "drop"'),
    "bank_marketing.parquet": ("y", "boosting", ""),
    "beijing_pm25.parquet": ("pm2_5", "boosting", 'missing_target = "drop"'),
}
"""The target, the kind of model, and what the audit wants to be told of the table."""


@pytest.fixture(autouse=True)
def _cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def example(name: str) -> tuple[str, str, pl.DataFrame]:
    """Return an example's project file, the name of its model, and the rows of its table."""
    text = (EXAMPLES / name / "assay.toml").read_text()
    spec = tomllib.loads(text)
    table = read_any(catalogue.get(spec["data"]["source"].removeprefix("catalogue:")))
    return text, spec["project"]["name"], table.drop(spec["data"]["target"])


def check(folder: Path, text: str, name: str, kind: str, rows: pl.DataFrame, start: Start) -> None:
    """Train, serve, and compare what is served with what `predict` says of the same rows."""
    (folder / name).mkdir()
    (folder / name / "assay.toml").write_text(text)
    only = f'budget.only=["{_KINDS[kind]}"]'
    done = run(folder / name, overrides=["budget.iterations=1", only], store=folder / ".assay")
    assert done.package is not None, done.verdict
    rows = rows.gather_every(max(1, rows.height // MOST)).head(MOST)
    wanted = load(done.package).predict(rows).to_dicts()
    client = start(f"{name}@1", shop=Shop(folder)).client()
    sent = msgspec.to_builtins(rows.to_dicts())
    for place in range(0, rows.height, max(1, rows.height // SINGLES)):
        compare(client.predict(sent[place]), [wanted[place]])
    compare(client.predict(*sent), wanted)
    columns = {name: [row[name] for row in sent] for name in rows.columns}
    compare(posted(client, msgspec.json.encode({"columns": columns}), "application/json"), wanted)
    csv, arrow = BytesIO(), BytesIO()
    rows.write_csv(csv)
    rows.write_ipc_stream(arrow)
    compare(posted(client, csv.getvalue(), "text/csv"), wanted)
    compare(posted(client, arrow.getvalue(), STREAM), wanted)


def posted(client: Client, body: bytes, kind: str) -> Any:
    answer = client.post("/predict", body, content_type=kind)
    assert answer.status == 200, answer.body[:2000]
    return answer.json


def compare(answer: Any, wanted: list[dict[str, Any]]) -> None:
    found = answer["predictions"]
    assert len(found) == len(wanted)
    for one, other in zip(found, wanted, strict=True):
        if "label" in one:
            assert one["label"] == other["prediction"]
            numbers = {f"probability_{k}": v for k, v in one["probabilities"].items()}
        else:
            numbers = {"prediction": one["value"], "low": one["low"], "high": one["high"]}
        for key, value in numbers.items():
            assert value == pytest.approx(other[key], rel=CLOSE, abs=CLOSE)


@pytest.mark.parametrize("name", BUNDLED)
def test_an_example_is_served_as_it_predicts(name, tmp_path, server):
    text, model, rows = example(name)
    check(tmp_path, text, model, BUNDLED[name], rows, server)


@pytest.mark.data
@pytest.mark.skipif("ASSAY_DATA" not in os.environ, reason="ASSAY_DATA is not set")
@pytest.mark.parametrize("name", REAL)
def test_an_example_on_real_data_is_served_as_it_predicts(name, tmp_path, server):
    text, model, rows = example(name)
    check(tmp_path, text, model, REAL[name], rows, server)


@pytest.mark.data
@pytest.mark.skipif("ASSAY_DATA" not in os.environ, reason="ASSAY_DATA is not set")
@pytest.mark.parametrize("name", TABLES)
def test_a_real_table_is_served_as_it_predicts(name, tmp_path, server):
    target, kind, more = TABLES[name]
    file = Path(os.environ["ASSAY_DATA"]) / name
    table = read_any(file)
    if table.height > ENOUGH:
        file = tmp_path / name
        table.gather_every(table.height // ENOUGH).write_parquet(file)
    text = f'[project]\nname = "real"\n[data]\nsource = "{file}"\ntarget = "{target}"\n{more}\n'
    check(tmp_path, text, "real", kind, table.drop(target), server)
