from __future__ import annotations

import msgspec
import numpy as np
import pytest
from operate_cases import make_case, scores

from assay.evaluate.answers.rules import Rule, ladder, rule_of
from assay.evaluate.answers.thresholds import choose_threshold, examine
from assay.metrics.operate import two_classes
from assay.records.fitted import Operating
from assay.records.spec import AnswersSection

TRUTH, VALUES = scores(5_000)
SCORE, POSITIVE = VALUES[:, 1], TRUTH == 1


def called_at(threshold, score=SCORE):
    return score.round(9) >= threshold


def test_without_a_rule_it_is_a_half():
    assert choose_threshold(AnswersSection(), SCORE, POSITIVE)[0] == 0.5


def test_a_fixed_threshold_stays():
    threshold, why = choose_threshold(AnswersSection(threshold=0.3), SCORE, POSITIVE)
    assert threshold == 0.3
    assert "0.3" in why


@pytest.mark.parametrize("capacity", [0.01, 0.1, 0.5, 1.0])
def test_capacity_calls_as_many_as_can_be_acted_on(capacity):
    threshold, why = choose_threshold(AnswersSection(capacity=capacity), SCORE, POSITIVE)
    share = called_at(threshold).mean()
    assert share <= capacity
    assert share == pytest.approx(capacity, abs=2 / len(SCORE))
    assert f"{capacity:.1%}" in why


def test_capacity_calls_none_of_a_tie_that_is_too_large():
    score = np.full(100, 0.4)
    threshold, _ = choose_threshold(AnswersSection(capacity=0.1), score, POSITIVE[:100])
    assert not called_at(threshold, score).any()


@pytest.mark.parametrize("floor", [0.6, 0.8, 0.95])
def test_precision_and_recall_are_met_and_no_better_threshold_is_left(floor):
    lowest, _ = choose_threshold(AnswersSection(precision=floor), SCORE, POSITIVE)
    steps = ladder(SCORE, POSITIVE)
    called = steps.hits + steps.alarms
    enough = (steps.hits >= floor * np.maximum(called, 1)) & (called >= 10)
    assert (called_at(lowest) & POSITIVE).sum() == steps.hits[enough].max()
    highest, _ = choose_threshold(AnswersSection(recall=floor), SCORE, POSITIVE)
    found = (called_at(highest) & POSITIVE).sum() / POSITIVE.sum()
    assert floor <= found < floor + 2 / POSITIVE.sum()


def test_a_precision_out_of_reach_takes_the_highest_there_is():
    rng = np.random.default_rng(0)
    score, positive = rng.random(400), rng.random(400) < 0.3
    threshold, why = choose_threshold(AnswersSection(precision=0.99), score, positive)
    assert "no threshold reaches" in why
    assert called_at(threshold, score).sum() >= 10


@pytest.mark.parametrize(("alarm", "miss"), [(1, 5), (1, 1), (4, 1), (0, 1), (1, 0)])
def test_costs_take_the_threshold_of_theory_for_right_probabilities(alarm, miss):
    costs = {"false_positive": alarm, "false_negative": miss}
    threshold, _ = choose_threshold(AnswersSection(costs=costs), SCORE, POSITIVE)
    assert threshold == pytest.approx(alarm / (alarm + miss))


def test_costs_take_the_cheapest_threshold_where_probabilities_are_wrong():
    truth, values = scores(5_000, slope=0.3, shift=-2.0)
    costs = {"false_positive": 1.0, "false_negative": 3.0}
    threshold, why = choose_threshold(AnswersSection(costs=costs), values[:, 1], truth == 1)

    def cost(at):
        called = called_at(at, values[:, 1])
        return (called & (truth == 0)).sum() + 3 * (~called & (truth == 1)).sum()

    assert cost(threshold) <= min(cost(at) for at in np.linspace(0, 0.5, 2_001))
    assert "cheaper by more than chance" in why


def test_thresholds_are_short_and_call_what_they_should():
    steps = ladder(np.array([0.2, 0.2, 0.41234, 0.9]), np.array([False, True, False, True]))
    assert steps.hits.tolist() == [0, 1, 1, 2]
    assert steps.alarms.tolist() == [0, 0, 1, 2]
    cuts = [steps.threshold(step) for step in range(4)]
    assert cuts == [0.95, 0.66, 0.31, 0.0]
    assert [steps.step(cut) for cut in cuts] == [0, 1, 2, 3]


def test_a_fixed_threshold_stands_for_costs():
    assert rule_of(AnswersSection(threshold=0.2)).costs == (0.2, 0.8)
    assert rule_of(AnswersSection()) == Rule()


