"""A gate compares an interval with a threshold; a pure function of rules and records."""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec
from scipy.special import ndtri

from assay.gates.asked import Asked, asked
from assay.records.decision import Decision, GateResult, Verdict
from assay.records.report import Estimate, Report
from assay.records.spec import GateSpec

MOST_TIMES = 100
"""So many times the test rows are the most that anyone is told to find."""
DOUBT = 0.05


def judge(gates: Sequence[GateSpec], report: Report, seal: str) -> Decision:
    """Return the verdict on a report under a seal.

    A gate is accepted when its whole interval is on the right side of the threshold (the threshold
    itself counts as right for `at_least` and `at_most`, as wrong for `beats`), rejected when all of
    it is on the wrong side, else inconclusive. Any rejected gate rejects, else any inconclusive one
    leaves it open. Without a gate nothing was asked, and the verdict is inconclusive. A gate whose
    number could not be measured, as on a slice of too few rows, is inconclusive; where there is no
    live model yet, there is nothing to beat, and the gate is met.

    Where the test rows have been looked at k times, every interval is widened to the level
    1 - 0.05 / k (Bonferroni), so that the k looks together mislead in 5 % of cases at most. What is
    measured on the package rests on no test row and stays as it is.

    Raises:
        SpecError: METRIC-UNKNOWN; GATE-UNMEASURED when the report has no such metric; GATE-BASELINE
            when `beats` names something else, or a metric that the baseline does not have;
            GATE-EMPTY when a gate asks nothing.
    """
    results = tuple(_judge_one(asked(gate, report), report.looks) for gate in gates)
    verdicts = [result.verdict for result in results]
    verdict: Verdict = "accepted"
    reason = f"{'the gate is' if len(results) == 1 else f'all {len(results)} gates are'} met"
    if not results:
        verdict, reason = "inconclusive", "no gate was set, so nothing was asked of the model"
    elif "rejected" in verdicts:
        verdict = "rejected"
        reason = "not met: " + _names(results, verdict)
    elif "inconclusive" in verdicts:
        verdict = "inconclusive"
        reason = "the test rows do not tell: " + _names(results, verdict)
    if results and report.looks > 1:
        reason += (
            f"; the intervals are widened because these test rows have been looked at "
            f"{report.looks} times"
        )
    return Decision(verdict=verdict, seal=seal, gates=results, reason=reason)


def _names(results: Sequence[GateResult], verdict: Verdict) -> str:
    return ", ".join(result.name for result in results if result.verdict == verdict)


def _judge_one(gate: Asked, looks: int) -> GateResult:
    if gate.estimate is None:
        return GateResult(
            name=gate.name,
            metric=gate.metric.name,
            verdict=gate.otherwise,
            value=gate.threshold,
            low=gate.threshold,
            high=gate.threshold,
            threshold=gate.threshold,
            reason=gate.how,
        )
    metric, line = gate.metric, gate.threshold
    on_package = metric.takes == "measured"
    estimate = gate.estimate if on_package else widened(gate.estimate, looks)
    low, high = estimate.low, estimate.high
    if not gate.strict:  # a difference has a range of its own
        low, high = max(low, metric.low), min(high, metric.high)
    if gate.higher:
        right = low > line if gate.strict else low >= line
        wrong = high <= line if gate.strict else high < line
    else:
        right, wrong = high <= line, low > line
    verdict: Verdict = "accepted" if right else "rejected" if wrong else "inconclusive"
    needed = None
    if verdict == "inconclusive" and not on_package:
        needed = _rows_needed(estimate, line, gate.rows)
    return GateResult(
        name=gate.name,
        metric=metric.name,
        verdict=verdict,
        value=estimate.value,
        low=low,
        high=high,
        threshold=line,
        rows_needed=needed,
        reason=_reason(gate, estimate, verdict, needed),
    )


def widened(estimate: Estimate, looks: int) -> Estimate:
    """Return a 95 % interval at the level that k looks at the same rows leave it (Bonferroni).

    Each arm grows as a normal one would.
    """
    if looks <= 1:
        return estimate
    factor = float(ndtri(1 - DOUBT / looks / 2) / ndtri(1 - DOUBT / 2))
    return msgspec.structs.replace(
        estimate,
        low=estimate.value - factor * (estimate.value - estimate.low),
        high=estimate.value + factor * (estimate.high - estimate.value),
    )


def _rows_needed(estimate: Estimate, threshold: float, rows: int) -> int | None:
    """Return how many test rows would take the threshold out of the interval, if the value stays.

    An interval shrinks with the square root of the rows. Rounded up to two significant digits;
    None beyond MOST_TIMES the rows there are.
    """
    above = estimate.value > threshold
    arm = estimate.value - estimate.low if above else estimate.high - estimate.value
    gap = abs(estimate.value - threshold)
    if gap == 0 or arm / gap > math.sqrt(MOST_TIMES):
        return None
    needed = rows * (arm / gap) ** 2
    unit = 10.0 ** max(math.floor(math.log10(needed)) - 1, 0)
    return max(rows + 1, round(math.ceil(needed / unit - 1e-6) * unit))


def _reason(gate: Asked, estimate: Estimate, verdict: Verdict, needed: int | None) -> str:
    """Say in one sentence what decided."""
    metric = gate.metric
    low, high, line = (metric.format(v) for v in (estimate.low, estimate.high, gate.threshold))
    span = f"{low} to {high}" if low != high else low
    if gate.strict:
        span, line = f"the difference, {span},", f"zero ({gate.how})"
    elif gate.how:
        line = f"{line} ({gate.how})"
    if verdict == "accepted":
        return f"all of {span} is on the right side of {line}"
    if verdict == "rejected":
        return f"none of {span} is on the right side of {line}"
    more = "the value is so close to it that telling takes more rows than are practical"
    if metric.takes == "measured":
        more = "measure again on a machine with less other work"
    elif needed is not None:
        more = f"about {needed:,} test rows would decide it if the value stays"
    return f"{span} lies on both sides of {line}; {more}"
