"""What every judge must do."""

# ruff: noqa: S101 -- a contract suite asserts

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import pytest

from assay.errors import AssayError
from assay.records.base import digest
from assay.records.decision import Decision, Verdict
from assay.records.report import Comparison, Estimate, Parity, Report, Scores
from assay.records.spec import GateSpec

Interval = tuple[float, float]

ROWS = 400
SEAL = "5ea1" * 16


class Judge(Protocol):
    """Decides under a seal whether a report passes the gates; a pure function."""

    def __call__(self, gates: Sequence[GateSpec], report: Report, seal: str) -> Decision:
        """Return the decision."""
        ...


def estimate(low: float, high: float) -> Estimate:
    """Return an estimate in the middle of its interval."""
    return Estimate(value=(low + high) / 2, low=low, high=high, n=ROWS, method="given")


def make_report(
    champion: dict[str, Interval] | None = None,
    baseline: dict[str, Interval] | None = None,
    difference: Interval = (0.05, 0.15),
    primary: str = "roc_auc",
    **fields: Any,
) -> Report:
    """Return a report with these intervals by metric; the comparison is of the primary metric."""
    champion = {primary: (0.80, 0.90)} | (champion or {})
    baseline = {primary: (0.70, 0.80)} | (baseline or {})
    parts: dict[str, Any] = {
        "seal": SEAL,
        "test": "0" * 64,
        "rows": ROWS,
        "champion": Scores(
            name="champion", metrics={name: estimate(*i) for name, i in champion.items()}
        ),
        "baseline": Scores(
            name="baseline", metrics={name: estimate(*i) for name, i in baseline.items()}
        ),
        "comparison": Comparison(
            metric=primary,
            champion="champion",
            baseline="baseline",
            difference=estimate(*difference),
            p_value=0.01,
        ),
        "slices": (),
        "curves": (),
        "parity": Parity(rows=ROWS, nasty_rows=50, max_abs_diff=0.0, label_flips=0, tolerance=1e-6),
        "latency_ms": {"p50": estimate(1.0, 2.0), "p99": estimate(3.0, 5.0)},
        "package_bytes": 1_000_000,
    }
    return Report(**(parts | fields))


def expected(right: bool, wrong: bool) -> Verdict:
    """Return the verdict when all of an interval is on the right or on the wrong side."""
    return "accepted" if right else "rejected" if wrong else "inconclusive"


_INTERVALS = [(0.80, 0.90), (0.85, 0.851), (0.0, 1.0), (0.85, 0.85)]
_THRESHOLDS = [0.1, 0.79, 0.80, 0.8501, 0.87, 0.90, 0.95]


