"""On a real table: the scores that the family is known for, and an export that answers alike."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from tabular_cases import snapshot_of, spec_of

from assay.kernel.family import Predictions, Rows
from assay.metrics import get
from assay.records.fitted import Operating, Pool
from assay.tasks.tabular.engine.predictor import load
from assay.tasks.tabular.family import FAMILY
from assay.testing.families import rows_of

pytestmark = [
    pytest.mark.data,
    pytest.mark.skipif("ASSAY_DATA" not in os.environ, reason="ASSAY_DATA is not set"),
]


def test_telco_is_learned_and_exported_exactly() -> None:
    table = pl.read_csv(Path(os.environ["ASSAY_DATA"]) / "telco_churn.csv").drop("customerID")
    table = table.with_columns(pl.col("TotalCharges").cast(pl.Float64, strict=False))
    table = table.with_columns(pl.col(pl.Int64).cast(pl.Float64))
    snapshot = snapshot_of(table, text=())
    problem = FAMILY.problem(spec_of("Churn", table), snapshot, table["Churn"])
    assert (problem.task, problem.positive, problem.primary) == ("binary", "Yes", "roc_auc")
    rows = rows_of(table, problem)
    assert rows.target is not None
    test = np.random.default_rng(0).random(table.height) < 0.2
    train = Rows(rows.frame.filter(~test), rows.target[~test])
    everyone = FAMILY.candidates(problem, snapshot.columns, train.frame.height)
    first = {candidate.kind: candidate for candidate in reversed(everyone)}
    models = [FAMILY.fit(one, problem, train, None, 60, 0, 1) for one in first.values()]
    members = [(model, 1 / len(models)) for model in models]
    files, signature = FAMILY.export(members, Pool(), Operating(), problem, ())
    assert sum(len(content) for content in files.values()) < 5e6
    predictor = load(files, signature)
    for frame in (rows.frame.filter(test), FAMILY.nasty_rows(problem, train, 0)):
        served = predictor.predict(frame)
        mean = sum(model.predict(frame).values for model in models) / len(models)
        trained = Predictions(np.asarray(mean), problem.classes)
        np.testing.assert_allclose(served.values, trained.values, rtol=0, atol=1e-12)
        assert (served.codes(1) == trained.codes(1)).all()
    score = get("roc_auc").compute(
        rows.target[test], predictor.predict(rows.frame.filter(test)), problem.positive_code
    )
    assert score > 0.83
