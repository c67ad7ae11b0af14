"""Explanations from the package alone: against brute force, and against TreeSHAP on real data."""

from __future__ import annotations

import os
import time
from itertools import permutations
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from engine_cases import FEATURES, members, packaged, table
from tabular_cases import KINDS

from assay.kernel.family import Predictions
from assay.package.load import Operated
from assay.records.fitted import Candidate, Field, Operating, Pool, Signature
from assay.records.snapshot import Problem
from assay.tasks.tabular.encode.encoder import fit_encoder
from assay.tasks.tabular.engine import reasons
from assay.tasks.tabular.engine.export import export
from assay.tasks.tabular.engine.predictor import load
from assay.tasks.tabular.explain.shapley import exact
from assay.tasks.tabular.models.boosting import fit_boosting
from assay.tasks.tabular.models.kind import Job
from assay.tasks.tabular.models.model import TabularModel


class Tangled:
    """Numbers whose columns work together: a product, a threshold and a sum."""

    signature = Signature(
        family="tabular", task="regression", target="y",
        inputs=tuple(Field(name=f"x{i}", type="number", missing=True) for i in range(13)),
    )  # fmt: skip

    def __init__(self) -> None:
        self.asked = 0

    def predict(self, frame: pl.DataFrame) -> Predictions:
        self.asked += frame.height
        x = frame.fill_null(-1.0).to_numpy()
        value = x[:, 0] * x[:, 1] + 3.0 * (x[:, 2] > x[:, 3]) + x.sum(axis=1) + x[:, 4] * x[:, 12]
        return Predictions(value)


def rows_of(*rows: dict[int, float | None]) -> pl.DataFrame:
    """Rows of zeros but for the cells given by the number of the column."""
    return pl.DataFrame(
        {f"x{i}": pl.Series([row.get(i, 0.0) for row in rows], dtype=pl.Float64) for i in range(13)}
    )


def by_brute_force(model: Tangled, row: pl.DataFrame, columns: list[int]) -> np.ndarray:
    """The mean over all orders of what each column changes as it joins."""
    credit = np.zeros(13)
    orders = list(permutations(columns))
    for order in orders:
        now, before = rows_of({}), model.predict(rows_of({})).values[0]
        for column in order:
            now = now.with_columns(row[f"x{column}"])
            after = model.predict(now).values[0]
            credit[column] += (after - before) / len(orders)
            before = after
    return credit


def explain(frame: pl.DataFrame, model: Tangled | None = None) -> reasons.Explanation:
    model = model or Tangled()
    return reasons.explain(model.signature, rows_of({}), frame, model)


def loaded(classes: int, rows: pl.DataFrame) -> Operated:
    """A package of several members, with a threshold and calibrated probabilities of two."""
    operating = Operating()
    if classes == 2:
        operating = Operating(calibration="platt", params=(1.3, -0.2), threshold=0.3)
    pairs = [(model, 0.2) for model in members(classes, rows)]
    return packaged(pairs, classes, operating=operating)[0]


def test_few_columns_are_exact() -> None:
    rows = rows_of({0: 2.0, 1: 3.0, 2: 1.0, 3: 0.5, 4: None}, {5: 1.0}, {})
    found = explain(rows)
    for place, columns in enumerate(([0, 1, 2, 3, 4], [5], [])):
        expected = by_brute_force(Tangled(), rows[place : place + 1], columns)
        assert found.contributions[place] == pytest.approx(expected, abs=1e-12)
    assert found.method.startswith("exact")
    assert found.base.tolist() == [0.0, 0.0, 0.0]
    assert found.of == ("", "", "")


def test_many_columns_are_sampled_near_the_truth_and_complete() -> None:
    row = rows_of({i: 1.0 + i / 7 for i in range(13)})
    found = explain(row)
    assert "orders" in found.method
    x = row.to_numpy()[0]
    exact = x.copy()
    exact[[0, 1]] += x[0] * x[1] / 2
    exact[[4, 12]] += x[4] * x[12] / 2
    # the threshold is never passed but for orders in which x2 comes before x3
    exact[2] += 1.5
    exact[3] -= 1.5
    assert found.contributions[0] == pytest.approx(exact, abs=0.2)
    assert found.base[0] + found.contributions[0].sum() == pytest.approx(found.values[0], abs=1e-9)


def test_a_row_is_explained_alike_alone_and_among_others() -> None:
    rows = rows_of(dict.fromkeys(range(13), 1.0), {i: float(i) for i in range(12)}, {0: 1.0})
    whole = explain(rows)
    for place in range(rows.height):
        one = explain(rows[place : place + 1])
        assert np.array_equal(one.contributions[0], whole.contributions[place])


