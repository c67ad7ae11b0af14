"""Gates on slices, on what an examination found, against the live model, and after many looks."""

import msgspec
import pytest

from assay.errors import SpecError
from assay.gates import judge
from assay.gates.judge import widened
from assay.records.report import Comparison, Estimate, Examination, SliceResult
from assay.records.spec import GateSpec


def estimate(value, low, high, n=1000):
    return Estimate(value=value, low=low, high=high, n=n)


def slice_of(value, *ends, column="region", rows=200):
    measured = {"recall": estimate(*ends)} if ends else {}
    return SliceResult(column=column, value=value, rows=rows, metrics=measured)


def with_(report, **fields):
    return msgspec.structs.replace(report, **fields)


def one(report, **rule):
    return judge([GateSpec(**rule)], report, "s").gates[0]


SLICES = (
    slice_of("north", 0.80, 0.74, 0.86),
    slice_of("south", 0.70, 0.60, 0.80),
    slice_of("isle", rows=7),
)


@pytest.mark.parametrize(
    ("floor", "verdict"), [(0.55, "accepted"), (0.65, "inconclusive"), (0.85, "rejected")]
)
def test_the_worst_of_the_declared_slices_decides(report, floor, verdict):
    found = one(with_(report(), slices=SLICES), metric="recall", at_least=floor, on="every slice")
    assert (found.verdict, found.low, found.high) == (verdict, 0.60, 0.80)
    assert "region = south" in found.reason
    assert "1 too small to judge" in found.reason


def test_a_ceiling_looks_at_the_highest_end(report):
    found = one(with_(report(), slices=SLICES), metric="recall", at_most=0.85, on="every slice")
    assert found.high == 0.86
    assert found.verdict == "inconclusive"


def test_one_slice_is_asked_by_name(report):
    found = one(with_(report(), slices=SLICES), metric="recall", at_least=0.7, on="region=north")
    assert (found.verdict, found.value) == ("accepted", 0.80)
    assert found.name == "recall ≥ 0.70 on region=north"


def test_a_slice_too_small_to_measure_leaves_its_gate_open(report):
    found = one(with_(report(), slices=SLICES), metric="recall", at_least=0.7, on="region=isle")
    assert found.verdict == "inconclusive"
    assert "too few rows" in found.reason
    worst = one(with_(report(), slices=SLICES), metric="recall", at_least=0.7, on="worst slice")
    assert worst.verdict == "inconclusive"


def test_what_an_examination_found_is_judged(report):
    fairness = Examination(
        name="fairness",
        title="Fairness",
        reading="",
        numbers={"average_odds_difference": estimate(0.04, 0.01, 0.07)},
    )
    examined = with_(report(), examinations=(fairness,))
    assert one(examined, metric="average_odds_difference", at_most=0.08).verdict == "accepted"
    assert one(examined, metric="average_odds_difference", at_most=0.05).verdict == "inconclusive"


def test_what_no_examination_could_measure_is_left_open(report):
    """Groups too small, after an hour of training, are no reason to fail the run."""
    found = one(report(), metric="average_odds_difference", at_most=0.08)
    assert found.verdict == "inconclusive"
    assert "do not allow it" in found.reason
    with pytest.raises(SpecError) as caught:
        one(report(), metric="recall", at_least=0.5)
    assert caught.value.code == "GATE-UNMEASURED"


def against(rival, *ends, metric="roc_auc"):
    return Comparison(
        metric=metric,
        champion="c",
        baseline=rival,
        difference=estimate(*ends),
        p_value=0.5,
        against="champion",
    )


def test_the_live_model_is_a_rival_of_its_own(report):
    """The baseline is beaten by far, the live model is not."""
    both = with_(report(), comparisons=(against("churn@2", 0.01, -0.01, 0.03),))
    found = one(both, metric="roc_auc", beats="champion")
    assert found.verdict == "inconclusive"
    assert "churn@2" in found.reason
    assert one(both, metric="roc_auc", beats="baseline").verdict == "accepted"


def test_without_a_live_model_there_is_nothing_to_beat(report):
    found = one(report(), metric="roc_auc", beats="champion")
    assert found.verdict == "accepted"
    assert "no model of this name is live" in found.reason


def test_a_live_model_that_could_not_be_asked_is_not_beaten(report):
    found = one(with_(report(), unasked="churn@2 is live"), metric="roc_auc", beats="champion")
    assert (found.verdict, found.reason) == ("inconclusive", "churn@2 is live")


def test_a_metric_beside_the_headline_is_paired_where_the_report_pairs_it(report):
    """Two overlapping intervals, yet the paired difference is clear."""
    whole = report(log_loss=(0.48, 0.45, 0.51))
    assert one(whole, metric="log_loss", beats="baseline").verdict == "inconclusive"
    pair = Comparison(
        metric="log_loss",
        champion="c",
        baseline="b",
        difference=estimate(0.02, 0.015, 0.025),
        p_value=0.001,
    )
    paired = with_(whole, comparisons=(pair,))
    assert one(paired, metric="log_loss", beats="baseline").verdict == "accepted"


def test_every_look_at_the_same_rows_widens_the_intervals(report):
    """0.82 is the end of a first look's interval; a second look cannot be as sure."""
    assert one(report(), metric="roc_auc", at_least=0.82).verdict == "accepted"
    second = with_(report(), looks=2)
    decision = judge([GateSpec(metric="roc_auc", at_least=0.82)], second, "s")
    assert decision.verdict == "inconclusive"
    assert "looked at 2 times" in decision.reason
    # Bonferroni: 97.5 % in place of 95 %, 2.2414 / 1.9600 times as wide
    assert decision.gates[0].low == pytest.approx(0.84 - 0.02 * 1.14358, abs=1e-5)
    assert one(second, metric="latency_p99", at_most=11.0).verdict == "accepted"


def test_a_widened_interval_keeps_to_the_range_of_its_metric(report):
    near = with_(report(roc_auc=(0.99, 0.98, 0.999)), looks=50)
    assert one(near, metric="roc_auc", at_least=0.9).high == 1.0
    assert widened(estimate(0.5, 0.4, 0.6), 1) == estimate(0.5, 0.4, 0.6)