def test_the_examination_says_what_the_threshold_brings():
    answers = AnswersSection(costs={"false_positive": 1.0, "false_negative": 5.0})
    case = make_case(TRUTH, VALUES, operating=Operating(threshold=1 / 6), answers=answers)
    found = examine(case)
    called = called_at(1 / 6)
    recall = (called & POSITIVE).sum() / POSITIVE.sum()
    assert found.numbers["recall"].value == pytest.approx(recall)
    cost = ((called & ~POSITIVE).sum() + 5 * (~called & POSITIVE).sum()) / len(TRUTH)
    assert found.numbers["cost"].value == pytest.approx(cost)
    half = called_at(0.5)
    other = ((half & ~POSITIVE).sum() + 5 * (~half & POSITIVE).sum()) / len(TRUTH)
    saved = found.numbers["saved_against_half"]
    assert saved.value == pytest.approx(other - cost)
    assert saved.low > 0
    assert found.numbers["saved_against_all"].value == pytest.approx((~POSITIVE).mean() - cost)
    assert found.concern == "none"
    lines = {line["threshold"]: line for line in found.by_title["Other thresholds"]}
    assert lines[0.5]["cost per row"] == pytest.approx(other, rel=1e-3)
    assert msgspec.json.decode(msgspec.json.encode(found))["name"] == "thresholds"


def test_the_curve_says_what_other_thresholds_would_bring():
    found = examine(make_case(TRUTH, VALUES, operating=Operating(threshold=0.3)))
    (curve,) = found.curves
    assert curve.kind == "thresholds"
    assert curve.data["chosen"] == 0.3
    place = curve.data["threshold"].index(0.4)
    called = called_at(0.4)
    assert curve.data["precision"][place] == pytest.approx(POSITIVE[called].mean())
    assert curve.data["recall"][place] == pytest.approx(called[POSITIVE].mean())
    groups = Operating(group="x", thresholds={"1": 0.4})
    (curve,) = examine(make_case(TRUTH, VALUES, operating=groups)).curves
    assert curve.data["chosen"] is None


def test_the_saving_interval_covers_what_is_saved_in_the_long_run():
    answers = AnswersSection(costs={"false_positive": 1.0, "false_negative": 5.0})
    many_truth, many_values = scores(400_000, seed=99)
    cells = [(many_values[:, 1] >= at, many_truth == 1) for at in (0.5, 1 / 6)]
    costs = [((c & ~p).sum() + 5 * (~c & p).sum()) / len(p) for c, p in cells]
    held = 0
    for seed in range(40):
        truth, values = scores(500, seed)
        case = make_case(truth, values, operating=Operating(threshold=1 / 6), answers=answers)
        saved = examine(case).numbers["saved_against_half"]
        held += saved.low <= costs[0] - costs[1] <= saved.high
    assert held >= 35


@pytest.mark.parametrize(
    ("answers", "concern"),
    [
        (AnswersSection(precision=0.99), "serious"),
        (AnswersSection(recall=0.99), "serious"),
        (AnswersSection(capacity=0.05), "look"),
        (AnswersSection(capacity=0.5), "none"),
        (AnswersSection(), "none"),
    ],
)
def test_a_rule_that_does_not_hold_on_the_test_rows_is_named(answers, concern):
    found = examine(make_case(TRUTH, VALUES, answers=answers))
    assert found.concern == concern
    if concern != "none" or answers == AnswersSection():
        assert found.advice


def test_a_model_that_costs_more_than_acting_on_all_is_serious():
    rng = np.random.default_rng(0)
    truth = (rng.random(1_000) < 0.5).astype(np.int64)
    costs = {"false_positive": 1.0, "false_negative": 50.0}
    values = two_classes(rng.random(1_000), 1)
    found = examine(make_case(truth, values, answers=AnswersSection(costs=costs)))
    assert found.concern == "serious"
    assert "call all" in found.advice


@pytest.mark.parametrize("truth", [np.zeros(30, dtype=np.int64), np.ones(30, dtype=np.int64)])
def test_one_class_among_the_test_rows_gives_a_smaller_answer(truth):
    found = examine(make_case(truth, VALUES[:30]))
    assert found is not None
    assert "flagged" in found.numbers


def test_many_classes_and_numbers_have_no_threshold():
    many = np.full((9, 3), 1 / 3)
    assert examine(make_case(np.arange(9) % 3, many, classes=("a", "b", "c"))) is None
    assert examine(make_case(np.arange(9.0), np.arange(9.0), classes=())) is None
