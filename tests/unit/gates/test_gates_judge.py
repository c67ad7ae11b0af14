"""Three-way verdicts: sides, ends, rows needed, and what cannot be judged."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.errors import SpecError
from assay.gates import judge
from assay.gates.judge import _rows_needed
from assay.records.report import Estimate
from assay.records.spec import GateSpec


def gate(metric="roc_auc", **rule):
    return GateSpec(metric=metric, **rule)


@pytest.mark.parametrize(
    ("rule", "verdict"),
    [
        ({"at_least": 0.80}, "accepted"),
        ({"at_least": 0.82}, "accepted"),
        ({"at_least": 0.85}, "inconclusive"),
        ({"at_least": 0.86}, "inconclusive"),
        ({"at_least": 0.87}, "rejected"),
        ({"at_most": 0.87}, "accepted"),
        ({"at_most": 0.86}, "accepted"),
        ({"at_most": 0.83}, "inconclusive"),
        ({"at_most": 0.81}, "rejected"),
    ],
)
def test_a_gate_compares_the_interval_with_the_threshold(report, rule, verdict):
    decision = judge([gate(**rule)], report(), "seal")
    result = decision.gates[0]
    assert decision.verdict == result.verdict == verdict
    assert (result.value, result.low, result.high) == (0.84, 0.82, 0.86)
    assert result.threshold in rule.values()
    assert decision.seal == "seal"
    assert (result.rows_needed is not None) == (verdict == "inconclusive")


@pytest.mark.parametrize(
    ("metric", "rule", "name"),
    [
        ("roc_auc", {"at_least": 0.8}, "roc_auc ≥ 0.80"),
        ("roc_auc", {"at_least": 0.825}, "roc_auc ≥ 0.825"),
        ("roc_auc", {"beats": "baseline"}, "roc_auc beats the baseline"),
        ("latency_p99", {"at_most": 10.0}, "latency_p99 ≤ 10 ms"),
        ("package_bytes", {"at_most": 5e6}, "package_bytes ≤ 5.0 MB"),
    ],
)
def test_a_gate_is_named_in_words(report, metric, rule, name):
    assert judge([gate(metric, **rule)], report(), "").gates[0].name == name


def test_rows_needed_follow_the_square_of_the_distance(report):
    # The arm towards 0.85 is 0.02, the gap 0.01: four times the rows.
    result = judge([gate(at_least=0.85)], report(), "").gates[0]
    assert result.rows_needed == pytest.approx(4000, abs=1)
    assert f"{result.rows_needed:,} test rows" in result.reason
    at_it = judge([gate(at_least=0.84)], report(), "").gates[0]
    assert at_it.rows_needed is None
    assert "more rows than are practical" in at_it.reason


@pytest.mark.parametrize(("threshold", "needed"), [(0.8433, 37_000), (0.8419, None)])
def test_rows_needed_are_a_round_number_within_reach(report, threshold, needed):
    result = judge([gate(at_least=threshold)], report(), "").gates[0]
    assert result.rows_needed == needed


@pytest.mark.parametrize(
    ("difference", "verdict"),
    [
        ((0.1, 0.06, 0.14), "accepted"),
        ((0.02, -0.01, 0.05), "inconclusive"),
        ((0.02, 0.0, 0.05), "inconclusive"),
        ((-0.1, -0.14, -0.06), "rejected"),
        ((0.0, 0.0, 0.0), "rejected"),
    ],
)
def test_the_headline_metric_beats_by_its_paired_difference(report, difference, verdict):
    result = judge([gate(beats="baseline")], report(difference), "").gates[0]
    assert result.verdict == verdict
    assert (result.value, result.low, result.high) == difference
    assert "paired" in result.reason


@pytest.mark.parametrize(
    ("ends", "verdict"),
    [
        ((0.40, 0.38, 0.42), "accepted"),
        ((0.46, 0.44, 0.48), "inconclusive"),
        ((0.60, 0.58, 0.62), "rejected"),
    ],
)
def test_another_metric_beats_when_the_intervals_are_apart(report, ends, verdict):
    result = judge([gate("log_loss", beats="baseline")], report(log_loss=ends), "").gates[0]
    assert result.verdict == verdict
    assert result.value == pytest.approx(0.50 - ends[0])
    assert "overlap" in result.reason


@pytest.mark.parametrize(
    ("metric", "limit", "verdict"),
    [
        ("latency_p99", 12.0, "accepted"),
        ("latency_p99", 10.0, "inconclusive"),
        ("latency_p50", 0.5, "rejected"),
        ("package_bytes", 2e6, "accepted"),
        ("package_bytes", 1.9e6, "rejected"),
    ],
)
def test_latency_and_size_are_read_from_the_report(report, metric, limit, verdict):
    result = judge([gate(metric, at_most=limit)], report(), "").gates[0]
    assert result.verdict == verdict
    assert result.rows_needed is None
    if verdict == "inconclusive":
        assert "measure again" in result.reason


@pytest.mark.parametrize(
    ("thresholds", "verdict"),
    [
        ((0.8, 0.8), "accepted"),
        ((0.8, 0.85), "inconclusive"),
        ((0.85, 0.9), "rejected"),
    ],
)
def test_the_worst_gate_decides(report, thresholds, verdict):
    decision = judge([gate(at_least=t) for t in thresholds], report(), "")
    assert decision.verdict == verdict
    assert decision.reason


def test_no_gate_asks_nothing(report):
    decision = judge([], report(), "")
    assert decision.verdict == "inconclusive"
    assert "no gate was set" in decision.reason


@pytest.mark.parametrize(
    ("bad", "code"),
    [
        (gate("rocauc", at_least=0.5), "METRIC-UNKNOWN"),
        (gate("recall", at_least=0.5), "GATE-UNMEASURED"),
        (gate("recall", beats="baseline"), "GATE-UNMEASURED"),
        (gate("roc_auc", beats="champion@3"), "GATE-BASELINE"),
        (gate("latency_p99", beats="baseline"), "GATE-BASELINE"),
        (gate("roc_auc"), "GATE-EMPTY"),
    ],
)
def test_what_cannot_be_judged_says_so(report, bad, code):
    with pytest.raises(SpecError) as caught:
        judge([bad], report(), "")
    assert caught.value.code == code
    assert caught.value.hint


@given(
    st.floats(0, 1), st.floats(0, 0.5), st.floats(0, 0.5), st.floats(-0.5, 1.5),
    st.integers(2, 10**6),
)  # fmt: skip
def test_rows_needed_are_more_than_there_are(value, below, above, threshold, rows):
    estimate = Estimate(value=value, low=value - below, high=value + above, n=rows)
    if not estimate.low < threshold < estimate.high:
        return
    needed = _rows_needed(estimate, threshold, rows)
    assert needed is None or needed > rows
