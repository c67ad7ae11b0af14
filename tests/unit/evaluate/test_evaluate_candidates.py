"""Candidates by their folds: the corrected t test, Holm, what is said."""

import dataclasses

import numpy as np
import pytest
from operate_cases import make_case, scores
from scipy import stats

from assay.evaluate.candidates import corrected_t, examine
from assay.records.fitted import Candidate, Leaderboard, Trial


def board(scores_of, metric="roc_auc", seconds=None):
    trials = tuple(
        Trial(
            candidate=Candidate(name=name, kind="made"),
            status="done" if each else "failed",
            scores=tuple(each),
            seconds=(seconds or {}).get(name, 1.0),
        )
        for name, each in scores_of.items()
    )
    return Leaderboard(
        metric=metric, baselines=trials[:1], trials=trials[1:], weights={}, score=0.0
    )


def case_of(scores_of, **changes):
    return dataclasses.replace(make_case(*scores(50)), leaderboard=board(scores_of, **changes))


def test_without_shared_rows_it_is_students_paired_test():
    each = [0.1, 0.3, 0.2, 0.25, 0.05]
    low, high, p = corrected_t(each, 0.0)
    test = stats.ttest_1samp(each, 0)
    assert p == pytest.approx(test.pvalue)
    assert (low, high) == pytest.approx(tuple(test.confidence_interval()))


def test_shared_training_rows_widen_it_as_published():
    # Nadeau and Bengio 2003: the variance of the mean is (1/k + n_test / n_train) s².
    each = np.array([0.1, 0.3, 0.2, 0.25, 0.05])
    low, high, p = corrected_t(each, 0.25)
    error = np.sqrt((1 / 5 + 1 / 4) * each.var(ddof=1))
    assert high - low == pytest.approx(2 * stats.t(4).ppf(0.975) * error)
    assert p > stats.ttest_1samp(each, 0).pvalue
    assert corrected_t([0.0, 0.0], 0.5)[2] == 1.0
    assert corrected_t([0.1, 0.1], 0.5)[2] == 0.0


def test_equal_learners_are_told_apart_in_about_one_of_twenty_cross_validations():
    """Two least squares fits, each on another useless column, on overlapping training rows."""
    rng = np.random.default_rng(12)
    told = plain = 0
    rounds = 400
    for _ in range(rounds):
        y, columns = rng.normal(size=60), rng.normal(size=(2, 60))
        fold = rng.permutation(60) % 10
        gaps = []
        for k in range(10):
            inside, test = fold != k, fold == k
            losses = []
            for x in columns:
                slope = x[inside] @ y[inside] / (x[inside] @ x[inside])
                losses.append(np.mean((y[test] - slope * x[test]) ** 2))
            gaps.append(losses[0] - losses[1])
        told += corrected_t(gaps, 1 / 9)[2] < 0.05
        plain += corrected_t(gaps, 0.0)[2] < 0.05
    assert told / rounds <= 0.065
    assert plain > 1.4 * told


def test_the_worse_are_told_from_the_alike():
    found = examine(
        case_of(
            {
                "simple": [0.80, 0.81, 0.79, 0.80, 0.82],
                "best": [0.81, 0.81, 0.80, 0.79, 0.83],
                "bad": [0.60, 0.61, 0.58, 0.60, 0.63],
                "broken": [],
            },
            seconds={"simple": 0.1, "best": 5.0},
        )
    )
    assert found is not None
    lines = next(iter(found.by_title.values()))
    assert [line["Candidate"] for line in lines] == ["best", "simple", "bad"]
    assert [line["Really worse"] for line in lines] == ["", "cannot be told", "yes"]
    assert "1 of the 2 others cannot be told from it: simple" in found.reading
    assert "50 times as fast" in found.reading
    assert found.advice


def test_a_loss_is_better_when_it_is_low():
    found = examine(case_of({"a": [3.0, 3.1, 2.9], "b": [1.0, 1.1, 0.9]}, metric="rmse"))
    assert found is not None
    lines = next(iter(found.by_title.values()))
    assert lines[0]["Candidate"] == "b"
    assert lines[1]["Worse by"] == "2.000"
    assert "really worse" in found.reading
    assert found.advice == ""


@pytest.mark.parametrize(
    "scores_of", [{"a": [0.5, 0.6]}, {"a": [0.5], "b": [0.6]}, {"a": [], "b": []}]
)
def test_too_little_to_compare_gives_nothing(scores_of):
    assert examine(case_of(scores_of)) is None
