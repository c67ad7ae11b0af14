"""Each drill puts its fault into a real server, and its record says what came of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from shop import Shop

from assay.cli.main import main
from assay.errors import UsageError
from assay.kernel.store import get_record
from assay.lifecycle.drills.drill import DONE, drill
from assay.lifecycle.drills.spoil import add_wrong, mixed_up
from assay.lifecycle.load_testing.scratch import scratch
from assay.lifecycle.models import models, promote
from assay.lifecycle.predict import load
from assay.records.deployment import Drill
from assay.report.lint import unsupported
from assay.report.postmortem import Postmortem

pytestmark = pytest.mark.slow


def untouched(store: Shop, before: int) -> None:
    """Nothing but the drill's own event came into the ledger, and nobody's log."""
    events = store.events()
    assert [event.kind for event in events[before:]] == [DONE]
    assert not (store.store / "log").exists()


def test_rollback_reaches_every_worker_and_fails_nobody(store: Shop, capsys) -> None:
    before = len(store.events())
    words = ["drill", "rollback", "churny", "--seconds", "4", "--rps", "100", "--json"]
    code = main([*words, "--store", str(store.store)])
    data = json.loads(capsys.readouterr().out)["data"]
    assert data.keys() >= {"detect_s", "recover_s", "failed", "wrong", "requests"}
    assert (data["failed"], data["wrong"], data["requests"]) == (0, 0, 400)
    assert 0 < data["detect_s"] <= data["recover_s"] < 1.0
    assert (code, data["passed"]) == (0, True)
    assert Path(data["report"]).exists()
    untouched(store, before)
    told = [text for _, text in data["timeline"]]
    assert "assay rollback churny" in told
    assert sum("every worker answers with version 2" in text for text in told) == 2
    record = get_record(store.workspace().store, data["record"], Drill)
    assert record.model == "churny@2"
    assert store.events(DONE)[-1].data == {
        "drill": "rollback", "version": 2, "record": data["record"], "passed": True,
    }  # fmt: skip


def test_the_version_before_may_be_the_older_or_the_newer_one(store: Shop) -> None:
    promote("churny@1", "the older one", store=store.store)
    result = drill("rollback", "churny", seconds=4, rps=100, store=store.store)
    assert result.record.model == "churny@1"
    assert result.record.passed, result.record.checks


def test_a_model_with_one_version_is_rolled_back_from_a_copy_of_it(store: Shop) -> None:
    result = drill("rollback", "pricy", seconds=4, rps=100, store=store.store)
    assert (result.record.failed, result.record.wrong) == (0, 0)
    assert result.record.passed


@pytest.mark.parametrize("name", ["churny", "pricy"])
def test_a_bad_model_is_stopped_by_its_canary(store: Shop, name: str) -> None:
    before = len(store.events())
    result = drill("bad-model", name, seconds=10, rps=400, store=store.store)
    record = result.record
    assert record.wrong > 0
    assert record.wrong < 0.01 * record.requests
    assert record.detect_s is not None
    assert record.passed, record.checks
    untouched(store, before)
    assert len(models(store.store)) == 3


def test_a_killed_worker_is_replaced_and_no_flushed_row_is_lost(store: Shop) -> None:
    result = drill("kill-worker", "churny", seconds=5, rps=200, store=store.store)
    record = result.record
    assert record.wrong == 0
    assert record.recover_s is not None
    assert record.failed < 100
    assert record.passed, record.checks


def test_overload_is_refused_and_what_is_accepted_is_right(store: Shop) -> None:
    result = drill("overload", "churny", seconds=4, store=store.store)
    record, rules = result.record, result.record.checks
    assert (record.failed, record.wrong) == (0, 0)
    assert ("the load was more than could be taken", True) in rules
    assert record.detect_s is not None


def test_a_full_disk_stops_no_answer_and_the_log_catches_up(store: Shop) -> None:
    result = drill("disk-full", "churny", seconds=8, rps=200, store=store.store)
    record = result.record
    assert (record.failed, record.wrong) == (0, 0)
    assert record.detect_s is not None
    assert record.recover_s is not None
    assert record.passed, record.checks


def test_the_postmortem_holds_no_number_of_its_own(store: Shop) -> None:
    result = drill("rollback", "churny", seconds=3, rps=50, store=store.store)
    event = store.events(DONE)[-1]
    found = Postmortem(result.record, result.digest, event.at, event.actor)
    assert unsupported(result.page.read_text(), found.records()) == []
    assert "to be filled in" in result.page.with_suffix(".md").read_text()


@pytest.mark.parametrize("name", ["churny", "pricy"])
def test_the_wrong_version_is_whole_and_wrong(store: Shop, name: str) -> None:
    workspace = store.workspace()
    good = next(v for v in reversed(models(store.store)) if v.name == name)
    with scratch(workspace, good) as (copy, _):
        wrong = add_wrong(copy, good)
        assert wrong.version == good.version + 1
        frame = load(f"{name}@{good.version}", store=copy.root)
        bad = load(f"{name}@{wrong.version}", store=copy.root)  # every digest holds
        rows = [{"fee": 20.0 + i, "visits": i % 9, "region": "west", "member": True}
                for i in range(40)]  # fmt: skip
        right, said = frame.predict(rows), bad.predict(rows)
        differ = sum(a["prediction"] != b["prediction"] for a, b in zip(right, said, strict=True))
        assert differ > 30


def test_drills_that_do_more_than_ask_start_their_own_server(store: Shop) -> None:
    with pytest.raises(UsageError) as caught:
        drill("rollback", "churny", url="http://localhost:1", store=store.store)
    assert caught.value.code == "DRILL-URL"


def test_drills_that_need_linux_say_so(store: Shop, monkeypatch) -> None:
    monkeypatch.setattr("sys.platform", "darwin")
    with pytest.raises(UsageError) as caught:
        drill("kill-worker", "churny", store=store.store)
    assert caught.value.code == "DRILL-SYSTEM"


def test_a_model_with_nothing_to_mix_up(store: Shop) -> None:
    with pytest.raises(UsageError) as caught:
        mixed_up({"a.json": b"{}"}, ["only"])
    assert caught.value.code == "DRILL-NO-FAULT"
