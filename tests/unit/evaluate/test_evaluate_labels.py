"""Planted wrong labels are counted and found; overlap between classes is not taken for them."""

from __future__ import annotations

from functools import cache
from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from assay.evaluate.labels.noise import confident_joint, label_noise, margins, number_noise
from assay.evaluate.labels.suspects import examine
from assay.kernel.family import Predictions


def flipped(labels, rate, size, seed=0):
    """Return the labels with a share of them changed to any other class, and which."""
    rng = np.random.default_rng(seed)
    wrong = rng.permutation(len(labels)) < round(rate * len(labels))
    return np.where(wrong, (labels + rng.integers(1, size, len(labels))) % size, labels), wrong


@cache
def real(name, rate):
    """Return a table's labels with some flipped, which, and their predictions out of fold."""
    data = {"digits": load_digits, "breast cancer": load_breast_cancer}[name]()
    given, wrong = flipped(data.target.astype(np.int64), rate, len(data.target_names))
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=500))
    values = cross_val_predict(model, data.data, given, method="predict_proba", cv=5)
    values.flags.writeable = False
    return given, wrong, values


TABLES = pytest.mark.parametrize("name", ["digits", "breast cancer"])


@TABLES
@pytest.mark.parametrize("rate", [0.0, 0.05, 0.1, 0.2])
def test_the_rate_on_real_tables(name, rate):
    given, wrong, values = real(name, rate)
    noise = label_noise(given, values)
    assert abs(noise.rate.value - wrong.mean()) <= 0.03
    assert noise.rate.low - 0.005 <= wrong.mean() <= noise.rate.high
    if rate:
        worst = np.argsort(-noise.suspicion)[:20]
        assert wrong[worst].mean() >= 0.8


def two_classes(rows, spread, rng):
    """Return labels of two normal classes and the true probabilities of the second."""
    labels = rng.integers(0, 2, rows)
    score = rng.normal(spread * (labels - 0.5))
    return labels, 1 / (1 + np.exp(-spread * score))


@pytest.mark.parametrize("rate", [0.0, 0.05, 0.1, 0.2])
def test_overlap_is_no_noise(rate):
    """The best model is wrong in 7 % of clean rows; the confident joint takes some for noise."""
    rng = np.random.default_rng(1)
    labels, chance = two_classes(40_000, 3, rng)
    given, wrong = flipped(labels, rate, 2, seed=2)
    noisy = (1 - 2 * rate) * chance + rate
    probabilities = np.column_stack([1 - noisy, noisy])
    noise = label_noise(given, probabilities)
    assert abs(noise.rate.value - wrong.mean()) <= 0.015
    assert noise.rate.low <= wrong.mean() + 0.003
    assert noise.rate.high >= wrong.mean() - 0.003
    joint = confident_joint(given, probabilities)
    assert 1 - np.trace(joint) / joint.sum() > wrong.mean() + 0.015


def test_noise_of_one_class_only():
    rng = np.random.default_rng(3)
    labels, chance = two_classes(20_000, 5, rng)
    wrong = (labels == 1) & (rng.random(len(labels)) < 0.3)
    noisy = 0.7 * chance
    noise = label_noise(np.where(wrong, 0, labels), np.column_stack([1 - noisy, noisy]))
    zero, one = noise.classes
    assert abs(noise.rate.value - wrong.mean()) <= 0.03
    assert zero.rate < 0.02
    assert one.low <= 0.3 <= one.high
    given = np.where(wrong, 0, labels)
    worst = np.argsort(-noise.suspicion)[:100]
    by_margin = np.argsort(-margins(given, np.column_stack([1 - noisy, noisy])))[:100]
    assert wrong[worst].mean() >= 0.8 > wrong[by_margin].mean()


def test_classes_that_overlap_everywhere_settle_nothing():
    rng = np.random.default_rng(4)
    labels, chance = two_classes(4_000, 0.8, rng)
    noise = label_noise(labels, np.column_stack([1 - chance, chance]))
    assert noise.settled < 0.5
    assert noise.rate.low == 0


@TABLES
def test_the_order_decides_and_not_the_calibration(name):
    given, _, probabilities = real(name, 0.1)
    sharper = probabilities**3 / (probabilities**3).sum(axis=1, keepdims=True)
    one, two = (label_noise(given, p).rate.value for p in (probabilities, sharper))
    assert one == pytest.approx(two, abs=0.01)


def test_the_confident_joint_by_hand():
    given = np.array([0, 0, 0, 1, 1, 1])
    second = np.array([0.1, 0.2, 0.9, 0.8, 0.9, 0.2])
    joint = confident_joint(given, np.column_stack([1 - second, second]))
    # thresholds 0.6 and 0.633: rows 1, 2 and 6 are sure of the first class, the others of the other
    assert joint.tolist() == [[2, 1], [1, 2]]


def test_margins_by_hand():
    probabilities = np.array([[0.7, 0.2, 0.1], [0.7, 0.2, 0.1], [0.1, 0.45, 0.45]])
    assert margins(np.array([0, 1, 2]), probabilities) == pytest.approx([-0.5, 0.5, 0.0])


