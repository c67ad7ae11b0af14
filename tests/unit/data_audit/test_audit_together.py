"""Columns that give the target away only together, with the truth known, and honest tables."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from sklearn import datasets

from assay.data.audit import battery
from assay.data.audit.leaks.probe import explained

CODES = {"LEAK-TARGET", "LEAK-JOINT"}


@pytest.fixture(autouse=True)
def _these_checks(monkeypatch):
    """Run the checks of columns only: the others have tests of their own, and take their time."""
    mine = tuple(check for check in battery.CHECKS if set(check.codes) & CODES)
    monkeypatch.setattr(battery, "CHECKS", mine)


def real(name: str) -> pl.DataFrame:
    bunch = getattr(datasets, f"load_{name}")()
    table = pl.DataFrame(bunch.data, schema=[str(c) for c in bunch.feature_names])
    if name == "diabetes":
        return table.with_columns(pl.Series("y", bunch.target))
    return table.with_columns(pl.Series("y", [str(bunch.target_names[i]) for i in bunch.target]))


def code_of(table: pl.DataFrame) -> np.ndarray:
    if table["y"].dtype == pl.Float64:
        return ((table["y"] - table["y"].mean()) / table["y"].std()).to_numpy()
    return table["y"].rank("dense").to_numpy().astype(float)


def parts_of(told: np.ndarray, how: str, rng: np.random.Generator) -> dict[str, object]:
    """Return columns that say nothing alone and the answer together."""
    one, two = rng.normal(size=(2, len(told))) * 3 * told.std()
    if how == "sum":
        return {"deposit": one, "balance": told - one}
    if how == "difference":
        return {"net": one, "gross": told + one}
    if how == "ratio":
        return {"units": np.exp(one), "paid": np.exp(one + 0.5 * told)}
    if how == "product":
        return {"price": np.exp(one), "share": np.exp(told - one)}
    if how == "three":
        return {"first": one, "second": two, "rest": told - one - two}
    place = np.argsort(np.argsort(told, kind="stable")) * 6 // len(told)
    code = told.astype(int) if len(np.unique(told)) < 5 else place
    key = rng.integers(6, size=len(told))
    return {
        "channel": [f"c{k}" for k in key],
        "tariff": [f"t{v}" for v in (key + code) % 6],
    }


@pytest.mark.parametrize("how", ["sum", "difference", "ratio", "product", "three", "lookup"])
@pytest.mark.parametrize("name", ["wine", "diabetes"])
def test_columns_that_need_each_other_are_found(run, only, name, how):
    table = real(name)
    made = parts_of(code_of(table), how, np.random.default_rng(3))
    finding = only(
        run(table.with_columns(**{k: pl.Series(v) for k, v in made.items()})), "LEAK-JOINT"
    )
    assert finding.severity == "error"
    assert set(finding.where.split(", ")) == set(made)
    assert finding.evidence["explained_together"] > 0.6
    assert sum(finding.evidence["explained_alone"].values()) < 0.3


def test_an_exclusive_or_of_three_flags_is_found(run, only, honest):
    table = honest(0, 1500)
    rng = np.random.default_rng(0)
    one, two = rng.integers(2, size=(2, 1500)).astype(bool)
    three = one ^ two ^ (table["y"] == "class 1").to_numpy()
    finding = only(run(table.with_columns(one=one, two=two, three=three)), "LEAK-JOINT")
    assert finding.where == "one, two, three"
    assert {line["value"].count("|") for line in finding.evidence["values"]} == {2}


def test_parts_that_are_strong_alone_are_found_when_they_make_it_up(run, only):
    """A total and its two parts: no suppression, but nothing is left open."""
    rng = np.random.default_rng(0)
    one, two, noise = rng.lognormal(size=(3, 1000))
    table = pl.DataFrame({"rent": one, "other": two, "age": noise, "y": one + two})
    finding = only(run(table), "LEAK-JOINT")
    assert finding.where == "rent, other"
    assert finding.evidence["how"] == "rent + other"


def test_some_mistakes_make_it_a_warning_or_an_error_but_never_silent(run, only, honest):
    table = honest(1, 2000)
    rng = np.random.default_rng(1)
    code = (table["y"] == "class 1").to_numpy() ^ (rng.random(2000) < 0.15)
    key = rng.integers(2, size=2000)
    table = table.with_columns(left=pl.Series(key), right=pl.Series((key + code) % 2))
    finding = only(run(table), "LEAK-JOINT")
    assert (finding.severity, finding.where) == ("warning", "left, right")


@pytest.mark.parametrize("name", ["breast_cancer", "wine", "iris", "diabetes"])
def test_honest_measurements_are_no_joint_leak(run, codes, name):
    assert "LEAK-JOINT" not in codes(run(real(name)))


def test_a_leak_by_one_column_is_not_told_again_with_a_partner(run, codes, honest):
    table = honest(2, 800)
    later = pl.Series((table["y"] == "class 1").cast(pl.Float64)) * 5 + table["weight"] / 100
    found = codes(run(table.with_columns(later=later)))
    assert "LEAK-TARGET" in found
    assert "LEAK-JOINT" not in found


def test_the_explained_share_is_the_adjusted_r2_of_least_squares():
    rng = np.random.default_rng(0)
    columns = rng.normal(size=(300, 4))
    answer = columns[:, :1] + rng.normal(size=(300, 1))
    columns, answer = columns - columns.mean(axis=0), answer - answer.mean()
    fitted = columns @ np.linalg.lstsq(columns, answer, rcond=None)[0]
    share = 1 - ((answer - fitted) ** 2).sum() / (answer**2).sum()
    wanted = 1 - (1 - share) * 299 / 295
    assert explained(columns, answer) == pytest.approx(wanted, abs=1e-4)
