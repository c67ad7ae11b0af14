"""Our formulas against scikit-learn's, ties and absent classes included."""

import warnings

import numpy as np
import pytest
from sklearn import metrics as oracle

from assay.errors import DataError
from assay.kernel.family import Predictions
from assay.metrics import METRICS, get, names_for
from assay.metrics.weighted import Rows, Weighted

IN_SCIKIT_LEARN = [n for n in names_for("binary") if not METRICS[n].operational and n != "ece"]


def binary(seed, n=300, ties=False, rate=0.3):
    rng = np.random.default_rng(seed)
    truth = (rng.random(n) < rate).astype(np.int64)
    truth[:2] = (0, 1)
    score = 1 / (1 + np.exp(-(rng.normal(size=n) + 1.5 * truth - 1)))
    score = score.round(1) if ties else score
    return truth, score


def sklearn_binary(name, truth, score, positive):
    y = (truth == positive).astype(int)
    label = (score >= 0.5).astype(int)
    return {
        "roc_auc": lambda: oracle.roc_auc_score(y, score),
        "average_precision": lambda: oracle.average_precision_score(y, score),
        "accuracy": lambda: oracle.accuracy_score(y, label),
        "balanced_accuracy": lambda: oracle.balanced_accuracy_score(y, label),
        "precision": lambda: oracle.precision_score(y, label, zero_division=0),
        "recall": lambda: oracle.recall_score(y, label),
        "specificity": lambda: oracle.recall_score(y, label, pos_label=0),
        "f1": lambda: oracle.f1_score(y, label, zero_division=0),
        "mcc": lambda: oracle.matthews_corrcoef(y, label),
        "log_loss": lambda: oracle.log_loss(y, score, labels=[0, 1]),
        "brier": lambda: oracle.brier_score_loss(y, score),
    }[name]()


@pytest.mark.parametrize("name", IN_SCIKIT_LEARN)
@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("positive", [0, 1])
def test_binary_metrics_agree_with_scikit_learn(name, ties, positive):
    for seed in range(5):
        truth, score = binary(seed, ties=ties)
        truth = truth if positive else 1 - truth
        values = np.column_stack([1 - score, score] if positive else [score, 1 - score])
        ours = get(name).compute(truth, Predictions(values), positive)
        assert ours == pytest.approx(sklearn_binary(name, truth, score, positive), abs=1e-12)


@pytest.mark.parametrize("absent", [False, True])
def test_multiclass_metrics_agree_with_scikit_learn(absent):
    rng = np.random.default_rng(3)
    n, k = 400, 4
    truth = rng.integers(0, k - absent, n)
    logits = rng.normal(size=(n, k)) + 1.5 * np.eye(k)[truth]
    logits = logits.round(0)
    values = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    answers = Predictions(values)
    labels = answers.codes()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scikit-learn warns about the absent class
        expected = {
            "accuracy": oracle.accuracy_score(truth, labels),
            "balanced_accuracy": oracle.balanced_accuracy_score(truth, labels),
            "f1_macro": oracle.f1_score(truth, labels, average="macro"),
            "f1_weighted": oracle.f1_score(truth, labels, average="weighted"),
            "mcc": oracle.matthews_corrcoef(truth, labels),
            "log_loss": oracle.log_loss(truth, values, labels=range(k)),
        }
    if not absent:
        expected["roc_auc_ovr"] = oracle.roc_auc_score(truth, values, multi_class="ovr")
    for name, value in expected.items():
        assert get(name).compute(truth, answers) == pytest.approx(value, abs=1e-12), name


@pytest.mark.parametrize("n", [2, 101, 300])
def test_regression_metrics_agree_with_scikit_learn(n):
    rng = np.random.default_rng(n)
    truth = rng.lognormal(size=n) * 1000
    guess = truth + rng.normal(size=n) * 200
    expected = {
        "rmse": oracle.root_mean_squared_error(truth, guess),
        "mae": oracle.mean_absolute_error(truth, guess),
        "median_ae": oracle.median_absolute_error(truth, guess),
        "r2": oracle.r2_score(truth, guess),
        "mape": oracle.mean_absolute_percentage_error(truth, guess),
    }
    for name, value in expected.items():
        assert get(name).compute(truth, Predictions(guess)) == pytest.approx(value, rel=1e-12), name


def test_calibration_error_is_the_mean_gap_of_the_bins():
    score = np.array([0.0, 0.05, 0.5, 0.51, 1.0])
    truth = np.array([0, 1, 1, 0, 1])
    ours = get("ece").compute(truth, Predictions(np.column_stack([1 - score, score])), 1)
    assert ours == pytest.approx((abs(0.05 - 1) + abs(1.01 - 1) + 0) / 5)


@pytest.mark.parametrize("name", [n for n, m in METRICS.items() if not m.operational])
def test_a_weight_of_two_is_the_row_twice(name):
    metric = METRICS[name]
    rng = np.random.default_rng(11)
    n = 60
    weights = rng.integers(1, 4, n)
    if "regression" in metric.tasks:
        truth, values = rng.normal(size=n), rng.normal(size=n)
    else:
        k = 2 if "binary" in metric.tasks else 3
        truth, values = rng.integers(0, k, n), rng.dirichlet(np.ones(k), n).round(2)
    rows = Rows(truth, values, 0)
    weighted = metric.values(Weighted(rows, np.stack([weights, np.ones(n)]).astype(float)))
    repeated = rows.take(np.repeat(np.arange(n), weights))
    twice = metric.values(Weighted(repeated, np.ones((1, repeated.n))))
    assert weighted[0] == pytest.approx(twice[0], abs=1e-12)
    assert weighted[1] == pytest.approx(metric.values(Weighted(rows, np.ones((1, n))))[0])


@pytest.mark.parametrize(
    ("name", "truth", "values", "why"),
    [
        ("roc_auc", [1, 1], [[0.5, 0.5]] * 2, "only one class"),
        ("recall", [0, 0], [[0.5, 0.5]] * 2, "no row is of the positive class"),
        ("specificity", [1, 1], [[0.5, 0.5]] * 2, "every row is of the positive class"),
        ("roc_auc_ovr", [0, 1], [[0.2, 0.3, 0.5]] * 2, "not every class occurs"),
        ("mape", [0.0, 1.0], [1.0, 1.0], "zero"),
        ("r2", [2.0, 2.0], [1.0, 1.0], "equal"),
        ("mae", [], [], "no rows"),
        ("mae", [1.0, 2.0], [1.0, float("nan")], "not a finite number"),
        ("accuracy", [1, 0], [[0.5, 0.5], [float("nan"), 0.1]], "not a finite number"),
    ],
)
def test_a_metric_without_meaning_says_why(name, truth, values, why):
    with pytest.raises(DataError, match=why) as caught:
        get(name).compute(np.array(truth), Predictions(np.array(values)), 1)
    assert caught.value.code == "METRIC-UNDEFINED"


def test_a_measured_metric_has_no_value_on_predictions():
    with pytest.raises(DataError) as caught:
        get("latency_p99").compute(np.array([0, 1]), Predictions(np.full((2, 2), 0.5)))
    assert caught.value.code == "METRIC-MEASURED"