@TABLES
def test_against_cleanlab(name):
    reason = "cleanlab, the oracle, is not installed"
    count = pytest.importorskip("cleanlab.count", reason=reason)
    rank = pytest.importorskip("cleanlab.rank", reason=reason)
    given, _, probabilities = real(name, 0.1)
    theirs = count.compute_confident_joint(given, probabilities, calibrate=True)
    assert np.abs(confident_joint(given, probabilities) - theirs).max() <= 1
    quality = rank.get_normalized_margin_for_each_label(given, probabilities)
    assert (1 - margins(given, probabilities)) / 2 == pytest.approx(quality)


def smooth(rows, noise, rng):
    signal = rng.gamma(3, size=rows)
    return signal + noise * rng.standard_t(3, rows), signal


@pytest.mark.parametrize("rate", [0.0, 0.05, 0.1, 0.2])
def test_numbers_of_other_rows(rate):
    rng = np.random.default_rng(5)
    truth, signal = smooth(20_000, 0.15, rng)
    wrong = rng.random(len(truth)) < rate
    noise = number_noise(np.where(wrong, rng.permutation(truth), truth), signal)
    assert abs(noise.rate.value - wrong.mean()) <= 0.03
    assert noise.settled == 1
    if rate:
        assert wrong[np.argsort(-noise.suspicion)[:100]].mean() >= 0.8


def test_numbers_that_are_hard_to_predict_settle_nothing():
    data = load_diabetes()
    predicted = cross_val_predict(Ridge(), data.data, data.target, cv=5)
    noise = number_noise(data.target, predicted)
    assert (noise.settled, noise.rate.low) == (0, 0)


def test_marks_that_are_hard_to_predict_settle_nothing():
    """Most marks are 5 or 6, so the median prediction is close although little is explained."""
    rng = np.random.default_rng(8)
    signal = rng.normal(5.6, 0.4, 5_000)
    noise = number_noise(np.round(signal + rng.normal(0, 0.6, 5_000)), signal)
    assert (noise.settled, noise.rate.low) == (0, 0)


def case_of(truth, values, classes=(), places=None):
    """Return the part of a case that is read: the training rows and their predictions."""
    places = np.arange(len(truth)) if places is None else places
    return SimpleNamespace(
        problem=SimpleNamespace(classes=classes),
        train=SimpleNamespace(truth=truth, places=places),
        oof=Predictions(values, classes),
        seed=0,
    )


@TABLES
def test_the_examination_names_rows_of_the_file(name):
    given, wrong, values = real(name, 0.1)
    places = np.random.default_rng(0).permutation(5_000)[: len(given)]
    probabilities = values.copy()
    probabilities[:7] = np.nan
    classes = tuple(f"class {code}" for code in range(values.shape[1]))
    found = examine(case_of(given, probabilities, classes, places))
    assert found is not None
    rate = found.numbers["label_noise"]
    assert rate.n == len(given) - 7
    assert found.concern in ("look", "serious")
    assert "of the training labels look wrong (between" in found.reading
    assert found.advice
    lines = found.by_title["Most suspicious rows"]
    assert len(lines) == 20
    taken = found.by_title["Labels taken for others"]
    assert 1 <= len(taken) <= 5
    assert all(line["label"] != line["seems to be"] for line in taken)
    at = {place + 1: row for row, place in enumerate(places)}
    assert sum(wrong[at[line["row"]]] for line in lines) >= 16
    for line in lines:
        assert line["label"] == classes[given[at[line["row"]]]]
        assert line["label"] != line["model says"]


@TABLES
def test_the_examination_of_clean_labels(name):
    labels, _, values = real(name, 0.0)
    classes = tuple(f"class {code}" for code in range(values.shape[1]))
    found = examine(case_of(labels, values, classes))
    assert found is not None
    assert (found.concern, found.advice) == ("none", "")
    assert found.reading.startswith("Hardly any training label looks wrong")


def test_the_examination_of_numbers():
    rng = np.random.default_rng(6)
    truth, signal = smooth(4_000, 0.15, rng)
    truth[:40] *= 30
    found = examine(case_of(truth, signal))
    assert found is not None
    assert all(line["row"] <= 40 for line in found.by_title["Most suspicious rows"])


@pytest.mark.parametrize("classes", [(), ("only",), ("a", "b"), tuple("abcdefghij") * 5])
def test_odd_data_give_a_smaller_answer(classes):
    rng = np.random.default_rng(7)
    few = case_of(np.zeros(30, np.int64), rng.random((30, max(len(classes), 1))), classes)
    if classes:
        assert examine(few) is None
        values = rng.dirichlet(np.ones(len(classes)), 200)
        found = examine(case_of(rng.integers(0, len(classes), 200), values, classes))
    else:
        found = examine(case_of(np.zeros(200), np.zeros(200)))
    assert found is not None
    assert 0 <= found.numbers["label_noise"].low <= found.numbers["label_noise"].high <= 1
