"""The files for Prometheus and Grafana: read by their own tools, or by their structure."""

from __future__ import annotations

import inspect
import json
import re
import shutil
import subprocess
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families
from verdicts import broken, event, measured, moved, objective, verdict

from assay.alert.dashboard import PANELS, dashboard
from assay.alert.prometheus import rules, rules_file
from assay.lifecycle.alerting.exposed import FILE, expose
from assay.records.spec import GateSpec, WatchSection
from assay.serve.routes import exposition

EVIL = 'größe 🙂 "a\\b\n\x85\u2028{{ $x }} }'
GATES = (GateSpec(metric="latency_p99", at_most=10.0), GateSpec(metric="roc_auc", at_least=0.8))


@pytest.fixture
def watched(tmp_path) -> dict[str, Any]:
    """The families of the watcher's own file."""
    made = verdict(
        "degraded",
        drift=(moved("fee"), moved("answers", kind="prediction", flagged=False)),
        performance=(measured(), measured("unsaid", "brier", value=None, low=None, high=None)),
        quality=(broken(column=EVIL),),
        objectives=(objective(),),
    )
    expose(tmp_path, event("watch.judged", window=0), made, {"drift": 2})
    return {f.name: f for f in text_string_to_metric_families((tmp_path / FILE).read_text())}


def served() -> set[str]:
    """The names that the server's page of metrics has."""
    found = set(re.findall(r'"(assay_\w+)"', inspect.getsource(exposition)))
    return found | {f"{name}_{end}" for name in found for end in ("bucket", "count", "sum")}


def read(text: str) -> list[dict[str, Any]]:
    ((group,),) = yaml.safe_load(text).values()
    return group["rules"]


def asked() -> list[str]:
    """Every expression of both files."""
    panels = [
        target for p in json.loads(dashboard("churn"))["panels"] for target in p.get("targets", [])
    ]
    return [rule["expr"] for rule in read(rules_file("churn", WatchSection(), GATES))] + [
        target["expr"] for target in panels
    ]


def test_every_expression_asks_for_numbers_that_there_are(watched):
    known = served() | set(watched)
    for expr in asked():
        names = re.findall(r"\bassay_\w+", expr)
        assert names
        assert set(names) <= known, expr


def test_labels_that_are_asked_for_are_there(watched):
    labels = {f.name: set().union(*(s.labels for s in f.samples)) for f in watched.values()}
    for expr in asked():
        for name, inner in re.findall(r"(assay_watch_\w+|assay_alerts_\w+){([^}]*)}", expr):
            assert set(re.findall(r"(\w+)=", inner)) <= labels[name], expr


@pytest.mark.parametrize("model", ["churn", EVIL])
def test_rules_are_rules(model):
    found = read(rules_file(model, WatchSection(), GATES))
    assert len({rule["alert"] for rule in found}) == len(found) >= 10
    for rule in found:
        assert set(rule) == {"alert", "expr", "for", "labels", "annotations"}
        assert re.fullmatch(r"[A-Za-z_]\w*", rule["alert"])
        assert re.fullmatch(r"\d+[smh]", rule["for"])
        assert rule["labels"]["severity"] in ("critical", "warning")
        assert rule["labels"]["model"].replace('{{"{{"}}', "{{") == model
        if model == "churn":
            for opening, closing in ("()", "{}", "[]"):
                assert rule["expr"].count(opening) == rule["expr"].count(closing)


def test_thresholds_are_those_of_the_project_file():
    found = {
        rule.alert: rule.expr
        for rule in rules("churn", WatchSection(errors=0.01, window=7200.0), GATES)
    }
    assert found["AssaySlowP99"].startswith("histogram_quantile(0.99")
    assert found["AssaySlowP99"].endswith("> 0.01")
    assert found["AssayFails1h"].count("> 0.144") == 2
    assert "[1h]" in found["AssayFails1h"]
    assert "[5m]" in found["AssayFails1h"]
    assert found["AssayNotWatched"].endswith("> 14400")
    assert "AssaySlowP99" not in {rule.alert for rule in rules("churn", WatchSection(), GATES[1:])}