def test_memory_is_bounded_by_asking_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = rows_of(*({0: float(i), 1: 1.0, 2: 2.0} for i in range(20)))
    whole = explain(rows)
    monkeypatch.setattr(reasons, "MOST", 20)
    largest = 0

    class Watched(Tangled):
        def predict(self, frame: pl.DataFrame) -> Predictions:
            nonlocal largest
            largest = max(largest, frame.height)
            return super().predict(frame)

    parts = explain(rows, Watched())
    assert largest <= 28
    assert np.array_equal(parts.contributions, whole.contributions)


def test_no_rows_have_no_reasons() -> None:
    found = explain(rows_of({}).clear())
    assert found.contributions.shape == (0, 13)
    assert found.of == ()


@pytest.mark.parametrize("classes", [2, 3, 0])
def test_the_answered_class_of_a_package_is_explained(classes: int) -> None:
    rows = table()
    package = loaded(classes, rows)
    found = package.explain(rows[:30].select(FEATURES))
    served = package.predict(rows[:30].select(FEATURES))
    gap = np.abs(found.base + found.contributions.sum(axis=1) - found.values)
    assert (gap <= 1e-9 * np.maximum(1, np.abs(found.values))).all()
    if not classes:
        assert np.array_equal(found.values, served.values)
        return
    positive = package.signature.positive
    codes = served.codes(package.signature.classes.index(positive) if positive else None)
    assert found.of == tuple(package.signature.classes[code] for code in codes)
    assert np.array_equal(found.values, served.values[np.arange(30), codes])


def test_the_typical_row_is_the_middle_of_training() -> None:
    rows = table()
    package = loaded(2, rows)
    typical = package.scores.reference.row(0, named=True)
    assert typical["number"] == pytest.approx(rows["number"].median())
    assert typical["city"] == "Rome"
    assert typical["member"] is False
    assert typical["review"] is None
    assert rows["since"].min() < typical["since"] < rows["since"].max()
    found = package.explain(package.scores.reference)
    assert not found.contributions.any()


@pytest.mark.data
@pytest.mark.skipif("ASSAY_DATA" not in os.environ, reason="ASSAY_DATA is not set")
def test_on_churn_it_agrees_with_tree_shap_and_is_quick() -> None:
    rows = pl.read_csv(Path(os.environ["ASSAY_DATA"]) / "telco_churn.csv").drop("customerID")
    rows = rows.with_columns(pl.col("TotalCharges").cast(pl.Float64, strict=False))
    rows = rows.with_columns(pl.col(pl.Int64).cast(pl.Float64))
    names = [name for name in rows.columns if name != "Churn"]
    frame, y = rows.select(names), (rows["Churn"] == "Yes").to_numpy().astype(np.int64)
    encoder = fit_encoder(frame, names)
    most = {"num_leaves": 15, "learning_rate": 0.1, "rounds": 60}
    core = fit_boosting(Job(x=encoder.tree(frame), y=y, classes=2, params=most))[0]
    problem = Problem(
        family="tabular", task="binary", target="Churn", classes=("No", "Yes"), positive="Yes",
        features=tuple(names), primary="roc_auc",
    )  # fmt: skip
    model = TabularModel(Candidate(name="b", kind="boosting"), None, encoder, core, problem.classes)
    fields = [Field(name=name, type=KINDS[type(frame[name].dtype)], missing=True) for name in names]
    files, signature = export([(model, 1.0)], Pool(), Operating(), problem, fields)
    package = Operated(load(files, signature), signature)
    asked = frame[::70][:100]
    found = package.explain(asked)
    codes = np.array([problem.classes.index(name) for name in found.of])
    shap = exact(model, asked, frame, codes)
    assert shap is not None
    # a column that is typical has no contribution here, so only the others are compared
    both = found.contributions != 0
    weight = np.abs(shap.values) * both
    agree = (np.sign(shap.values) == np.sign(found.contributions)) * weight
    assert agree.sum() / weight.sum() > 0.85
    mine, theirs = np.abs(found.contributions), np.abs(shap.values) * both
    ranks = [np.argsort(np.argsort(size.mean(axis=0))) for size in (mine, theirs)]
    assert np.corrcoef(*ranks)[0, 1] > 0.85
    took = []
    for place in range(9):
        start = time.perf_counter()
        package.explain(asked[place : place + 1])
        took.append(time.perf_counter() - start)
    assert np.median(took) < 0.05
