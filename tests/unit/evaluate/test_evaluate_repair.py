from __future__ import annotations

import numpy as np
import pytest
from operate_cases import scores
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from assay.evaluate.answers.repair import choose_repair, fit_repair
from assay.metrics.operate import calibrated, log_odds

FOLDS = np.arange(20_000) % 5


def chosen(n, seed=0, wish="auto", **wrong):
    truth, values = scores(n, seed, **wrong)
    return choose_repair(wish, values, truth, FOLDS[:n], 1)


def test_right_probabilities_are_mostly_left_alone():
    kept = [chosen(2_000, seed).calibration for seed in range(40)]
    assert kept.count("none") >= 36


@pytest.mark.parametrize("n", [600, 6_000])
def test_too_sure_takes_a_temperature_and_it_is_found(n):
    point = chosen(n, slope=2.5)
    assert point.calibration == "temperature"
    assert point.params[0] == pytest.approx(2.5, rel=0.25)
    assert "temperature" in point.why


def test_a_shift_takes_platt_and_the_line_is_found():
    point = chosen(8_000, slope=0.5, shift=0.6)
    assert point.calibration == "platt"
    assert point.params == pytest.approx((2.0, -1.2), abs=0.15)


def test_what_no_line_mends_takes_steps_if_rows_are_enough():
    truth, values = scores(20_000)
    bent = np.clip(values[:, 1] ** 3 + 0.3 * (values[:, 1] > 0.5), 0, 1)
    bent = np.column_stack([1 - bent, bent])
    assert choose_repair("auto", bent, truth, FOLDS, 1).calibration == "isotonic"
    some = slice(0, 900)
    assert choose_repair("auto", bent[some], truth[some], FOLDS[some], 1).calibration != "isotonic"


def test_one_fold_alone_is_cut_into_parts():
    truth, values = scores(3_000, slope=2.5)
    point = choose_repair("auto", values, truth, np.zeros(3_000, dtype=np.int64), 1)
    assert point.calibration == "temperature"


@pytest.mark.parametrize("wish", ["none", "platt", "isotonic", "temperature"])
def test_a_wish_is_granted(wish):
    assert chosen(300, wish=wish).calibration == wish


def test_platt_is_a_logistic_regression_on_the_log_odds():
    truth, values = scores(5_000, slope=2.0, shift=0.5)
    slope, intercept = fit_repair("platt", values, truth, 1).params
    oracle = LogisticRegression(C=1e9, tol=1e-10, max_iter=1000)
    oracle.fit(log_odds(values[:, 1])[:, None], truth)
    assert (slope, intercept) == pytest.approx((oracle.coef_[0, 0], oracle.intercept_[0]), abs=5e-3)


def test_isotonic_is_near_to_that_of_scikit_learn_and_keeps_the_order():
    truth, values = scores(5_000, slope=2.0)
    point = fit_repair("isotonic", values, truth, 1)
    found = calibrated(point, values, 1)[:, 1]
    oracle = IsotonicRegression(y_min=0, y_max=1).fit(values[:, 1], truth).predict(values[:, 1])
    assert np.abs(found - oracle).mean() < 0.02
    order = np.argsort(values[:, 1])
    assert (np.diff(found[order]) > 0).all()
    assert 0 < found.min() < found.max() < 1


def test_separable_rows_have_a_finite_line():
    truth = np.repeat([0, 1], 50)
    values = np.column_stack([1 - truth, truth]).astype(float)
    slope, intercept = fit_repair("platt", values, truth, 1).params
    assert np.isfinite([slope, intercept]).all()
    assert slope > 0


def test_many_classes_take_a_temperature():
    rng = np.random.default_rng(0)
    values = rng.dirichlet([1, 1, 1, 1], 4_000)
    truth = np.array([rng.choice(4, p=row) for row in values])
    sure = values**3 / (values**3).sum(axis=1, keepdims=True)
    point = choose_repair("auto", sure, truth, FOLDS[:4_000], 0)
    assert point.calibration == "temperature"
    assert point.params[0] == pytest.approx(3.0, rel=0.1)
    assert calibrated(point, sure, 0) == pytest.approx(values, abs=0.08)
    steps = fit_repair("isotonic", sure, truth, 0)
    assert calibrated(steps, sure, 0).sum(axis=1) == pytest.approx(1)


@pytest.mark.parametrize("wish", ["auto", "platt", "isotonic", "temperature"])
def test_one_class_alone_teaches_nothing(wish):
    values = np.full((30, 2), 0.5)
    point = choose_repair(wish, values, np.zeros(30, dtype=np.int64), FOLDS[:30], 1)
    assert point.calibration == "none"


def test_isotonic_takes_scores_of_nothing_and_of_all_for_what_they_are_worth():
    """A forest says 0 and 1 to many rows: 12 % of the one and 85 % of the other are positive."""
    score = np.repeat([0.0, 0.4, 1.0], 1_000)
    truth = np.concatenate([np.arange(1_000) % 100 < share for share in (12, 40, 85)])
    values = np.column_stack([1 - score, score])
    found = calibrated(fit_repair("isotonic", values, truth.astype(np.int64), 1), values, 1)
    assert found[::1_000, 1] == pytest.approx([0.12, 0.40, 0.85], abs=1e-9)
    assert found.sum(axis=1) == pytest.approx(1)
