from __future__ import annotations

import sys

import numpy as np
import pytest
from operate_cases import grouped
from sklearn.linear_model import LogisticRegression

from assay.errors import MissingExtra
from assay.evaluate.answers.rules import Rule
from assay.evaluate.fairness.mitigation import TOLERANCE, gap, group_thresholds, reweighing
from assay.kernel.loader import load


def rates(score, positive, words, thresholds, common=0.5):
    cut = np.array([thresholds.get(word, common) for word in words])
    called = score.round(9) >= cut
    by = [
        (called[rows & positive].mean(), called[rows & ~positive].mean(), called[rows].mean())
        for rows in (words == word for word in np.unique(words))
    ]
    return np.ptp(np.array(by), axis=0), (called == positive).mean(), called


def case(n=8_000, **wrong):
    truth, values, table = grouped(n, **wrong)
    return values[:, 1], truth == 1, table["sex"].to_numpy()


def test_reweighing_makes_group_and_class_independent():
    rng = np.random.default_rng(0)
    groups = rng.choice(["a", "b", "c"], 900, p=[0.6, 0.3, 0.1])
    truth = (rng.random(900) < np.where(groups == "a", 0.6, 0.2)).astype(np.int64)
    weight = reweighing(groups, truth)
    shares = [np.average(truth[groups == g], weights=weight[groups == g]) for g in "abc"]
    assert shares == pytest.approx([truth.mean()] * 3)
    assert weight.mean() == pytest.approx(1)
    one = (groups == "b") & (truth == 1)
    by_hand = (groups == "b").mean() * truth.mean() / one.mean()  # Kamiran and Calders, section 4
    assert weight[one] == pytest.approx(by_hand)


def test_reweighing_leaves_independent_rows_alone():
    groups, truth = np.tile([0, 0, 1, 1], 25), np.tile([0, 1], 50)
    assert reweighing(groups, truth) == pytest.approx(np.ones(100))


@pytest.mark.parametrize(
    "definition", ["demographic_parity", "equal_opportunity", "equalized_odds", "average_odds"]
)
def test_thresholds_bring_groups_together_at_little_cost(definition):
    score, positive, words = case(help_b=-1.5)
    before, right, _ = rates(score, positive, words, {})
    found = group_thresholds(Rule(), definition, score, positive, words, 0.5)
    after, now, _ = rates(score, positive, words, found)
    assert gap(definition, before) > 0.1
    assert gap(definition, after) <= TOLERANCE
    assert now > right  # the scores of b were too low: mending that is no loss


def test_thresholds_hold_on_new_rows():
    found = group_thresholds(Rule(), "average_odds", *case(20_000, help_b=-1.5), 0.5)
    after, _, _ = rates(*case(20_000, seed=1, help_b=-1.5), found)
    assert gap("average_odds", after) < 0.02


def test_three_groups_come_together_too():
    score, positive, words = case(12_000, help_b=-1.0)
    words = words.copy()
    third = np.arange(len(words)) % 3 == 0
    words[third] = "c"
    score = np.where(third, score**2, score)
    before, _, _ = rates(score, positive, words, {})
    found = group_thresholds(Rule(), "equalized_odds", score, positive, words, 0.5)
    after, _, _ = rates(score, positive, words, found)
    assert set(found) == {"a", "b", "c"}
    assert gap("equalized_odds", after) < 0.02 < 0.1 < gap("equalized_odds", before)


def test_the_rule_of_the_project_is_kept():
    score, positive, words = case(help_b=-1.5)
    rule = Rule(capacity=0.1)
    found = group_thresholds(rule, "equal_opportunity", score, positive, words, 0.9)
    after, _, called = rates(score, positive, words, found)
    assert called.mean() <= 0.1
    assert called.mean() > 0.09
    assert gap("equal_opportunity", after) <= TOLERANCE


def test_a_group_too_small_keeps_the_common_threshold():
    score, positive, words = case(2_000)
    words = words.copy()
    words[:15] = "z"
    found = group_thresholds(Rule(), "average_odds", score, positive, words, 0.5)
    assert set(found) == {"a", "b"}
    assert (
        group_thresholds(Rule(), "average_odds", score, positive, words[:1].repeat(2_000), 0.5)
        == {}
    )


def test_constrained_training_names_the_package_it_needs(monkeypatch):
    monkeypatch.setitem(sys.modules, "fairlearn", None)
    monkeypatch.setitem(sys.modules, "fairlearn.reductions", None)
    monkeypatch.delitem(sys.modules, "assay.evaluate.fairness.reduce", raising=False)
    with pytest.raises(MissingExtra, match="fairlearn"):
        load("assay.evaluate.fairness.reduce:constrained")


def test_constrained_training_finds_weights_that_bring_groups_together():
    reason = "constrained training needs the extra: fairlearn"
    pytest.importorskip("fairlearn.reductions", reason=reason)
    rng = np.random.default_rng(0)
    n = 3_000
    group = (rng.random(n) < 0.4).astype(np.int64)
    x = np.column_stack([rng.normal(size=n) - group, group])
    positive = rng.random(n) < 1 / (1 + np.exp(-2 * x[:, 0] - 0.5 * group))

    def learn(rows, labels, weight):
        model = LogisticRegression().fit(x[rows], labels, sample_weight=weight)
        return lambda asked: model.predict(x[asked]) == 1

    every = np.arange(n)
    weight = load("assay.evaluate.fairness.reduce:constrained")(
        learn, positive, group, "average_odds", 0
    )
    assert weight.mean() == pytest.approx(1)
    assert len(np.unique(weight.round(9))) <= 4
    apart = []
    for given in (np.ones(n), weight):
        called = learn(every, positive.astype(np.int64), given)(every)
        by = [
            [called[(group == g) & (positive == p)].mean() for p in (True, False)] for g in (0, 1)
        ]
        apart.append(np.abs(np.diff(by, axis=0)).mean())
    assert apart[1] < apart[0] / 2
