"""A Grafana dashboard: the traffic, the speed and the health of a model, on one page."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from assay.records.base import digest_of

SCHEMA_VERSION = 39
"""Of Grafana 10.4's dashboards, which later versions read."""
_WIDTH, _HEIGHT = 12, 8
"""Size of a panel; a row is 24 wide."""

_SOURCE = {"type": "prometheus", "uid": "${source}"}
_OWN = 'model="$model"'


@dataclass(frozen=True)
class Panel:
    """One panel: what it asks (expression and legend), its unit, and how it is drawn."""

    title: str
    asks: tuple[tuple[str, str], ...]
    unit: str = "short"
    kind: str = "timeseries"
    about: str = ""


def _rate(metric: str, by: str, more: str = "") -> str:
    return f"sum by ({by}) (rate({metric}{{{_OWN}{more}}}[$__rate_interval]))"


def _quantile(share: float) -> str:
    inner = _rate("assay_request_seconds_bucket", "le, version")
    return f"histogram_quantile({share:g}, {inner})"


PANELS: tuple[tuple[str, tuple[Panel, ...]], ...] = (
    (
        "Now",
        (
            Panel(
                "Verdict on the last windows",
                ((f"assay_watch_verdict{{{_OWN}}} == 1", "{{verdict}}"),),
                kind="state-timeline",
            ),
            Panel(
                "Alerts that hold",
                ((f"sum by (kind) (assay_alerts_firing{{{_OWN}}})", "{{kind}}"),),
                kind="stat",
            ),
        ),
    ),
    (
        "Traffic",
        (
            Panel(
                "Requests a second",
                ((_rate("assay_requests_total", "version, status"), "v{{version}} {{status}}"),),
                "reqps",
            ),
            Panel(
                "Latency",
                ((_quantile(0.5), "v{{version}} p50"), (_quantile(0.99), "v{{version}} p99")),
                "s",
            ),
            Panel(
                "Answers by class",
                ((_rate("assay_answers_total", "version, class"), "v{{version}} {{class}}"),),
            ),
            Panel(
                "Share of the requests that a version is to answer",
                ((f"assay_arm_share{{{_OWN}}}", "v{{version}}"),),
                "percentunit",
            ),
        ),
    ),
    (
        "Drift and performance",
        (
            Panel(
                "How far columns lie from the profile",
                ((f"topk(10, assay_watch_effect{{{_OWN}}})", "{{of}} {{column}}"),),
                about="Jensen-Shannon distance without what chance adds; the ten largest.",
            ),
            Panel(
                "Performance with its interval",
                tuple(
                    (f'assay_watch_{name}{{{_OWN}, slice=""}}', "{{metric}} " + legend)
                    for name, legend in (
                        ("performance", "(estimated: {{estimated}})"),
                        ("performance_low", "low"),
                        ("performance_high", "high"),
                        ("threshold", "gate"),
                    )
                ),
            ),
            Panel(
                "Error budget left",
                ((f"assay_watch_budget_left{{{_OWN}}}", "{{objective}}"),),
                "percentunit",
            ),
            Panel(
                "Rows that are broken",
                ((f"assay_watch_broken_rows{{{_OWN}}}", "{{column}} {{code}}"),),
            ),
        ),
    ),
    (
        "The server",
        (
            Panel(
                "Rows not yet in the log, and lost",
                (
                    ("sum(assay_log_backlog_rows)", "waiting"),
                    ("sum(assay_log_dropped_rows_total)", "lost"),
                ),
            ),
            Panel("Memory of the workers", (("assay_worker_memory_bytes", "{{worker}}"),), "bytes"),
        ),
    ),
)


def dashboard(model: str) -> str:
    """Return the dashboard of a model as JSON, to be imported as it is."""
    made = {
        "uid": f"assay-{digest_of(model.encode())[:12]}",
        "title": f"Assay: {model}",
        "tags": ["assay"],
        "schemaVersion": SCHEMA_VERSION,
        "editable": True,
        "refresh": "30s",
        "time": {"from": "now-24h", "to": "now"},
        "templating": {"list": _variables(model)},
        "panels": _panels(),
    }
    return json.dumps(made, indent=2, ensure_ascii=False) + "\n"


def _variables(model: str) -> list[dict[str, Any]]:
    """Return what a reader may choose: where the numbers are, and the model."""
    query = 'label_values({__name__=~"assay_model_info|assay_watch_verdict"}, model)'
    return [
        {"name": "source", "label": "Prometheus", "type": "datasource", "query": "prometheus"},
        {
            "name": "model",
            "label": "Model",
            "type": "query",
            "datasource": _SOURCE,
            "query": {"query": query, "refId": "model"},
            "refresh": 1,
            "current": {"text": model, "value": model},
        },
    ]


def _panels() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    top = 0
    for title, panels in PANELS:
        at = {"x": 0, "y": top, "w": 2 * _WIDTH, "h": 1}
        found.append({"id": len(found) + 1, "type": "row", "title": title, "gridPos": at})
        top += 1
        for place, panel in enumerate(panels):
            at = {"x": place % 2 * _WIDTH, "y": top, "w": _WIDTH, "h": _HEIGHT}
            found.append(_panel(panel, len(found) + 1, at))
            top += _HEIGHT if place % 2 or place == len(panels) - 1 else 0
    return found


def _panel(panel: Panel, number: int, at: dict[str, int]) -> dict[str, Any]:
    return {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "description": panel.about,
        "datasource": _SOURCE,
        "gridPos": at,
        "fieldConfig": {"defaults": {"unit": panel.unit}, "overrides": []},
        "targets": [
            {
                "refId": chr(ord("A") + i),
                "datasource": _SOURCE,
                "expr": expr,
                "legendFormat": legend,
            }
            for i, (expr, legend) in enumerate(panel.asks)
        ],
    }
