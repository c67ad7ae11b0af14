"""Paired comparison: direction, pairing, significance, ends."""

import numpy as np
import pytest
from scipy import stats
from scipy.signal import lfilter

from assay.errors import DataError
from assay.evaluate.compare import compare, compare_all, holm
from assay.kernel.family import Predictions
from assay.metrics import get


def two(positive):
    return Predictions(np.column_stack([1 - positive, positive]))


def rivals(n, seed, gain=1.0):
    """Two models whose noise is mostly shared; the first has `gain` times the signal."""
    rng = np.random.default_rng(seed)
    truth = (rng.random(n) < 0.4).astype(np.int64)
    truth[:2] = (0, 1)
    shared, one, other = rng.normal(size=(3, n))
    scores = (gain * truth + 0.9 * shared + 0.4 * one, truth + 0.9 * shared + 0.4 * other)
    return truth, *(two(1 / (1 + np.exp(-(s - 0.5)))) for s in scores)


@pytest.mark.parametrize("name", ["roc_auc", "accuracy", "f1", "log_loss", "average_precision"])
def test_equally_good_models_are_told_apart_about_one_time_in_twenty(name):
    told = covered = 0
    for seed in range(120):
        result = compare(get(name), *rivals(150, seed), positive_code=1, replicates=200)
        told += result.p_value < 0.05
        covered += result.difference.low <= 0 <= result.difference.high
    assert told <= 14
    assert covered >= 106


@pytest.mark.parametrize("name", ["roc_auc", "f1", "log_loss", "brier", "average_precision"])
def test_a_better_champion_counts_up_whatever_the_direction(name):
    truth, good, poor = rivals(600, 1, gain=2.5)
    won = compare(get(name), truth, good, poor, names=("a", "b"), positive_code=1)
    lost = compare(get(name), truth, poor, good, positive_code=1)
    assert 0 < won.difference.low <= won.difference.value <= won.difference.high
    assert won.p_value < 0.01
    assert (won.champion, won.baseline, won.metric) == ("a", "b", name)
    assert lost.difference.value == pytest.approx(-won.difference.value)
    assert lost.difference.low == pytest.approx(-won.difference.high, rel=0.1)


def test_pairing_makes_the_interval_narrower():
    truth, one, other = rivals(500, 2)
    paired = compare(get("roc_auc"), truth, one, other, positive_code=1).difference
    rng = np.random.default_rng(0)
    mixed = np.arange(500)
    for code in (0, 1):  # breaks the pairing, keeps both areas
        mixed[truth == code] = rng.permutation(mixed[truth == code])
    broken = compare(get("roc_auc"), truth, one, Predictions(other.values[mixed]), positive_code=1)
    assert broken.difference.value == pytest.approx(paired.value)
    assert paired.high - paired.low < 0.6 * (broken.difference.high - broken.difference.low)


def test_accuracy_takes_mcnemars_mid_p():
    truth, one, other = rivals(300, 3, gain=2)
    right = [(answers.codes(1) == truth) for answers in (one, other)]
    only = int((right[0] & ~right[1]).sum()), int((right[1] & ~right[0]).sum())
    exact = stats.binomtest(min(only), sum(only)).pvalue
    found = compare(get("accuracy"), truth, one, other, positive_code=1)
    assert found.p_value == pytest.approx(exact - stats.binom(sum(only), 0.5).pmf(min(only)))


def test_a_mean_of_losses_is_compared_by_the_paired_t_test():
    truth, one, other = rivals(2_000, 8, gain=1.2)
    loss = [-np.log(answers.values[np.arange(2_000), truth]) for answers in (one, other)]
    expected = stats.ttest_rel(*loss)
    found = compare(get("log_loss"), truth, one, other, positive_code=1)
    assert found.p_value == pytest.approx(expected.pvalue, rel=0.01)
    low, high = expected.confidence_interval()
    assert (found.difference.low, found.difference.high) == pytest.approx((-high, -low), rel=0.001)


def test_another_threshold_makes_other_labels():
    truth, one, _ = rivals(200, 9)
    moved = Predictions(one.values, threshold=0.3)
    found = compare(get("recall"), truth, moved, one, positive_code=1)
    assert found.difference.value > 0
    assert found.p_value < 0.05


