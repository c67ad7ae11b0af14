"""What a gate judges: which estimate, against which threshold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from assay.errors import SpecError
from assay.metrics import Metric, get
from assay.records.decision import Verdict
from assay.records.report import Estimate, Report, SliceResult
from assay.records.spec import GateSpec

EVERY, WORST = "every slice", "worst slice"


@dataclass(frozen=True)
class Asked:
    """A gate made concrete: its name, the estimate that decides, and the side that is right.

    `estimate` is None where there is nothing to judge: `how` says why, and `otherwise` is the
    verdict. `rows` is how many test rows the estimate rests on. `strict` makes the threshold itself
    count as wrong.
    """

    name: str
    metric: Metric
    estimate: Estimate | None
    threshold: float
    higher: bool
    rows: int
    how: str = ""
    strict: bool = False
    otherwise: Verdict = "inconclusive"


def asked(gate: GateSpec, report: Report) -> Asked:
    """Return what a gate asks of a report; the errors are those of `judge`."""
    metric = get(gate.metric)
    if gate.beats is not None:
        return _rivalry(gate.beats, metric, report)
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
    if gate.on is None:
        estimate, how = _measured(metric, report)
        return Asked(name, metric, estimate, threshold, higher, report.rows, how)
    name = f"{name} on {'the ' if gate.on == WORST else ''}{gate.on}"
    estimate, rows, how = _on_slices(gate.on, metric, report, higher=higher)
    return Asked(name, metric, estimate, threshold, higher, rows, how)


def _rivalry(rival: str, metric: Metric, report: Report) -> Asked:
    """Return the difference from the baseline or the live model, which must be above zero."""
    if rival not in ("baseline", "champion") or metric.operational:
        raise SpecError(
            "GATE-BASELINE",
            f"{metric.name} cannot be compared with {rival!r}",
            where=f"gates: {metric.name}",
            got=rival,
            allowed=("baseline", "champion"),
            hint='write beats = "baseline" for a metric of predictions, or set at_most',
        )
    compared = (*report.comparisons, report.comparison)
    pairs = [c for c in compared if c.against == rival]
    found = next((c for c in pairs if c.metric == metric.name), None)
    name = f"{metric.name} beats the {'baseline' if rival == 'baseline' else 'live model'}"
    difference, how = None, "no model of this name is live yet, so there is nothing to beat"
    otherwise: Verdict = "accepted"
    if not pairs and report.unasked:
        how, otherwise = report.unasked, "inconclusive"
    if found is not None:
        difference, how = found.difference, f"{found.baseline}, paired on the same rows"
    elif pairs:
        difference = _apart(metric, report)
        how = "by whether the two intervals overlap, which is cautious"
    if rival == "baseline" and report.champion.name == report.baseline.name:
        how = "the champion is the baseline itself: nothing that was tried scored better"
    return Asked(
        name, metric, difference, 0.0, True, report.rows, how, strict=True, otherwise=otherwise
    )


def _apart(metric: Metric, report: Report) -> Estimate:
    """Return the difference of two estimates, better counted up, from their farthest ends."""
    champion = _scored(metric, report.champion.metrics)
    baseline = _scored(metric, report.baseline.metrics)
    best, worst = (champion, baseline) if metric.higher_is_better else (baseline, champion)
    return Estimate(
        value=best.value - worst.value,
        low=best.low - worst.high,
        high=best.high - worst.low,
        n=min(champion.n, baseline.n),
        method="two intervals",
    )


def _on_slices(
    on: str, metric: Metric, report: Report, *, higher: bool
) -> tuple[Estimate | None, int, str]:
    """Return the estimate of the slice that decides, its rows, and which it is.

    Of several slices the one with the farthest bad end decides: if it keeps to the threshold, all
    do.
    """
    if on == WORST:
        return _worst_found(metric, report)
    wanted: Sequence[SliceResult] = [
        s for s in report.slices if on in (EVERY, f"{s.column}={s.value}")
    ]
    measured = [s for s in wanted if metric.name in s.metrics]
    if not measured:
        return None, 0, "it has too few rows to be judged"
    key = metric.name
    worst = (
        min(measured, key=lambda s: s.metrics[key].low)
        if higher
        else max(measured, key=lambda s: s.metrics[key].high)
    )
    how = f"{worst.column} = {worst.value}, {worst.rows:,} rows"
    small = len(wanted) - len(measured)
    if on == EVERY:
        how = f"the worst is {how}" + (f"; {small} too small to judge" if small else "")
    return worst.metrics[key], worst.rows, how


def _worst_found(metric: Metric, report: Report) -> tuple[Estimate | None, int, str]:
    """Return the metric on the worst slice that the search found."""
    search = next((e for e in report.examinations if e.name == "worst_slices"), None)
    found = search.numbers.get(metric.name) if search is not None else None
    if found is None:
        return None, 0, "no slice has rows enough to be judged"
    return found, found.n, "the worst slice that the search found"


def _measured(metric: Metric, report: Report) -> tuple[Estimate | None, str]:
    """Return the champion's estimate, what an examination found, the latency, or the size.

    What no examination could find, in groups too small or a table without text, is not there, and
    the second item says so.
    """
    if metric.name == "package_bytes":
        size = float(report.package_bytes)
        return Estimate(value=size, low=size, high=size, n=1, method="exact"), ""
    if metric.takes == "examined":
        found = {name: e for each in report.examinations for name, e in each.numbers.items()}
        missing = "these rows do not allow it to be measured: its examination says why"
        return found.get(metric.name), "" if metric.name in found else missing
    if metric.operational:
        latency = {f"latency_{key}": est for key, est in report.latency_ms.items()}
        return _scored(metric, latency), ""
    return _scored(metric, report.champion.metrics), ""


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


def _threshold(metric: Metric, threshold: float) -> str:
    """Write a threshold as a person would type it, with the metric's unit."""
    if metric.unit in ("bytes", "target"):
        return metric.format(threshold)
    text = f"{threshold:.2f}" if round(threshold, 2) == threshold else f"{threshold:g}"
    return f"{threshold:g} ms" if metric.unit == "ms" else text
