"""Default values, mixed units and outliers: what is planted is found, and nothing else."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine

from assay.data.audit.subject import Subject
from assay.data.audit.values.units import UNITS, unit_mixture
from assay.data.audit.values.unusual import default_numbers, fences, unusual
from assay.records.snapshot import DataSnapshot, Problem
from assay.records.spec import SplitSection

ROWS = 2_000
CODES = {"DEFAULT-VALUE", "UNIT-MIX", "OUTLIERS"}


def measures(seed=0, rows=ROWS):
    rng = np.random.default_rng(seed)
    return {
        "height": rng.normal(172, 9, rows),
        "income": rng.lognormal(10, 0.9, rows),
        "visits": rng.poisson(3, rows).astype(float),
        "age": rng.integers(18, 91, rows).astype(float),
        "spent": np.where(rng.random(rows) < 0.7, 0, rng.lognormal(4, 1, rows)),
        "share": rng.random(rows),
        "wealth": rng.pareto(1.2, rows),
        "error": rng.standard_t(2, rows),
    }


def some(seed, share, rows=ROWS):
    return np.random.default_rng(seed).random(rows) < share


@pytest.mark.parametrize("seed", range(8))
def test_clean_columns_of_every_shape_are_left_alone(run, honest, seed):
    columns = [pl.Series(name, cells) for name, cells in measures(seed).items()]
    result = run(honest(seed, ROWS).with_columns(columns))
    assert [(f.code, f.where) for f in result.findings if f.code in CODES - {"OUTLIERS"}] == []
    far = [f for f in result.findings if f.code == "OUTLIERS"]
    assert {f.where for f in far} <= {"wealth", "error"}
    assert sum(f.evidence["cells"] for f in far) <= 2


@pytest.mark.parametrize(
    ("column", "value", "severity"),
    [
        ("visits", 999, "warning"),
        ("share", -1, "warning"),
        ("age", -1, "warning"),
        ("income", -999, "warning"),
        ("height", -9999, "warning"),
        ("age", 999, "warning"),
        ("age", 0, "note"),
        ("height", 0, "note"),
    ],
)
def test_a_default_value(run, honest, only, column, value, severity):
    cells = measures()[column]
    planted = some(1, 0.02)
    cells[planted] = value
    finding = only(run(honest(0, ROWS).with_columns(pl.Series(column, cells))), "DEFAULT-VALUE")
    assert (finding.where, finding.severity) == (column, severity)
    assert finding.evidence["value"] == value
    assert finding.evidence["cells"] == planted.sum()


def test_two_default_values_of_one_column(run, honest):
    cells = measures()["age"]
    cells[some(1, 0.01)] = -99
    cells[some(2, 0.01)] = 999
    table = honest(0, ROWS).with_columns(pl.Series("age", cells))
    found = {f.evidence["value"] for f in run(table).findings if f.code == "DEFAULT-VALUE"}
    assert found == {-99, 999}


@pytest.mark.parametrize(
    "cells",
    [
        [-1.0, 0.0, 1.0] * 50,
        list(np.arange(-1, 40.0)) * 4,
        list(np.arange(0, 100.0)) * 3,
        list(np.arange(960, 1000.0)) * 4,
        [0.0] * 400 + list(np.arange(50.0, 99)) * 4,
    ],
)
def test_ends_that_are_no_default_values(cells):
    assert default_numbers(np.array(cells)) == []


@pytest.mark.parametrize("day", [(1900, 1, 1), (1970, 1, 1), (9999, 12, 31)])
def test_a_default_date(run, honest, only, codes, day):
    start = datetime(1985, 3, 1, tzinfo=UTC)
    days = np.random.default_rng(0).integers(0, 9000, ROWS)
    dates = [start + timedelta(days=int(d)) for d in days]
    table = honest(0, ROWS)
    assert "DEFAULT-VALUE" not in codes(run(table.with_columns(pl.Series("joined", dates))))
    for row in range(0, ROWS, 50):
        dates[row] = datetime(*day, tzinfo=UTC)
    finding = only(run(table.with_columns(pl.Series("joined", dates))), "DEFAULT-VALUE")
    assert (finding.severity, finding.evidence["cells"]) == ("warning", ROWS // 50)
    assert finding.evidence["value"] == "-".join(f"{part:02d}" for part in day)


def test_a_word_for_no_answer(run, honest, only, codes):
    town = honest(0)["town"].to_list()
    town[:20] = ["Unknown"] * 20
    table = honest(0).with_columns(pl.Series("town", town))
    finding = only(run(table), "DEFAULT-VALUE")
    assert (finding.severity, finding.where) == ("note", "town")
    assert finding.evidence["words"][0]["word"] == "Unknown"
    assert "DEFAULT-VALUE" not in codes(run(honest(0)))


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
@pytest.mark.parametrize("above", [True, False])
@pytest.mark.parametrize("share", [0.02, 0.3])
def test_a_part_in_another_unit(unit, above, share):
    rng = np.random.default_rng(3)
    truth = rng.normal(30, 2, ROWS) if not unit.factor else rng.lognormal(4, 0.09, ROWS)
    if not unit.factor and not above:
        truth = 1.8 * truth + 32
    other = 1.8 * truth + 32 if above else (truth - 32) / 1.8
    if unit.factor:
        other = truth * unit.factor if above else truth / unit.factor
    planted = some(4, share)
    found = unit_mixture(np.where(planted, other, truth))
    assert found is not None
    assert (found.unit.name, found.above) == (unit.name, above)
    back = np.array([found.convert(cell) for cell in other])
    assert np.allclose(back, truth)


def test_a_unit_mixture_is_shown_with_rows_and_hides_no_default(run, honest, only, codes):
    cells = measures()["height"]
    planted = some(5, 0.1)
    cells[planted] /= 2.54
    table = honest(0, ROWS).with_columns(pl.Series("height", cells))
    result = run(table)
    finding = only(result, "UNIT-MIX")
    assert (finding.severity, finding.where) == ("warning", "height")
    assert finding.evidence["cells"] == planted.sum()
    for line in finding.evidence["examples"]:
        assert line["height"] == pytest.approx(cells[line["row"] - 1], rel=1e-5)
        assert line["converted"] == pytest.approx(2.54 * line["height"], rel=1e-4)
    assert not {"OUTLIERS", "DEFAULT-VALUE"} & codes(result)


@pytest.mark.parametrize("load", [load_breast_cancer, load_diabetes, load_wine])
def test_real_measurements_are_in_one_unit(load):
    for cells in load().data.T:
        assert unit_mixture(cells) is None


def test_two_humps_that_are_no_unit_mixture():
    rng = np.random.default_rng(0)
    for gap, wide in ((10, 3), (100, 0.3), (1000, 4)):
        humps = np.r_[rng.lognormal(3, 0.1, 900), gap * rng.lognormal(3, 0.1 * wide, 300)]
        assert unit_mixture(humps) is None
    overlap = np.r_[rng.lognormal(4, 0.6, 900), 2.54 * rng.lognormal(4, 0.6, 300)]
    assert unit_mixture(overlap) is None


@pytest.mark.parametrize("column", ["height", "income", "age", "share"])
def test_outliers_are_found_and_shown(run, honest, only, column):
    cells = measures()[column]
    rows = [10, 500, 1500]
    cells[rows] = np.array([4e4, 7e5, 9e6]) * np.median(cells)
    finding = only(run(honest(0, ROWS).with_columns(pl.Series(column, cells))), "OUTLIERS")
    assert (finding.where, finding.severity) == (column, "warning")
    assert finding.evidence["cells"] == 3
    assert [line["row"] for line in finding.evidence["farthest"]] == [1501, 501, 11]


def test_wild_cells_up_to_a_hundredth_do_not_move_the_fences():
    clean = np.random.default_rng(0).normal(size=10_000)
    wild = clean.copy()
    wild[:100] = 1e6
    assert fences(wild)[1] < 25
    assert 4 < fences(clean)[1] < 25


def test_a_normal_column_of_any_size_has_no_outliers():
    rng = np.random.default_rng(1)
    for rows in (300, 3_000, 100_000):
        cells = rng.normal(size=rows)
        low, high = fences(cells)
        assert low < cells.min() < cells.max() < high


REAL = {
    "adult_census.parquet": {("DEFAULT-VALUE", "capital_gain")},
    "bank_marketing.parquet": {("DEFAULT-VALUE", "pdays")},
    "ames_housing.parquet": set(),
    "beijing_pm25.parquet": set(),
    "california_housing.parquet": set(),
    "telco_churn.csv": set(),
    "titanic.csv": set(),
    "wine_quality.parquet": set(),
}


@pytest.mark.data
@pytest.mark.skipif("ASSAY_DATA" not in os.environ, reason="ASSAY_DATA is not set")
@pytest.mark.parametrize("file", REAL)
def test_warnings_on_a_real_table_are_true(file):
    path = Path(os.environ["ASSAY_DATA"]) / file
    read = pl.read_parquet if path.suffix == ".parquet" else pl.read_csv
    table = read(path).with_columns(pl.lit("one").alias("answer"))
    problem = Problem(
        family="tabular",
        task="binary",
        target="answer",
        classes=("one", "two"),
        features=tuple(name for name in table.columns if name != "answer"),
        primary="roc_auc",
    )
    snapshot = DataSnapshot(source="", content="", table="", rows=table.height, columns=())
    parts = np.zeros(table.height, np.int8)
    found = list(unusual(Subject(problem, snapshot, table, parts, SplitSection(), ())))
    assert {(f.code, f.where) for f in found if f.severity == "warning"} == REAL[file]
    assert "UNIT-MIX" not in {f.code for f in found}


def test_columns_that_are_hardly_filled_say_nothing(run, honest, codes):
    cells = [None] * 580 + [1.0] * 17 + [999.0] * 3
    assert not CODES & codes(run(honest(0).with_columns(pl.Series("rare", cells))))
