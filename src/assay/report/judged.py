"""Rows of the tables about the model: gates, metrics, slices, leaderboard."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from markupsafe import Markup

from assay.records.decision import GateResult
from assay.records.report import Estimate, Report, SliceResult
from assay.records.spec import GateSpec
from assay.report import figures, strips
from assay.report.charts import span
from assay.report.strips import Bar
from assay.report.text import capital, count, cut
from assay.report.view import RunView
from assay.report.words import small

MOST_SLICES = 80
METHODS = {
    "delong": "DeLong interval",
    "wilson": "Wilson interval",
    "bootstrap": "bootstrap interval",
    "log-odds": "interval on log-odds",
    "skewness-corrected t": "t interval, corrected for skewness",
    "log t": "t interval on logarithms",
    "debiased": "interval by a test turned round",
    "order": "order statistics",
}
_MINUS = re.compile(r"(?<!\w)-(?=\d)")
RIVALS = {"baseline": " vs. baseline", "champion": " vs. model in use"}
MARKS = {"accepted": "✓", "rejected": "✕", "inconclusive": "?"}


@dataclass(frozen=True)
class GateRow:
    """One gate; `ends` labels the scale of its picture."""

    name: str
    verdict: str
    mark: str
    svg: Markup
    ends: tuple[str, str]
    value: str
    interval: str
    threshold: str
    reason: str


def gate_rows(view: RunView) -> tuple[GateRow, ...]:
    """Return the gates as they were judged; the seal says which side of a threshold passes."""
    if view.decision is None:
        return ()
    asked: Sequence[GateSpec | None] = view.seal.gates
    if len(asked) != len(view.decision.gates):
        asked = [None] * len(view.decision.gates)
    return tuple(_gate(g, spec) for g, spec in zip(view.decision.gates, asked, strict=True))


def _gate(gate: GateResult, asked: GateSpec | None) -> GateRow:
    beats = asked is not None and asked.beats is not None
    low, high = min(gate.low, gate.threshold), max(gate.high, gate.threshold)
    domain = span((low, high), 0.15) if beats else figures.domain(gate.metric, low, high)
    say = figures.signed if beats else figures.value
    untold = figures.untold(gate)
    rival = RIVALS[asked.beats] if asked is not None and asked.beats is not None else ""
    good = ""
    if asked is not None:
        good = "left" if asked.at_most is not None else "right"
    ends = f"{say(gate.metric, gate.low)} to {say(gate.metric, gate.high)}"
    bar = Bar(gate.low, gate.value, gate.high, gate.verdict, f"{say(gate.metric, gate.value)}")
    return GateRow(
        name=figures.gate_name(gate),
        verdict=gate.verdict,
        mark=MARKS[gate.verdict],
        svg=strips.intervals(
            [bar], domain, title=f"{cut(figures.gate_name(gate))}: {gate.verdict}",
            threshold=gate.threshold, good=good,
        ),
        ends=(say(gate.metric, domain[0]), say(gate.metric, domain[1])),
        value="–" if untold else say(gate.metric, gate.value) + rival,
        interval="–" if untold else "exact" if gate.low == gate.high else ends,
        threshold="more than 0" if beats else _threshold(gate, good),
        reason=_MINUS.sub("−", capital(gate.reason)),
    )  # fmt: skip


def _threshold(gate: GateResult, good: str) -> str:
    side = {"right": "at least ", "left": "at most "}.get(good, "")
    return side + figures.value(gate.metric, gate.threshold)


@dataclass(frozen=True)
class MetricRow:
    """One metric of both models on one scale; each model has a value and an interval."""

    name: str
    title: str
    direction: str
    primary: bool
    svg: Markup
    ends: tuple[str, str]
    champion: tuple[str, str]
    baseline: tuple[str, str]
    method: str


def metric_rows(report: Report, primary: str) -> tuple[MetricRow, ...]:
    """Return every metric of the champion, the primary one first."""
    names = sorted(report.champion.metrics, key=lambda name: name != primary)
    return tuple(_metric(report, name, primary) for name in names)


def _metric(report: Report, name: str, primary: str) -> MetricRow:
    champion, baseline = report.champion.metrics[name], report.baseline.metrics.get(name)
    both = [(champion, "champion")] + ([(baseline, "baseline")] if baseline else [])
    domain = figures.domain(
        name, min(e.low for e, _ in both), max(e.high for e, _ in both)
    )  # fmt: skip
    bars = [Bar(e.low, e.value, e.high, who, f"{who} {' '.join(said(name, e))}") for e, who in both]
    return MetricRow(
        name=name,
        title=figures.title(name),
        direction=figures.direction(name),
        primary=name == primary,
        svg=strips.intervals(bars, domain, title=f"{figures.title(name)}: champion and baseline"),
        ends=(figures.value(name, domain[0]), figures.value(name, domain[1])),
        champion=said(name, champion),
        baseline=said(name, baseline) if baseline else ("–", ""),
        method=_method(champion.method),
    )


def _method(method: str) -> str:
    name, comma, grouped = method.partition(",")
    return METHODS.get(name, name) + comma + grouped


def said(name: str, estimate: Estimate) -> tuple[str, str]:
    """Return a value and its interval in words."""
    return figures.value(name, estimate.value), figures.interval(name, estimate)


@dataclass(frozen=True)
class SliceRow:
    """One value of a column, scored by itself; `svg` is None where there are too few rows."""

    value: str
    rows: str
    flagged: bool
    svg: Markup | None
    score: str
    interval: str
    note: str


@dataclass(frozen=True)
class SliceTable:
    """The slices of one column."""

    column: str
    rows: tuple[SliceRow, ...]


def slice_tables(report: Report, primary: str) -> tuple[SliceTable, ...]:
    """Return the slices by column on one scale, with the score of all test rows as a line."""
    shown = report.slices[:MOST_SLICES]
    found = [s.metrics[primary] for s in shown if primary in s.metrics]
    overall = report.champion.metrics.get(primary)
    scores = [*found, overall] if overall else found
    domain = figures.domain(
        primary,
        min((e.low for e in scores), default=0.0),
        max((e.high for e in scores), default=1.0),
    )
    line = overall.value if overall else None
    return tuple(
        SliceTable(column, tuple(_slice(s, primary, domain, line) for s in results))
        for column, results in groupby(shown, key=lambda s: s.column)
    )


def _slice(
    result: SliceResult, primary: str, domain: tuple[float, float], line: float | None
) -> SliceRow:
    estimate = result.metrics.get(primary)
    svg, score, interval = None, "–", ""
    if estimate is not None:
        score, interval = said(primary, estimate)
        bar = Bar(estimate.low, estimate.value, estimate.high, "champion", f"{score} ({interval})")
        title = f"{cut(result.column)} = {cut(result.value)}"
        svg = strips.intervals([bar], domain, title=title, threshold=line)
    note = result.note or ("too few rows to say much" if small(result) else "")
    return SliceRow(result.value, count(result.rows), small(result), svg, score, interval, note)
