"""`assay load-test` against the real server: its numbers, its record, and the sealed gate."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from shop import Shop

from assay.cli.main import main
from assay.errors import Refused, UsageError
from assay.kernel.stage import Context
from assay.kernel.store import get_record
from assay.lifecycle import models
from assay.lifecycle.load_testing.load_test import TESTED, load_test
from assay.lifecycle.load_testing.measure import Load
from assay.lifecycle.load_testing.served import served
from assay.lifecycle.releasing.kept import CHECKED
from assay.records.deployment import LATENCY_EDGES, LoadTest

FIELDS = {"rps", "p50_ms", "p99_ms", "errors", "capacity_rps", "cost_per_million"}


@pytest.fixture
def cli(store: Shop, capsys):
    """Return a function that runs a command on the store, and gives its exit code and envelope."""

    def call(*words: object):
        code = main([*map(str, words), "--store", str(store.store), "--json"])
        return code, json.loads(capsys.readouterr().out.splitlines()[-1])

    return call


def test_a_load_test_is_measured_recorded_and_right(store: Shop, cli, tmp_path: Path) -> None:
    prices = tmp_path / "prices.toml"
    prices.write_text('currency = "EUR"\nper_hour = 0.36\ncores = 1\n')
    code, said = cli(
        "load-test", "churny", "--rps", 200, "--seconds", 2, "--check", "--prices", prices
    )
    data = said["data"]
    assert code == 0
    assert data.keys() >= FIELDS
    assert data["requests"] == 400
    assert data["errors"] == 0
    assert data["wrong"] == 0
    assert data["answered_by"] == {"churny@2": 600}  # a second of warm-up is checked, too
    assert data["rps"] == pytest.approx(200, rel=0.1)
    assert 0.05 < data["p50_ms"] <= data["p99_ms"]
    assert data["capacity_rps"] is None
    # 200 a second are 0.72 million an hour
    assert data["cost_per_million"] == pytest.approx(0.36 / 0.72, rel=0.1)
    assert 30 < data["peak_mb"] < 600
    assert "training rows" in data["rows_from"]
    record = get_record(store.workspace().store, data["record"], LoadTest)
    assert record.model == "churny@2"
    assert len(record.latency) == len(LATENCY_EDGES) + 1
    assert sum(record.latency) == 400
    event = store.events(TESTED)[-1]
    assert event.data["record"] == data["record"]
    assert data["record"] in event.parents


def test_numbers_of_many_rows_and_a_version_are_right_too(cli) -> None:
    code, said = cli(
        "load-test", "pricy@1", "--rps", 50, "--seconds", 1, "--rows", 7, "--check", "--poisson"
    )
    assert code == 0
    assert said["data"]["wrong"] == 0
    assert said["data"]["answered_by"] == {"pricy@1": pytest.approx(100, abs=40)}


def test_a_server_that_runs_already_is_asked(store: Shop, cli, server) -> None:
    serving = server("churny", "--workers", "1")
    code, said = cli("load-test", "churny", "--rps", 50, "--seconds", 1, "--url", serving.url)
    assert code == 0
    assert said["data"]["errors"] == 0
    assert said["data"]["peak_mb"] is None
    code, said = cli("load-test", "pricy", "--seconds", 1, "--url", serving.url)
    assert (code, said["errors"][0]["code"]) == (2, "LOAD-REFUSED")
    assert "404" in str(said["errors"][0]["got"])


def test_capacity_is_looked_for(cli, monkeypatch) -> None:
    monkeypatch.setattr("assay.lifecycle.load_testing.measure.SEARCH", 4.0)
    monkeypatch.setattr("assay.lifecycle.load_testing.measure.SHORT", 0.5)
    code, said = cli("load-test", "churny", "--rps", 50, "--seconds", 1, "--capacity")
    assert code == 0
    assert said["data"]["capacity_rps"] > 50
    assert said["data"]["tries"]


def gated(store: Shop, limit: str) -> str:
    """Seal a gate on latency with a run of its own; return NAME@VERSION."""
    file = store.folder / "churny" / "assay.toml"
    file.write_text(
        file.read_text() + f'\n[[gates]]\nmetric = "latency_p99"\nat_most = "{limit}"\n'
    )
    main(["run", str(file.parent), "--store", str(store.store)])  # its verdict is not the point
    newest = [v for v in models.models(store.store) if v.name == "churny"][-1]
    return f"churny@{newest.version}"


def test_a_sealed_gate_is_judged_again_under_load(store: Shop, cli) -> None:
    """What no server can keep: the time that the kernel takes for a request alone."""
    name = gated(store, "0.03ms")
    code, said = cli("load-test", name, "--rps", 300, "--seconds", 2)
    gate = said["data"]["gates"][0]
    assert gate["metric"] == "latency_p99"
    assert gate["low"] <= gate["value"] <= gate["high"]
    assert gate["value"] == said["data"]["p99_ms"]
    assert said["data"]["verdict"] in ("rejected", "inconclusive")
    assert code == {"rejected": 3, "inconclusive": 4}[said["data"]["verdict"]]
    event = store.events(CHECKED)[-1]
    assert event.data["verdict"] == said["data"]["verdict"]
    assert event.data["version"] == int(name.partition("@")[2])


def test_a_version_that_does_not_hold_under_load_needs_a_reason(store: Shop) -> None:
    workspace = store.workspace()
    first = next(v for v in models.models(store.store) if v.name == "churny")
    context = Context(workspace.store, workspace.ledger, workspace.root)
    context.append(
        CHECKED, "churny", version=first.version, package=first.package, rps=500.0,
        verdict="rejected", gates=[],
    )  # fmt: skip
    with pytest.raises(Refused) as caught:
        models.promote("churny@1", store=store.store)
    assert caught.value.code == "PROMOTE-LOAD"
    assert models.promote("churny@1", "we add a machine", store=store.store).version == 1


@pytest.mark.parametrize("flag", ["rps", "seconds", "connections", "rows", "workers"])
def test_numbers_that_ask_nothing(flag) -> None:
    with pytest.raises(UsageError) as caught:
        Load(**{flag: 0})
    assert caught.value.code == "LOAD-NUMBER"


def test_a_server_that_does_not_come_up_says_why(store: Shop) -> None:
    package = next(v for v in models.models(store.store) if v.name == "pricy").package
    (store.store / "packages" / package / "model.onnx").write_bytes(b"torn")
    with pytest.raises(Exception, match="not what the package was built with"):
        load_test("pricy", Load(seconds=1), store=store.store)


def test_it_says_what_the_server_said(store: Shop, tmp_path) -> None:
    with pytest.raises(UsageError) as caught, served(["nobody"], store.store):
        pass
    assert caught.value.code == "SERVER-NOT-READY"
    assert "MODEL-UNKNOWN" in caught.value.got
