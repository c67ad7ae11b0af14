import msgspec
import numpy as np
import pytest
from performance_world import METRICS, Sample, profile, sample
from test_performance_exact import by_metric

from assay.kernel.family import Predictions
from assay.metrics import get
from assay.records.spec import GateSpec
from assay.watch.drift.joint import build_joint, compare_joint
from assay.watch.performance import plausible
from assay.watch.performance.estimated import estimate, unlike
from assay.watch.profile import Profile, read_profile, write_profile


def estimated(known: Profile, rows: Sample, **more):
    return estimate(known, rows.answers, rows.codes(known), rows.frame, **more)


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
@pytest.mark.parametrize("lean", [0.0, 0.8])
def test_estimates_hold_the_truth_though_the_model_is_wrong_where_rows_move(task, lean):
    inside, asked = 0, 0
    for seed in range(4):
        known, rows = profile(task, seed), sample(task, 1_000, 300 + seed, lean)
        for name, one in by_metric(estimated(known, rows)).items():
            true = get(name).compute(rows.truth, rows.answers, known.known.positive)
            inside, asked = inside + (one.low <= true <= one.high), asked + 1
            assert one.estimated
            assert one.low < one.value < one.high
    assert asked == 4 * len(METRICS[task])
    assert inside >= 0.85 * asked


def test_raw_scores_would_have_been_wrong_there():
    known, rows = profile("binary", rows=12_000), sample("binary", 4_000, 1, lean=0.8)
    one = by_metric(estimated(known, rows))["brier"]
    score = rows.answers.values[:, 1]
    naive, true = (
        float((score * (1 - score)).mean()),
        get("brier").compute(rows.truth, rows.answers, 1),
    )
    assert naive < one.low <= true <= one.high


def test_an_interval_is_no_wider_than_it_need_be():
    known, rows = profile("binary", rows=12_000), sample("binary", 2_000, 2)
    one = by_metric(estimated(known, rows))["roc_auc"]
    assert one.high - one.low < 0.06  # DeLong's with all 2,000 labels is 0.04


def test_slices_are_estimated_with_their_gates():
    gates = (
        GateSpec(metric="brier", at_most=0.15, on="kind=c"),
        GateSpec(metric="roc_auc", at_least=0.6),
    )
    rows = sample("binary", 4_000, 3, lean=0.3)
    found = estimated(profile("binary", rows=12_000, gates=gates), rows)
    one = by_metric(found, "kind=c")["brier"]
    assert (one.threshold, one.standing, one.n) == (
        0.15,
        "broken",
        (rows.frame["kind"] == "c").sum(),
    )
    whole = by_metric(found)["roc_auc"]
    assert whole.standing == "kept"
    assert "as if the relation of inputs and target had not changed" in whole.reason
    alone = rows.take(np.flatnonzero((rows.frame["kind"] == "a").to_numpy()))
    assert (
        by_metric(estimated(profile("binary", gates=gates), alone), "kind=c")["brier"].standing
        == "unsaid"
    )


def test_rows_unlike_any_known_ones_are_not_estimated():
    known, rows = profile("binary"), sample("binary", 500, 4)
    far = Sample(rows.frame.with_columns(x=rows.frame["x"] * 1000), rows.answers, rows.truth)
    found = estimated(known, far)
    assert {m.standing for m in found} == {"unsaid"}
    assert {m.value for m in found} == {None}
    assert found[0].reason.endswith("have a value that no training row had, most in x")


def test_too_few_training_rows_like_the_window_are_told():
    known, rows = profile("binary"), sample("binary", 4_000, 5)
    joint = build_joint(known.columns, rows.codes(known))
    same = compare_joint(joint, known.columns, sample("binary", 500, 6).codes(known))
    assert unlike(joint, same) == ""
    assert unlike(None, same) == ""
    edge = rows.take(np.argsort(-rows.frame["x"].to_numpy() - 2 * rows.frame["z"].to_numpy())[:20])
    other = compare_joint(joint, known.columns, edge.codes(known))
    assert "training rows are like those of this window" in unlike(joint, other)
    doubted = estimated(known, rows, doubt="labels contradict")
    assert {(m.standing, m.reason) for m in doubted} == {("unsaid", "labels contradict")}