class GateContract:
    """Checks of a judge; give the fixture `judge`."""

    @pytest.fixture
    def judge(self) -> Judge:
        """Return the function `(gates, report, seal) -> Decision`."""
        raise NotImplementedError("override the fixture `judge`")

    @pytest.mark.parametrize("threshold", _THRESHOLDS)
    @pytest.mark.parametrize("interval", _INTERVALS, ids=str)
    @pytest.mark.parametrize("metric", ["roc_auc", "brier"])
    def test_interval_against_threshold(
        self, judge: Judge, metric: str, interval: Interval, threshold: float
    ) -> None:
        """All on the right side accepts, all on the wrong side rejects, straddling does neither."""
        low, high = interval
        report = make_report({metric: interval})
        least = judge([GateSpec(metric=metric, at_least=threshold)], report, SEAL)
        most = judge([GateSpec(metric=metric, at_most=threshold)], report, SEAL)
        assert least.gates[0].verdict == expected(low >= threshold, high < threshold)
        assert most.gates[0].verdict == expected(high <= threshold, low > threshold)

    def test_names_what_decided(self, judge: Judge) -> None:
        """A result carries the metric, its interval and the threshold."""
        gate = GateSpec(metric="roc_auc", at_least=0.75)
        (result,) = judge([gate], make_report({"roc_auc": (0.8, 0.9)}), SEAL).gates
        assert (result.metric, result.threshold) == ("roc_auc", 0.75)
        assert (result.low, result.high) == (0.8, 0.9)
        assert result.low <= result.value <= result.high
        assert result.name
        assert result.rows_needed is None

    def test_inconclusive_says_how_many_rows(self, judge: Judge) -> None:
        """More rows than there were would decide, and more still when the call is closer."""

        def rows(threshold: float) -> int:
            gate = GateSpec(metric="roc_auc", at_least=threshold)
            (result,) = judge([gate], make_report({"roc_auc": (0.8, 0.9)}), SEAL).gates
            assert result.verdict == "inconclusive"
            assert result.rows_needed is not None
            return result.rows_needed

        assert ROWS < rows(0.81) < rows(0.84)
        assert ROWS < rows(0.89) < rows(0.86)

    @pytest.mark.parametrize(
        ("difference", "verdict"),
        [
            ((0.02, 0.10), "accepted"),
            ((-0.10, -0.02), "rejected"),
            ((-0.02, 0.10), "inconclusive"),
        ],
    )
    @pytest.mark.parametrize("primary", ["roc_auc", "brier"])
    def test_beats_reads_the_paired_difference(
        self, judge: Judge, primary: str, difference: Interval, verdict: Verdict
    ) -> None:
        """The paired interval decides, though the two models' own intervals overlap.

        It is turned so that more is better, so a metric where less is better is no exception.
        """
        overlapping = {primary: (0.5, 0.7)}
        report = make_report(overlapping, overlapping, difference, primary)
        decision = judge([GateSpec(metric=primary, beats="baseline")], report, SEAL)
        assert decision.gates[0].verdict == verdict

    @pytest.mark.parametrize(("metric", "better"), [("accuracy", 1), ("log_loss", -1)])
    def test_beats_on_another_metric(self, judge: Judge, metric: str, better: int) -> None:
        """Without a paired difference, intervals that lie apart decide, the metric's way round."""
        gate = GateSpec(metric=metric, beats="baseline")
        high, low = {metric: (0.8, 0.9)}, {metric: (0.5, 0.6)}
        champion, baseline = (high, low) if better > 0 else (low, high)
        won = judge([gate], make_report(champion, baseline), SEAL)
        lost = judge([gate], make_report(baseline, champion), SEAL)
        even = judge([gate], make_report(high, high), SEAL)
        verdicts = [decision.gates[0].verdict for decision in (won, lost, even)]
        assert verdicts == ["accepted", "rejected", "inconclusive"]

    @pytest.mark.parametrize(
        ("metric", "threshold", "verdict"),
        [
            ("latency_p99", 10.0, "accepted"),
            ("latency_p99", 4.0, "inconclusive"),
            ("latency_p99", 1.0, "rejected"),
            ("latency_p50", 2.5, "accepted"),
            ("package_bytes", 1_000_000.0, "accepted"),
            ("package_bytes", 999_999.0, "rejected"),
        ],
    )
    def test_operational_metrics(
        self, judge: Judge, metric: str, threshold: float, verdict: Verdict
    ) -> None:
        """Latency in milliseconds and size in bytes are judged like any other metric."""
        decision = judge([GateSpec(metric=metric, at_most=threshold)], make_report(), SEAL)
        assert decision.gates[0].verdict == verdict

    def test_worst_verdict_wins(self, judge: Judge) -> None:
        """One rejected gate rejects; else one inconclusive gate leaves it open."""
        report = make_report({"roc_auc": (0.8, 0.9)})
        passes, open_, fails = (GateSpec(metric="roc_auc", at_least=t) for t in (0.7, 0.85, 0.95))
        assert judge([passes, passes], report, SEAL).verdict == "accepted"
        assert judge([passes, open_], report, SEAL).verdict == "inconclusive"
        assert judge([open_, fails, passes], report, SEAL).verdict == "rejected"

    def test_results_follow_the_gates(self, judge: Judge) -> None:
        """There is one result for each gate, in order, under the seal that was named."""
        gates = [GateSpec(metric="roc_auc", at_least=t) for t in (0.95, 0.7, 0.85)]
        decision = judge(gates, make_report(), SEAL)
        assert [result.threshold for result in decision.gates] == [0.95, 0.7, 0.85]
        assert decision.seal == SEAL

    def test_nothing_asked_is_never_rejected(self, judge: Judge) -> None:
        """Without a gate there is no result, and a reason says so."""
        decision = judge([], make_report(), SEAL)
        assert decision.gates == ()
        assert decision.verdict != "rejected"
        assert decision.reason

    def test_unmeasured_metric_is_never_accepted(self, judge: Judge) -> None:
        """A gate on a metric that the report lacks is an error or is left open."""
        try:
            decision = judge([GateSpec(metric="recall", at_least=0.0)], make_report(), SEAL)
        except AssayError:
            return
        assert decision.verdict != "accepted"

    def test_is_a_pure_function(self, judge: Judge) -> None:
        """The same gates and report give the same decision, byte for byte."""
        gates = [
            GateSpec(metric="roc_auc", at_least=0.85),
            GateSpec(metric="roc_auc", beats="baseline"),
        ]
        report = make_report()
        before = digest(report)
        assert digest(judge(gates, report, SEAL)) == digest(judge(gates, report, SEAL))
        assert digest(report) == before
