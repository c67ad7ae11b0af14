"""Missing targets, rare classes, and too few rows."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from assay.records.snapshot import CleaningStep
from assay.records.spec import GateSpec


@pytest.mark.parametrize(("cells", "severity"), [(6, "note"), (200, "warning")])
def test_rows_removed_for_a_missing_target(run, honest, only, codes, cells, severity):
    step = CleaningStep(rule="missing-target", where="y", cells=cells)
    finding = only(run(honest(0), cleaning=[step]), "TARGET-MISSING")
    assert finding.severity == severity
    assert finding.evidence["rows_removed"] == cells
    other = CleaningStep(rule="missing", where="y", cells=9)
    assert "TARGET-MISSING" not in codes(run(honest(0), cleaning=[other]))


@pytest.mark.parametrize("classes", [0, 2])
def test_rows_left_with_a_missing_target(run, honest, only, classes):
    table = honest(0, 600, classes)
    gone = pl.int_range(pl.len()) < 60
    table = table.with_columns(pl.when(~gone).then(pl.col("y")).alias("y"))
    finding = only(run(table), "TARGET-MISSING")
    assert finding.evidence["rows_unknown"] == 60


def rare(share: float, rows: int = 3000) -> pl.DataFrame:
    rng = np.random.default_rng(0)
    ill = rng.permutation(rows) < share * rows
    return pl.DataFrame({"x": rng.normal(size=rows), "y": np.where(ill, "ill", "well")})


@pytest.mark.parametrize(
    ("share", "primary", "severity"),
    [(0.05, "roc_auc", "note"), (0.05, "accuracy", "warning"), (0.008, "roc_auc", "warning")],
)
def test_a_rare_class(run, only, share, primary, severity):
    finding = only(run(rare(share), primary=primary), "CLASS-IMBALANCE")
    assert finding.severity == severity
    assert finding.evidence["classes"][0]["class"] == "ill"


def test_classes_of_like_size_are_fine(run, honest, codes):
    for classes in (0, 2, 5):
        found = codes(run(honest(1, 1500, classes)))
        assert not found & {"CLASS-IMBALANCE", "TINY-CLASS"}


@pytest.mark.parametrize(
    ("train", "test", "severity"),
    [(1, 20, "error"), (20, 0, "error"), (5, 20, "warning"), (100, 4, "warning"), (50, 12, None)],
)
def test_a_class_with_hardly_any_rows(run, codes, only, train, test, severity):
    rows, others = train + test, 300
    parts = np.zeros(rows + others, np.int8)
    parts[:test] = -1
    parts[-80:] = -1
    x = np.random.default_rng(0).normal(size=rows + others)
    table = pl.DataFrame({"x": x, "y": ["a"] * rows + ["b"] * others})
    result = run(table, parts=parts)
    if severity is None:
        assert "TINY-CLASS" not in codes(result)
    else:
        finding = only(result, "TINY-CLASS")
        assert finding.severity == severity
        assert finding.evidence == {"class": "a", "train": train, "test": test}


@pytest.mark.parametrize("test", [0, 1])
def test_one_of_many_classes_may_miss_the_test(run, only, test):
    labels = ["a"] * 200 + ["b"] * 200 + ["c"] * (40 + test)
    parts = np.zeros(len(labels), np.int8)
    parts[150:250] = -1
    parts[len(labels) - test :] = -1
    x = np.random.default_rng(0).normal(size=len(labels))
    result = run(pl.DataFrame({"x": x, "y": labels}), parts=parts)
    assert only(result, "TINY-CLASS").severity == "warning"
    assert result.blocking == ()


@pytest.mark.parametrize(
    ("metric", "threshold", "classes"),
    [("recall", 0.8, 2), ("roc_auc", 0.7, 2), ("accuracy", 0.8, 3), ("r2", 0.3, 0), ("rmse", 1, 0)],
)
def test_a_gate_that_so_few_rows_cannot_decide(
    run, honest, only, codes, metric, threshold, classes
):
    key = "at_most" if metric == "rmse" else "at_least"
    gates = [GateSpec(metric=metric, **{key: threshold})]
    finding = only(run(honest(2, 200, classes), gates=gates), "TOO-FEW-ROWS")
    assert (finding.severity, finding.where) == ("warning", metric)
    assert finding.evidence["half_width"] > finding.evidence["half_width_wanted"]
    needed = finding.evidence["test_rows_needed"]
    enough = run(honest(2, needed * 6, classes), gates=gates)
    assert "TOO-FEW-ROWS" not in codes(enough)


def test_the_half_width_is_that_of_a_proportion(run, honest, only):
    gates = [GateSpec(metric="accuracy", at_least=0.8)]
    finding = only(run(honest(2, 250), gates=gates), "TOO-FEW-ROWS")
    assert finding.evidence["half_width"] == pytest.approx(1.96 * (0.8 * 0.2 / 50) ** 0.5, rel=1e-4)


def test_gates_without_a_known_width_are_left_alone(run, honest, codes):
    gates = [
        GateSpec(metric="latency_p99", at_most=10),
        GateSpec(metric="accuracy", beats="baseline"),
    ]
    assert "TOO-FEW-ROWS" not in codes(run(honest(2, 200), gates=gates))


def test_numbers_have_no_positives_to_count(run, honest, codes):
    """A target of zero is a number like any other, also when all test rows have it."""
    parts = np.repeat(np.array([0, 1, -1], np.int8), 200)
    zero = pl.when(pl.int_range(pl.len()) >= 400).then(0.0).otherwise(pl.col("y")).alias("y")
    gates = [GateSpec(metric="r2", at_least=0.99), GateSpec(metric="mae", at_most=1)]
    assert "TOO-FEW-ROWS" not in codes(
        run(honest(0, 600, 0).with_columns(zero), parts=parts, gates=gates[:1])
    )
    found = run(honest(0, 600, 0), parts=parts, gates=gates)
    zeros = run(honest(0, 600, 0).with_columns(zero), parts=parts, gates=gates)
    assert codes(found) == codes(zeros)
