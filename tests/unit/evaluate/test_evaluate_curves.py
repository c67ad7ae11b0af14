"""Plots: what they hold, their size, and that they say what the rows say."""

import numpy as np
import pytest
from sklearn import metrics as oracle

from assay.evaluate import curves, learning_curve
from assay.evaluate.curves import POINTS, SAMPLED
from assay.kernel.family import Predictions
from assay.metrics import get
from assay.records.base import from_json, to_json
from assay.records.report import Curve
from assay.records.snapshot import Problem


def problem(classes=("no", "yes"), positive="yes"):
    task = "binary" if positive else "multiclass" if classes else "regression"
    return Problem(
        family="f", task=task, target="t", classes=classes, positive=positive, primary="accuracy"
    )


def drawn(binary, n=3000):
    truth, answers = binary(n)
    prior = Predictions(np.tile([0.7, 0.3], (n, 1)))
    found = curves(problem(), truth, answers, prior)
    return truth, answers.values[:, 1], {curve.kind: curve for curve in found}


def test_two_classes_get_all_their_plots_as_plain_json(binary):
    _, _, found = drawn(binary)
    assert set(found) == {
        "roc", "precision_recall", "calibration", "score_histogram", "confusion"
    }  # fmt: skip
    for curve in found.values():
        assert from_json(to_json(curve), Curve) == curve


@pytest.mark.parametrize("kind", ["roc", "precision_recall"])
def test_thinned_lines_keep_ends_and_area(binary, kind):
    truth, score, found = drawn(binary)
    data = found[kind].data
    assert len(data["x"]) == len(data["y"]) <= POINTS
    assert data["x"][0] == 0
    assert data["x"][-1] == 1
    area = np.trapezoid(data["y"], data["x"])
    if kind == "roc":
        assert area == pytest.approx(oracle.roc_auc_score(truth, score), abs=0.002)
        assert (data["baseline_x"], data["baseline_y"]) == ([0, 1], [0, 1])
    else:
        assert area == pytest.approx(oracle.average_precision_score(truth, score), abs=0.01)
        assert data["baseline_y"][0] == pytest.approx(truth.mean(), rel=1e-4)


def test_calibration_bins_hold_every_row(binary):
    truth, score, found = drawn(binary)
    data = found["calibration"].data
    assert sum(data["count"]) == len(truth)
    assert len(data["count"]) == 10
    assert np.average(data["predicted"], weights=data["count"]) == pytest.approx(
        score.mean(), rel=1e-4
    )
    for observed, low, high in zip(data["observed"], data["low"], data["high"], strict=True):
        assert 0 <= low <= observed + 1e-5
        assert observed - 1e-5 <= high <= 1


def test_a_constant_score_has_one_calibration_bin():
    truth = np.array([0, 1, 1, 0])
    same = Predictions(np.full((4, 2), 0.5))
    found = {c.kind: c for c in curves(problem(), truth, same, same)}
    assert found["calibration"].data["count"] == [4]
    assert found["calibration"].data["observed"] == [0.5]


def test_confusion_and_histogram_count_by_actual_class(binary):
    truth, score, found = drawn(binary)
    expected = oracle.confusion_matrix(truth, score >= 0.5)
    assert found["confusion"].data["counts"] == expected.tolist()
    series = found["score_histogram"].data["series"]
    assert {name: sum(counts) for name, counts in series.items()} == {
        "no": int((truth == 0).sum()),
        "yes": int((truth == 1).sum()),
    }


def test_one_class_in_the_rows_leaves_out_what_it_cannot_give():
    truth = np.zeros(20, dtype=np.int64)
    answers = Predictions(np.tile([0.9, 0.1], (20, 1)))
    kinds = [curve.kind for curve in curves(problem(), truth, answers, answers)]
    assert kinds == ["calibration", "score_histogram", "confusion"]


def test_many_classes_are_folded_into_the_confusion_matrix():
    rng = np.random.default_rng(0)
    names = tuple(f"c{i:03d}" for i in range(100))
    truth = rng.zipf(1.5, 2000) % 100
    answers = Predictions(rng.dirichlet(np.ones(100), 2000))
    found = {c.kind: c for c in curves(problem(names, None), truth, answers, answers)}
    data = found["confusion"].data
    assert set(found) == {"calibration", "confusion"}
    assert len(data["classes"]) == len(data["counts"]) == 30
    assert data["classes"][-1] == "(other)"
    assert np.sum(data["counts"]) == 2000
    assert "71 rarest" in found["confusion"].note


def test_numbers_are_sampled_and_their_residuals_counted(number):
    truth, answers = number(5000)
    found = {c.kind: c for c in curves(problem((), None), truth, answers, answers)}
    again = {c.kind: c for c in curves(problem((), None), truth, answers, answers)}
    assert found == again
    actual = found["predicted_actual"].data
    assert len(actual["actual"]) == len(actual["predicted"]) == SAMPLED
    residuals = found["residuals"].data
    assert sum(residuals["counts"]) == 5000
    assert len(residuals["edges"]) == len(residuals["counts"]) + 1
    shown = np.subtract(actual["actual"], actual["predicted"])
    assert residuals["residual"] == pytest.approx(shown, abs=1e-3)


def test_perfect_numbers_can_be_drawn():
    truth = np.arange(5.0)
    found = {
        c.kind: c for c in curves(problem((), None), truth, Predictions(truth), Predictions(truth))
    }
    assert sum(found["residuals"].data["counts"]) == 5


def test_learning_curve_names_its_metric():
    curve = learning_curve([10, 20], [0.9, 0.95], [0.7, 0.8], get("roc_auc"))
    assert curve.data == {"rows": [10, 20], "train": [0.9, 0.95], "valid": [0.7, 0.8]}
    assert "ROC-AUC" in curve.title
