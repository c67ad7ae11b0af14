"""A gate compares an interval with a threshold; a pure function of rules and records."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from assay.errors import SpecError
from assay.metrics import Metric, get
from assay.records.decision import Decision, GateResult, Verdict
from assay.records.report import Estimate, Report
from assay.records.spec import GateSpec

MOST_TIMES = 100
"""So many times the test rows are the most that anyone is told to find."""


def judge(gates: Sequence[GateSpec], report: Report, seal: str) -> Decision:
    """Return the verdict on a report under a seal.

    A gate is accepted when its whole interval is on the right side of the threshold (the threshold
    itself counts as right for `at_least` and `at_most`, as wrong for `beats`), rejected when all of
    it is on the wrong side, else inconclusive. Any rejected gate rejects, else any inconclusive one
    leaves it open. Without a gate nothing was asked, and the verdict is inconclusive.

    Raises:
        SpecError: METRIC-UNKNOWN; GATE-UNMEASURED when the report has no such metric; GATE-BASELINE
            when `beats` names something else, or a metric that the baseline does not have;
            GATE-EMPTY when a gate asks nothing.
    """
    results = tuple(_judge_one(gate, report) for gate in gates)
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
        reason = "the test rows are too few to tell: " + _names(results, verdict)
    return Decision(verdict=verdict, seal=seal, gates=results, reason=reason)


def _names(results: Sequence[GateResult], verdict: Verdict) -> str:
    return ", ".join(result.name for result in results if result.verdict == verdict)


def _judge_one(gate: GateSpec, report: Report) -> GateResult:
    metric = get(gate.metric)
    if gate.beats is not None:
        return _against_baseline(gate.beats, metric, report)
    higher = gate.at_least is not None
    threshold = gate.at_least if higher else gate.at_most
    if threshold is None:
        raise SpecError(
            "GATE-EMPTY",
            "a gate must say what it asks of its metric",
            where=f"gates: {gate.metric}",
            allowed=("at_least", "at_most", "beats"),
            hint='add one of them, such as at_least = 0.8 or beats = "baseline"',
        )
    name = f"{metric.name} {'≥' if higher else '≤'} {_threshold(metric, threshold)}"
    estimate = _measured(metric, report)
    if higher:
        sides = (estimate.low >= threshold, estimate.high < threshold)
    else:
        sides = (estimate.high <= threshold, estimate.low > threshold)
    return _result(name, metric, estimate, threshold, sides, report.rows)


def _against_baseline(rival: str, metric: Metric, report: Report) -> GateResult:
    """Judge the difference from the baseline, which must be above zero.

    The report compares the headline metric on paired rows. For another metric the two intervals
    must not overlap, which asks for more than 95 % confidence: the cautious side.
    """
    if rival != "baseline" or metric.operational:
        raise SpecError(
            "GATE-BASELINE",
            f"{metric.name} cannot be compared with {rival!r}",
            where=f"gates: {metric.name}",
            got=rival,
            allowed=("baseline",),
            hint='write beats = "baseline" for a metric of predictions, or set at_most',
        )
    how = "paired on the same rows"
    difference = report.comparison.difference
    if report.champion.name == report.baseline.name:
        how = "the champion is the baseline itself: nothing that was tried scored better"
    elif report.comparison.metric != metric.name:
        how = "by whether the two intervals overlap, which is cautious"
        difference = _apart(
            metric,
            _scored(metric, report.champion.metrics),
            _scored(metric, report.baseline.metrics),
        )
    sides = (difference.low > 0, difference.high <= 0)
    name = f"{metric.name} beats the baseline"
    return _result(name, metric, difference, 0.0, sides, report.rows, how)


def _apart(metric: Metric, champion: Estimate, baseline: Estimate) -> Estimate:
    """Return the difference of two estimates, better counted up, from their farthest ends."""
    best, worst = (champion, baseline) if metric.higher_is_better else (baseline, champion)
    return Estimate(
        value=best.value - worst.value,
        low=best.low - worst.high,
        high=best.high - worst.low,
        n=min(champion.n, baseline.n),
        method="two intervals",
    )


def _measured(metric: Metric, report: Report) -> Estimate:
    """Return the champion's estimate, the latency, or the exact size of the package."""
    if metric.name == "package_bytes":
        size = float(report.package_bytes)
        return Estimate(value=size, low=size, high=size, n=1, method="exact")
    if metric.operational:
        return _scored(metric, {f"latency_{key}": est for key, est in report.latency_ms.items()})
    return _scored(metric, report.champion.metrics)


def _scored(metric: Metric, measured: Mapping[str, Estimate]) -> Estimate:
    if metric.name not in measured:
        raise SpecError(
            "GATE-UNMEASURED",
            f"a gate asks for {metric.name}, which was not measured",
            where=f"gates: {metric.name}",
            got=metric.name,
            allowed=tuple(measured),
            hint="add it to metric.also, or take the gate out",
        )
    return measured[metric.name]


def _result(
    name: str,
    metric: Metric,
    estimate: Estimate,
    threshold: float,
    sides: tuple[bool, bool],
    rows: int,
    how: str = "",
) -> GateResult:
    """Return the gate's result; `sides` says whether all is right, and whether all is wrong."""
    right, wrong = sides
    verdict: Verdict = "accepted" if right else "rejected" if wrong else "inconclusive"
    needed = None
    if verdict == "inconclusive" and not metric.operational:
        needed = _rows_needed(estimate, threshold, rows)
    return GateResult(
        name=name,
        metric=metric.name,
        verdict=verdict,
        value=estimate.value,
        low=estimate.low,
        high=estimate.high,
        threshold=threshold,
        rows_needed=needed,
        reason=_reason(metric, estimate, threshold, verdict, needed, how),
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


def _reason(
    metric: Metric,
    estimate: Estimate,
    threshold: float,
    verdict: Verdict,
    needed: int | None,
    how: str,
) -> str:
    """Say in one sentence what decided."""
    low, high, line = (metric.format(v) for v in (estimate.low, estimate.high, threshold))
    span = f"{low} to {high}" if low != high else low
    if how:
        span, line = f"the difference, {span},", f"zero ({how})"
    if verdict == "accepted":
        return f"all of {span} is on the right side of {line}"
    if verdict == "rejected":
        return f"none of {span} is on the right side of {line}"
    more = "the value is so close to it that telling takes more rows than are practical"
    if metric.operational:
        more = "measure again on a machine with less other work"
    elif needed is not None:
        more = f"about {needed:,} test rows would decide it if the value stays"
    return f"{span} lies on both sides of {line}; {more}"


def _threshold(metric: Metric, threshold: float) -> str:
    """Write a threshold as a person would type it, with the metric's unit."""
    if metric.unit in ("bytes", "target"):
        return metric.format(threshold)
    text = f"{threshold:.2f}" if round(threshold, 2) == threshold else f"{threshold:g}"
    return f"{threshold:g} ms" if metric.unit == "ms" else text
