from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from scipy.special import expit, logit

from assay.kernel.family import Predictions
from assay.metrics.operate import (
    answer_sets,
    answer_spans,
    calibrated,
    group_words,
    log_odds,
    operate,
    tempered,
    two_classes,
)
from assay.records.fitted import Operating

SCORE = np.array([0.0, 0.001, 0.2, 0.5, 0.7, 0.999, 1.0])
FRAME = pl.DataFrame({"sex": ["a", "b", None, "a", "b", "c", "a"]})


def test_nothing_chosen_changes_nothing():
    given = Predictions(two_classes(SCORE, 1), ("n", "y"))
    found = operate(Operating(), given, FRAME, 1)
    assert found.values is given.values
    assert found.codes(1).tolist() == given.codes(1).tolist()


def test_numbers_stay_as_they_are():
    given = Predictions(np.array([1.0, -2.0]))
    assert operate(Operating(), given, FRAME.head(2), 0).values is given.values


@pytest.mark.parametrize("code", [0, 1])
def test_platt_is_a_line_on_the_log_odds_of_the_positive_class(code):
    point = Operating(calibration="platt", params=(2.0, -1.0))
    found = calibrated(point, two_classes(SCORE, code), code)
    inner = slice(1, -1)
    assert found[inner, code] == pytest.approx(expit(2 * logit(SCORE[inner]) - 1))
    assert found.sum(axis=1) == pytest.approx(1)
    assert np.isfinite(found).all()


def test_a_temperature_divides_the_log_odds_and_one_changes_nothing():
    values = np.random.default_rng(0).dirichlet([1, 2, 3], 50)
    assert tempered(values, 1.0) == pytest.approx(values)
    warm = tempered(values, 2.0)
    ratio = np.log(warm[:, 0] / warm[:, 1])
    assert ratio == pytest.approx(np.log(values[:, 0] / values[:, 1]) / 2)
    two = tempered(two_classes(SCORE[1:-1], 1), 2.0)[:, 1]
    assert two == pytest.approx(expit(logit(SCORE[1:-1]) / 2))


def test_isotonic_interpolates_each_class_and_adds_up_to_one():
    knots = (((0.0, 1.0), (0.1, 0.9)), ((0.0, 0.5, 1.0), (0.0, 0.2, 1.0)))
    found = calibrated(Operating(calibration="isotonic", knots=knots), two_classes(SCORE, 1), 1)
    first, second = 0.9 - 0.8 * 0.2, 0.2 * 0.2 / 0.5
    assert found[2, 1] == pytest.approx(second / (first + second))
    assert found.sum(axis=1) == pytest.approx(1)
    assert (np.diff(found[:, 1]) > 0).all()


def test_each_group_has_its_threshold_and_an_unknown_one_the_common():
    point = Operating(threshold=0.6, group="sex", thresholds={"a": 0.1, "(missing)": 0.2})
    given = Predictions(two_classes(np.full(7, 0.4), 1), ("n", "y"))
    found = operate(point, given, FRAME, 1)
    assert found.threshold.tolist() == [0.1, 0.6, 0.2, 0.1, 0.6, 0.6, 0.1]
    assert found.codes(1).tolist() == [1, 0, 1, 1, 0, 0, 1]


def test_a_column_of_many_classes_ignores_thresholds():
    values = np.array([[0.2, 0.5, 0.3], [0.6, 0.2, 0.2]])
    found = operate(Operating(threshold=0.9), Predictions(values, ("a", "b", "c")), FRAME, 0)
    assert found.codes().tolist() == [1, 0]


def test_groups_read_the_same_whatever_type_a_whole_number_has():
    for series in (pl.Series([1, 0, None]), pl.Series([1.0, 0.0, float("nan")])):
        assert group_words(series).tolist() == ["1", "0", "(missing)"]
    assert group_words(pl.Series([True, None])).tolist() == ["true", "(missing)"]


def test_sets_hold_what_is_likely_enough_and_are_never_empty():
    given = Predictions(np.array([[0.5, 0.3, 0.2], [0.35, 0.34, 0.31], [0.9, 0.05, 0.05]]))
    found = answer_sets(Operating(margin=0.7), given)
    assert found.tolist() == [[True, True, False], [True, True, True], [True, False, False]]
    assert answer_sets(Operating(margin=0.05), given).sum(axis=1).tolist() == [1, 1, 1]
    assert answer_sets(Operating(), given).all()


def test_spans_reach_the_margin_to_either_side():
    low, high = answer_spans(Operating(margin=2.0), Predictions(np.array([1.0, 5.0])))
    assert low.tolist() == [-1, 3]
    assert high.tolist() == [3, 7]
    assert np.isinf(answer_spans(Operating(), Predictions(np.array([1.0])))[1]).all()


def test_log_odds_are_finite_at_the_ends():
    assert np.isfinite(log_odds(SCORE)).all()