def test_few_rows_a_missing_model_and_a_class_that_is_not_expected_are_said():
    known, rows = profile("binary"), sample("binary", 400, 7)
    for n in (0, 1, 29):
        found = estimated(known, rows.take(np.arange(n)))
        assert {m.reason for m in found} == {"fewer than 30 rows"}
    bare = msgspec.structs.replace(known, known=None)
    assert estimated(bare, rows)[0].reason == "the package has no error model"
    sure = Predictions(np.tile([1 - 1e-7, 1e-7], (400, 1)), rows.answers.classes)
    found = by_metric(estimated(known, Sample(rows.frame, sure, rows.truth)))
    assert found["recall"].standing == "unsaid"
    assert "too few rows are expected of a class" in found["roc_auc"].reason
    assert found["accuracy"].value > 0.9


def test_a_label_that_is_never_given_has_no_f1():
    known, rows = profile("binary"), sample("binary", 500, 13)
    answers = Predictions(rows.answers.values, rows.answers.classes, 1.0)
    one = by_metric(estimated(known, Sample(rows.frame, answers, rows.truth)))["f1"]
    assert (one.value, one.low, one.high) == (0.0, 0.0, 0.0)


def test_answers_that_are_no_numbers_are_left_out():
    known, rows = profile("binary"), sample("binary", 300, 8)
    values = rows.answers.values.copy()
    values[::3] = np.nan
    some = Sample(rows.frame, Predictions(values, rows.answers.classes), rows.truth)
    kept = rows.take(np.flatnonzero(np.arange(300) % 3 > 0))
    assert estimated(known, some) == estimated(known, kept)


def test_a_large_window_is_sampled_and_says_the_same():
    known, rows = profile("binary", rows=12_000), sample("binary", 40_000, 9)
    window, index = plausible.sampled(known.known, rows.answers, rows.codes(known))
    assert len(index) < 9_000
    assert window.weight.sum() == pytest.approx(40_000)
    part = rows.take(np.arange(8_000))
    whole, some = by_metric(estimated(known, rows)), by_metric(estimated(known, part))
    for name in METRICS["binary"]:
        assert whole[name].value == pytest.approx(some[name].value, abs=0.03)
    assert whole["roc_auc"].n == 40_000


def test_thresholds_of_groups_decide_labels():
    known, rows = profile("binary"), sample("binary", 2_000, 10)
    each = np.where(rows.frame["kind"] == "a", 0.2, 0.6)
    answers = Predictions(rows.answers.values, rows.answers.classes, each)
    found = by_metric(estimated(known, Sample(rows.frame, answers, rows.truth)))
    true = get("recall").compute(rows.truth, answers, 1)
    assert found["recall"].low <= true <= found["recall"].high


def test_what_is_known_is_small_holds_no_row_and_comes_out_the_same():
    one = profile("binary")
    assert write_profile(one) == write_profile(profile.__wrapped__("binary"))
    known = read_profile(write_profile(one)).known
    assert known == one.known
    assert len(msgspec.json.encode(known)) < 10_000
    assert sum(known.seen) == known.test_rows
    rows = sample("binary", 100, 11)
    assert np.array_equal(
        known.foretold(rows.answers, rows.codes(one)),
        one.known.foretold(rows.answers, rows.codes(one)),
    )


def test_rows_that_no_fold_answered_are_left_out_of_what_is_known():
    from assay.records.snapshot import Problem
    from assay.watch.performance.known import build_known

    one, rows = profile("binary"), sample("binary", 600, 12)
    problem = Problem(family="made@1", task="binary", target="y", classes=("no", "yes"),
                      positive="yes", primary="roc_auc")  # fmt: skip
    values = rows.answers.values.copy()
    values[:200] = np.nan
    test = rows.take(np.arange(300))
    told = build_known(
        problem, one.columns, rows.codes(one), Predictions(values, ("no", "yes")), rows.truth,
        test.codes(one), test.answers, test.truth,
    )  # fmt: skip
    assert (told.rows, told.test_rows) == (400, 300)