def test_all_metrics_are_compared_with_one_allowance():
    truth, one, other = rivals(300, 10, gain=1.3)
    metrics = [get(name) for name in ("roc_auc", "f1", "log_loss", "latency_p99")]
    found = compare_all(metrics, truth, one, other, against="champion", positive_code=1)
    assert [c.metric for c in found] == ["roc_auc", "f1", "log_loss"]
    assert {c.against for c in found} == {"champion"}
    p_values = sorted((c.p_value, c.p_adjusted) for c in found)
    assert p_values[0][1] == pytest.approx(min(1, 3 * p_values[0][0]))
    assert all(adjusted >= p for p, adjusted in p_values)
    one_class = np.ones(10, dtype=np.int64)
    few = compare_all(metrics, one_class, two(np.full(10, 0.6)), two(np.full(10, 0.4)))
    assert [c.metric for c in few] == ["log_loss"]
    assert compare_all([], truth, one, other) == ()


def test_holm_is_the_published_example():
    # Holm 1979: sorted p times the number not yet rejected, never falling.
    assert holm([0.01, 0.04, 0.03, 0.005]).tolist() == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]).tolist() == []


def test_lasting_errors_widen_a_difference_in_time():
    rng = np.random.default_rng(11)
    truth = 10 + rng.normal(size=900)
    drift = lfilter([1], [1, -0.9], rng.normal(size=900))
    models = Predictions(truth + drift), Predictions(truth + rng.normal(size=900) * 2)
    naive = compare(get("mae"), truth, *models).difference
    honest = compare(get("mae"), truth, *models, times=np.arange(900)).difference
    assert honest.method.endswith("by blocks of time")
    assert honest.high - honest.low > 1.3 * (naive.high - naive.low)


def test_the_same_predictions_do_not_differ():
    truth, one, _ = rivals(100, 4)
    result = compare(get("roc_auc"), truth, one, one, positive_code=1)
    assert (result.difference.low, result.difference.value, result.difference.high) == (0, 0, 0)
    assert result.p_value == 1


@pytest.mark.parametrize("name", ["roc_auc", "accuracy", "balanced_accuracy", "f1"])
def test_perfect_against_constant_keeps_doubt_on_few_rows(name):
    truth = np.array([0, 1] * 10)
    perfect, constant = two(truth.astype(float)), two(np.full(20, 0.4))
    result = compare(get(name), truth, perfect, constant, positive_code=1)
    d = result.difference
    assert 0 < d.low < d.value <= d.high
    assert d.value - d.low > 0.02
    assert 0 < result.p_value < 0.05


def test_numbers_are_compared_and_repeat():
    rng = np.random.default_rng(5)
    truth = rng.normal(size=400)
    good, poor = (Predictions(truth + noise * rng.normal(size=400)) for noise in (0.5, 1.0))
    one = compare(get("rmse"), truth, good, poor, seed=3)
    assert one == compare(get("rmse"), truth, good, poor, seed=3)
    assert one.difference.low > 0.3
    assert one.p_value < 0.01


@pytest.mark.parametrize("name", ["roc_auc", "accuracy", "log_loss"])
def test_groups_widen_the_difference(name):
    truth, one, other = rivals(60, 6, gain=1.1)
    repeat = [np.repeat(x, 10, axis=0) for x in (truth, one.values, other.values)]
    answers = Predictions(repeat[1]), Predictions(repeat[2])
    groups = np.repeat(np.arange(60), 10)
    naive = compare(get(name), repeat[0], *answers, positive_code=1)
    honest = compare(get(name), repeat[0], *answers, positive_code=1, groups=groups)
    widths = [c.difference.high - c.difference.low for c in (honest, naive)]
    assert widths[0] > 2 * widths[1]
    assert honest.p_value > naive.p_value


def test_one_class_cannot_be_compared():
    truth = np.ones(10, dtype=np.int64)
    with pytest.raises(DataError, match="only one class"):
        compare(get("roc_auc"), truth, two(np.full(10, 0.5)), two(np.full(10, 0.4)))