@pytest.mark.skipif(shutil.which("promtool") is None, reason="checks with promtool")
@pytest.mark.parametrize("model", ["churn", EVIL])
def test_promtool_takes_the_rules(model, tmp_path):
    file = tmp_path / "rules.yml"
    file.write_text(rules_file(model, WatchSection(), GATES))
    done = subprocess.run(["promtool", "check", "rules", file], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.skipif(shutil.which("promtool") is None, reason="checks with promtool")
def test_promtool_takes_what_the_dashboard_asks(tmp_path):
    found = [{"record": f"r:{i}", "expr": expr} for i, expr in enumerate(asked())]
    for rule in found:
        rule["expr"] = rule["expr"].replace("$__rate_interval", "1m")
    file = tmp_path / "rules.yml"
    file.write_text(json.dumps({"groups": [{"name": "asked", "rules": found}]}))
    done = subprocess.run(["promtool", "check", "rules", file], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.skipif(shutil.which("promtool") is None, reason="checks with promtool")
def test_the_rules_fire_on_what_they_are_for(tmp_path):
    section = WatchSection(window=3600.0)
    (tmp_path / "rules.yml").write_text(rules_file("churn", section, GATES))
    expected = {
        "AssayDegraded": 10,
        "AssayFails1h": 90,
        "AssaySlowP99": 90,
        "AssayNotWatched": 130,
    }
    series = [
        ('assay_watch_verdict{model="churn", verdict="degraded", job="node"}', "0x4 1x200"),
        ('assay_requests_total{model="churn", version="1", status="answered"}', "0+90x200"),
        ('assay_requests_total{model="churn", version="1", status="failed"}', "0+10x200"),
        ('assay_request_seconds_bucket{model="churn", version="1", le="0.01"}', "0+10x200"),
        ('assay_request_seconds_bucket{model="churn", version="1", le="0.1"}', "0+100x200"),
        ('assay_request_seconds_bucket{model="churn", version="1", le="+Inf"}', "0+100x200"),
        ('assay_watch_judged_timestamp_seconds{model="churn"}', "0x200"),
        ('assay_model_info{model="churn", version="1"}', "1x200"),
    ]
    summaries = {rule["alert"]: rule for rule in read((tmp_path / "rules.yml").read_text())}
    cases = [
        {
            "alertname": name,
            "eval_time": f"{minute}m",
            "exp_alerts": [
                {
                    "exp_labels": {
                        **summaries[name]["labels"],
                        **(
                            {"verdict": "degraded", "job": "node"}
                            if name == "AssayDegraded"
                            else {}
                        ),
                    },
                    "exp_annotations": summaries[name]["annotations"],
                }
            ],
        }
        for name, minute in expected.items()
    ]
    cases += [
        {"alertname": name, "eval_time": "1m", "exp_alerts": []}
        for name in ("AssayDegraded", "AssaySlowP99", "AssayNotWatched")
    ]
    test = {
        "rule_files": ["rules.yml"],
        "evaluation_interval": "1m",
        "tests": [
            {
                "interval": "1m",
                "input_series": [{"series": s, "values": v} for s, v in series],
                "alert_rule_test": cases,
            }
        ],
    }
    file = tmp_path / "test.yml"
    file.write_text(json.dumps(test))
    done = subprocess.run(["promtool", "test", "rules", file], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_dashboard_is_one():
    made = json.loads(dashboard(EVIL))
    assert made["title"] == f"Assay: {EVIL}"
    assert re.fullmatch(r"[A-Za-z0-9_-]{1,40}", made["uid"])
    assert [v["name"] for v in made["templating"]["list"]] == ["source", "model"]
    assert made["templating"]["list"][1]["current"]["value"] == EVIL
    panels = made["panels"]
    assert len({p["id"] for p in panels}) == len(panels)
    assert len(panels) == len(PANELS) + sum(len(row) for _, row in PANELS)
    taken = set()
    for panel in panels:
        at = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(at["x"], at["x"] + at["w"])
            for y in range(at["y"], at["y"] + at["h"])
        }
        assert not cells & taken, panel["title"]
        assert all(0 <= x < 24 for x, _ in cells)
        taken |= cells
        for target in panel.get("targets", []):
            assert target["datasource"]["uid"] == "${source}"


def test_the_file_says_what_the_verdict_says(watched):
    def value(name: str, **labels: str) -> float:
        (sample,) = [s for s in watched[name].samples if labels.items() <= s.labels.items()]
        return sample.value

    assert value("assay_watch_verdict", verdict="degraded") == 1
    assert value("assay_watch_verdict", verdict="steady") == 0
    assert value("assay_watch_effect", column="fee", of="input") == 0.4
    assert value("assay_watch_flagged", column="answers") == 0
    assert value("assay_watch_performance", metric="roc_auc", estimated="false") == 0.7
    assert value("assay_watch_performance_low") == 0.65
    assert value("assay_watch_threshold", metric="brier") == 0.8
    assert value("assay_watch_broken_rows", column=EVIL) == 9
    assert value("assay_watch_burn", over="short") == 30.0
    assert value("assay_alerts_firing", kind="drift") == 2
    assert not [
        s for s in watched["assay_watch_performance"].samples if s.labels["metric"] == "brier"
    ]
