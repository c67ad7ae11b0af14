"""Alerting rules for Prometheus: the numbers of a server and of a watcher, of one model."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

from assay.records.spec import GateSpec, WatchSection

BURNS = (
    ("1h", "5m", 14.4, "critical"),
    ("6h", "30m", 6.0, "critical"),
    ("3d", "6h", 1.0, "warning"),
)
"""Long and short window, how fast the budget goes, and how bad that is.

Source: Beyer et al., The Site Reliability Workbook, chapter 5, table 5-8.
"""

_BREAKS = re.compile("[\x7f-\x9f\u2028\u2029\ufeff]")
"""Characters that JSON leaves as they are and YAML does not."""


@dataclass(frozen=True)
class Rule:
    """One alerting rule."""

    alert: str
    expr: str
    summary: str
    severity: str = "warning"
    lasts: str = "0s"


def label(text: str) -> str:
    """Return text in quotes and on one line, as PromQL and YAML both read it."""
    quoted = json.dumps(text, ensure_ascii=False)
    return _BREAKS.sub(lambda found: f"\\u{ord(found[0]):04x}", quoted)


def rules(model: str, watch: WatchSection, gates: Sequence[GateSpec]) -> list[Rule]:
    """Return the rules of a model: its promises as the project file has them."""
    return [
        *_server(model),
        *_burning(model, watch.errors),
        *_slow(model, gates),
        *_watcher(model, watch),
    ]


def rules_file(model: str, watch: WatchSection, gates: Sequence[GateSpec]) -> str:
    """Return the rules as YAML, for `rule_files` of Prometheus."""
    lines = ["groups:", f"  - name: {label(f'assay {model}')}", "    rules:"]
    for rule in rules(model, watch, gates):
        lines += [
            f"      - alert: {rule.alert}",
            f"        expr: {label(rule.expr)}",
            f"        for: {rule.lasts}",
            "        labels:",
            f"          severity: {rule.severity}",
            f"          model: {label(_plain(model))}",
            "        annotations:",
            f"          summary: {label(_plain(rule.summary))}",
        ]
    return "\n".join(lines) + "\n"


def _server(model: str) -> list[Rule]:
    own = f"{{model={label(model)}}}"
    refused = f'assay_requests_total{{model={label(model)}, status="refused"}}'
    return [
        Rule("AssayNotReady", "assay_ready == 0", "A model does not answer.", "critical", "1m"),
        Rule(
            "AssayGone",
            f"absent(assay_model_info{own})",
            f"No server has {model}.",
            "critical",
            "5m",
        ),
        Rule(
            "AssaySheds",
            f"sum(rate({refused}[5m])) / sum(rate(assay_requests_total{own}[5m])) > 0.01",
            f"More than 1 % of the requests to {model} are shed.",
            lasts="5m",
        ),
        Rule(
            "AssayLogLosesRows",
            "sum(increase(assay_log_dropped_rows_total[10m])) > 0",
            "The prediction log loses rows, so they are not watched.",
        ),
        Rule(
            "AssayWorkersRestart",
            "increase(assay_worker_starts_total[10m]) > 0 and assay_worker_starts_total > 1",
            "A worker was started again.",
        ),
    ]


def _burning(model: str, errors: float) -> list[Rule]:
    """Return a rule for each speed at which the error budget may go, over two windows each."""
    own = f"model={label(model)}"
    failed = f'assay_requests_total{{{own}, status="failed"}}'
    found = []
    for long, short, burn, severity in BURNS:
        parts = [
            f"sum(rate({failed}[{span}])) / sum(rate(assay_requests_total{{{own}}}[{span}]))"
            f" > {burn * errors:.6g}"
            for span in (long, short)
        ]
        told = f"Errors of {model} use the budget {burn:g} times too fast, for {long}."
        found.append(Rule(f"AssayFails{long}", " and ".join(parts), told, severity))
    return found


def _slow(model: str, gates: Sequence[GateSpec]) -> list[Rule]:
    """Return a rule for each sealed gate on a latency; the thresholds are milliseconds."""
    found = []
    for gate in gates:
        name, _, percent = gate.metric.partition("_p")
        if name != "latency" or gate.at_most is None or not percent.isdecimal():
            continue
        share = int(percent) / 10 ** len(percent)
        buckets = f"rate(assay_request_seconds_bucket{{model={label(model)}}}[5m])"
        expr = f"histogram_quantile({share:g}, sum by (le) ({buckets})) > {gate.at_most / 1000:.6g}"
        told = f"{gate.metric} of {model} is above the {gate.at_most:g} ms of its gate."
        found.append(Rule(f"AssaySlowP{percent}", expr, told, lasts="5m"))
    return found


def _watcher(model: str, watch: WatchSection) -> list[Rule]:
    own = f"model={label(model)}"
    verdict = "max without (instance) (assay_watch_verdict{{{}, verdict={}}}) == 1"
    late = max(3600.0, 2.0 * watch.window)
    judged = f"max(assay_watch_judged_timestamp_seconds{{{own}}})"
    return [
        Rule(
            "AssayDegraded",
            verdict.format(own, label("degraded")),
            f"{model} breaks a sealed gate or a promise of its service.",
            "critical",
        ),
        Rule("AssayDrift", verdict.format(own, label("drift")), f"Rows of {model} have moved."),
        Rule(
            "AssayNotWatched",
            f"time() - {judged} > {late:g}",
            f"No window of {model} was judged for twice its length.",
        ),
        Rule(
            "AssayBudgetSpent",
            f"assay_watch_budget_left{{{own}}} <= 0",
            f"An error budget of {model} is used up.",
            "critical",
        ),
    ]


def _plain(text: str) -> str:
    """Return text that comes out of Prometheus' templates as it went in."""
    return text.replace("{{", '{{"{{"}}')
