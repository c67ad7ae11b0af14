"""New models of fresh labelled rows: made once, by the sealed criteria, or refused with why."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import polars as pl
import pytest
from logged import Watched, loans

from assay.errors import Refused, UsageError
from assay.kernel.store import get_record
from assay.lifecycle import history
from assay.lifecycle.incidents import handling
from assay.lifecycle.incidents.closing import RELEASE_ENDED, Closing
from assay.lifecycle.project import Prepared, prepare_spec
from assay.lifecycle.releasing.releases import starting
from assay.lifecycle.retraining import retraining
from assay.lifecycle.retraining.fresh import TEST, TRAIN
from assay.lifecycle.retraining.live import Live
from assay.lifecycle.retraining.retrains import HANDED, Retrain
from assay.records.seal import Seal
from assay.records.spec import (
    GateSpec,
    ProjectSpec,
    ReleaseSection,
    RetrainSection,
    WatchSection,
)
from assay.records.watch import Broken

sys.path.insert(0, str(Path(__file__).parents[1] / "serving"))
from shop import Client, Shop, eventually, launch, wait_ready

WATCH = WatchSection(on_drift=("incident", "retrain"), on_degraded=("incident", "retrain"))
TRUST = RetrainSection(labels="trust", minimum=300, pause=0.0)
RELEASE = "[release]\nsteps = [0.5]\nminimum = 60\ndiffer = 1\nshift = 0.9\nlatency = 100\n"
CHECK = RetrainSection(minimum=300, pause=0.0)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Watched:
    """Return loans at version 1, which nobody may change."""
    watched = Watched(tmp_path_factory.mktemp("loans"))
    watched.write(loans(900, 1), more=RELEASE)
    watched.train()
    return watched


@pytest.fixture
def watched(trained: Watched, tmp_path: Path) -> Iterator[Watched]:
    watched = trained.copy(tmp_path / "loans")
    yield watched
    retraining.join(watched.workspace(), "loans")


def asked(watched: Watched, section: RetrainSection, outcome: Any = "degraded", **log: Any) -> str:
    """Log rows, judge them, and wait for the retraining that follows; return the incident's id."""
    table = log.pop("table", loans(900, 2, other=outcome == "degraded"))
    span = watched.log(table, **log)
    broken = ("roc_auc",) if outcome == "degraded" else ()
    drift = ("hour",) if outcome == "drift" else ()
    watched.judged(watched.verdict(outcome, broken=broken, drift=drift, span=span), WATCH, section)
    retraining.join(watched.workspace(), "loans")
    return next(iter(watched.incidents().all))


def last(watched: Watched) -> Retrain:
    return list(watched.retrains().all.values())[-1]


def test_a_degraded_model_is_replaced_by_one_of_fresh_rows(watched: Watched) -> None:
    file = watched.folder / "assay.toml"
    file.write_text(file.read_text().replace("at_least = 0.6", "at_least = 0.999"))
    incident = asked(watched, TRUST)
    kinds = [e.kind for e in watched.events() if e.kind.startswith(("retrain.", "alias."))]
    assert kinds == ["alias.moved", "retrain.asked", "retrain.started", "retrain.judged",
                     "alias.moved"]  # fmt: skip
    judged, move = watched.events("retrain.judged")[0], watched.events("alias.moved")[-1]
    assert judged.data["difference"]["low"] > 0
    assert judged.data["against"] == "loans@1"
    assert judged.data["unchecked"] == 1
    assert "labels were trusted" in judged.data["reason"]
    assert (move.data["version"], move.agency, watched.champion()) == (2, "default", 2)
    assert watched.incidents().all[incident].actions(HANDED)
    sealed_alike(watched, judged.data["run"])
    tables_are_right(watched)


def sealed_alike(watched: Watched, run: str) -> None:
    """The criteria are the live version's, not the file's; the rows are the tool's choice."""
    events, store = watched.events(), watched.workspace().store
    entries = history.runs(events)
    first = next(iter(entries.values()))
    seals = [get_record(store, e.given["seal"], Seal) for e in (first, entries[run])]
    assert retraining.differences(*seals) == []
    assert seals[0].data != seals[1].data
    assert seals[1].gates == (GateSpec(metric="roc_auc", at_least=0.6),)
    made = next(e for e in events if e.kind == "seal.made" and e.data["run"] == run)
    read = next(e for e in events if e.kind == "test.read" and e.data["seal"] == made.subject)
    assert made.seq < read.seq
    spec = get_record(store, entries[run].spec, ProjectSpec)
    agencies = {c.path: c.agency for c in spec.choices}
    assert (agencies["data.source"], agencies["data.target"]) == ("default", "user")
    assert entries[run].folder == first.folder, "its other settings stay those of the project"


def tables_are_right(watched: Watched) -> None:
    """The newest rows are judged on; the others, and half of the old ones, are learned from."""
    folder = watched.store / "retrain" / "loans" / last(watched).id
    learned, test = pl.read_parquet(folder / TRAIN), pl.read_parquet(folder / TEST)
    assert (test.height, learned.height) == (270, 630 + 360)
    fresh = loans(900, 2, other=True)
    assert test["debt"].to_list() == fresh["debt"][-270:].to_list()
    assert learned.columns == fresh.columns


def test_nothing_is_retrained_twice_for_one_cause(watched: Watched) -> None:
    asked(watched, CHECK)
    assert last(watched).state == "refused"
    for _ in range(2):  # no label came since
        watched.judged(watched.verdict("degraded", broken=("roc_auc",)), WATCH, CHECK)
    retraining.join(watched.workspace(), "loans")
    assert len(watched.events("retrain.asked")) == 1
    paused = msgspec.structs.replace(CHECK, pause=3_600.0)
    span = watched.log(loans(400, 3, other=True))
    watched.judged(watched.verdict("degraded", broken=("roc_auc",), span=span), WATCH, paused)
    assert len(watched.events("retrain.asked")) == 1, "within the pause"
    watched.judged(watched.verdict("degraded", broken=("roc_auc",)), WATCH, CHECK)
    assert len(watched.events("retrain.asked")) == 2, "new labels came, and the pause is over"


def flip(share: float) -> Any:
    def spoil(labels: pl.Series) -> pl.Series:
        hit = pl.Series(np.random.default_rng(4).random(len(labels)) < share)
        other = labels.replace({"yes": "no", "no": "yes"})
        return other.zip_with(hit, labels)

    return spoil


def test_flipped_labels_are_refused_with_numbers_and_clean_ones_are_not(watched: Watched) -> None:
    incident = asked(watched, CHECK, "drift", spoil=flip(0.2))
    refused = watched.events("retrain.refused")[0]
    assert refused.data["code"] == "RETRAIN-LABELS"
    assert "%" in refused.data["reason"]
    assert {"scores", "all"} & {one["where"] for one in refused.data["evidence"]}
    assert refused.data["evidence"][0]["p"] < 1e-3
    assert watched.champion() == 1
    assert not (watched.store / "retrain" / "loans" / last(watched).id / TRAIN).exists()
    assert "retrain.refused" in [e.action for e in watched.incidents().all[incident].history]


def test_an_honest_shift_passes_and_a_model_that_is_not_worse_is_live(watched: Watched) -> None:
    asked(watched, CHECK, "drift", table=loans(900, 5, moved=6.0))
    retrain = last(watched)
    assert retrain.state == "done", retrain.reason
    assert watched.champion() == 2
    unchecked = retrain.data["unchecked"]
    assert 0 <= unchecked < 1
    assert ("a kind that training did not have" in retrain.reason) == (unchecked > 0)


def test_noise_that_is_trusted_fails_the_gates(watched: Watched) -> None:
    asked(watched, TRUST, "degraded", spoil=flip(0.5), table=loans(900, 2))
    refused = watched.events("retrain.refused")[0].data
    assert refused["stage"] == "judge"
    assert "its gates say" in refused["reason"]
    assert refused["verdict"] in ("rejected", "inconclusive")
    assert watched.champion() == 1


def test_where_performance_was_the_cause_no_worse_is_not_enough(watched: Watched) -> None:
    asked(watched, CHECK, "degraded", table=loans(900, 2))
    refused = watched.events("retrain.refused")[0].data
    assert "not shown to be better" in refused["reason"]
    assert refused["difference"]["low"] <= 0 < refused["difference"]["n"]


def test_it_waits_for_labels_and_says_so_once(watched: Watched) -> None:
    asked(watched, CHECK, labelled=False)
    watched.judged(watched.verdict("degraded", broken=("roc_auc",)), WATCH, CHECK)
    (incident,) = watched.incidents().all.values()
    (told,) = incident.actions(retraining.NOT_ASKED)
    assert "label" in told.text
    span = watched.log(loans(100, 6, other=True))
    watched.judged(watched.verdict("degraded", broken=("roc_auc",), span=span), WATCH, CHECK)
    (incident,) = watched.incidents().all.values()
    assert "fewer than 300 rows" in incident.actions(retraining.NOT_ASKED)[-1].text
    assert not watched.events("retrain.asked")
    with pytest.raises(UsageError) as wrong:
        handling.retrain(incident.id, store=watched.store)
    assert wrong.value.code == "INCIDENT-NO-RETRAIN"


def test_a_broken_feed_is_mended_not_learned(watched: Watched) -> None:
    span = watched.log(loans(900, 2))
    broken = Broken(code="WATCH-UNIT", column="income", severity="error", message="times 1000")
    verdict = watched.verdict("drift", drift=("income",), span=span, quality=(broken,))
    watched.judged(verdict, WATCH, CHECK)
    (incident,) = watched.incidents().all.values()
    assert incident.cause == "quality:WATCH-UNIT:income"
    assert incident.causes[0]["kind"] == "rows"
    assert "WATCH-UNIT" in incident.actions(retraining.NOT_ASKED)[0].text
    assert not watched.events("retrain.asked")


def test_a_person_agrees_before_training(watched: Watched) -> None:
    incident = asked(watched, msgspec.structs.replace(TRUST, approval="train"))
    assert (last(watched).state, last(watched).waits) == ("asked", "train")
    assert not watched.events("retrain.started")
    watched.assay("incidents", "approve", incident)
    assert watched.events("retrain.approved")[0].agency == "user"
    assert watched.champion() == 2
    watched.assay("incidents", "approve", incident, code=2)


def test_a_person_agrees_before_the_release_or_refuses(watched: Watched) -> None:
    incident = asked(watched, msgspec.structs.replace(TRUST, approval="release"))
    assert (last(watched).state, last(watched).waits) == ("judged", "release")
    assert watched.champion() == 1
    with pytest.raises(Refused) as reason:
        handling.refuse(incident, " ", store=watched.store)
    assert reason.value.code == "INCIDENT-REASON"
    watched.assay("incidents", "refuse", incident, "--reason", "after the holidays")
    refused = watched.events("retrain.refused")[0]
    assert (refused.agency, refused.data["stage"]) == ("user", "release")
    with pytest.raises(UsageError) as wrong:
        handling.approve(incident, store=watched.store)
    assert wrong.value.code == "INCIDENT-NOT-WAITING"


def test_it_waits_for_another_release_and_leaves_what_a_person_promoted(watched: Watched) -> None:
    incident = asked(watched, msgspec.structs.replace(TRUST, approval="release"))
    workspace, context = watched.workspace(), watched.workspace().context()
    arms = {"candidate": {"version": 3, "package": "c"}, "control": {"version": 1, "package": "l"}}
    context.append(
        "release.started", "loans", release="other", salt="s", reason="",
        section=msgspec.to_builtins(ReleaseSection()), **arms,
    )  # fmt: skip
    handling.approve(incident, store=watched.store)
    known = watched.incidents().all[incident]
    assert retraining.carry(workspace, known).state == "judged", "the other one is on"
    assert watched.champion() == 1
    ended = {"release": "other", "decision": "aborted", "reason": "", "numbers": []}
    context.append("release.decided", "loans", agency="user", **ended)
    with ThreadPoolExecutor(1) as pool:
        with workspace.lock(starting("loans"), lambda _: None):  # as a promotion by hand does
            going = pool.submit(retraining.carry, workspace, known)
            time.sleep(0.5)
            assert not going.done()
            moved = watched.events("alias.moved")[-1]
            context.append("alias.moved", "loans", agency="user", **moved.data | {"version": 3})
        assert going.result().state == "refused"
    assert "no longer live" in watched.events("retrain.refused")[0].data["reason"]
    assert [e.data["version"] for e in watched.events("alias.moved")] == [1, 3]


def test_one_that_dies_at_once_is_not_started_at_every_look(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked(watched, msgspec.structs.replace(TRUST, approval="train"))
    context = watched.workspace().context()
    context.append("retrain.approved", "loans", agency="user", retrain=last(watched).id)

    def starts() -> int:
        texts = list(retraining.go_on(watched.workspace(), "loans", watched.retrains()))
        if texts:
            retraining._started[watched.store, "loans"].wait()
        return len(texts)

    with monkeypatch.context() as dying:
        dying.setattr(sys, "executable", "/bin/false")
        assert [starts() for _ in range(3)] == [1, 0, 0]
        dying.setattr(retraining, "SPELL", 0.0)
        assert starts() == 1


def test_one_that_is_killed_goes_on_where_it_was(watched: Watched) -> None:
    span = watched.log(loans(900, 2, other=True))
    verdict = watched.verdict("degraded", broken=("roc_auc",), span=span)
    closing = Closing(watched.workspace())
    closing.act(verdict, WATCH, TRUST)
    process = retraining._started[watched.store, "loans"]
    done = len(watched.events("work.finished"))
    eventually(lambda: len(watched.events("work.finished")) > done + 2, 60)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert not watched.events("retrain.judged")
    closing.look("loans")
    retraining.join(watched.workspace(), "loans")
    assert watched.champion() == 2
    assert len(watched.events("retrain.started")) == 2
    assert len(watched.events("run.started")) == 2, "the one before, and this one"
    keys = [e.data["key"] for e in watched.events("work.finished")]
    assert len(keys) == len(set(keys)), "nothing was made twice"


def test_two_at_once_make_one_model(watched: Watched) -> None:
    incident = asked(watched, msgspec.structs.replace(TRUST, approval="train"))
    watched.workspace().context().append(
        "retrain.approved", "loans", agency="user", retrain=last(watched).id, incident=incident,
        stage="train",
    )  # fmt: skip
    words = [sys.executable, "-m", "assay.cli.main", "incidents", "retrain", incident]
    both = [
        subprocess.Popen([*words, "--store", str(watched.store)], stdout=subprocess.DEVNULL,
                         stderr=subprocess.PIPE)
        for _ in range(3)
    ]  # fmt: skip
    said = [process.communicate()[1].decode() for process in both]
    assert [process.returncode for process in both] == [0, 0, 0], said
    assert len(watched.events("retrain.started")) == 1
    assert len(watched.events("retrain.judged")) == 1
    assert [e.data["version"] for e in watched.events("alias.moved")] == [1, 2]


def test_rows_before_the_window_and_thinned_ones_are_left_out(watched: Watched) -> None:
    watched.log(loans(600, 7), days=30)
    section = msgspec.structs.replace(
        TRUST, window=3 * 86_400.0, half_life=0.2 * 86_400.0, replay=0.0, rows=800
    )
    asked(watched, section)
    folder = watched.store / "retrain" / "loans" / last(watched).id
    learned, test = pl.read_parquet(folder / TRAIN), pl.read_parquet(folder / TEST)
    assert test.height == 240
    assert 100 < learned.height < 500
    fresh = set(loans(900, 2, other=True)["debt"].to_list())
    assert set(learned["debt"].to_list()) <= fresh


@pytest.fixture
def client(watched: Watched) -> Iterator[Client]:
    """Return a client of a running server."""
    serving = launch(Shop(watched.folder), "loans")
    try:
        wait_ready(serving)
        yield serving.client()
    finally:
        serving.close()


@pytest.mark.slow
def test_a_server_releases_it_step_by_step(watched: Watched, client: Client) -> None:
    incident = asked(watched, TRUST)
    assert watched.events("release.started")[0].agency == "default"
    assert watched.champion() == 1, "a canary decides"
    rows = loans(50, 9).drop("default").to_dicts()
    begun = time.monotonic()
    while watched.champion() == 1 and time.monotonic() - begun < 90:
        for row in rows:
            client.predict(row)
    (decided,) = (e.data for e in eventually(lambda: watched.events("release.decided")))
    assert decided["decision"] == "promoted", decided["reason"]
    assert watched.champion() == 2
    for _ in range(2):
        watched.judged(watched.verdict("steady"), WATCH, TRUST)
    found = watched.incidents().all[incident]
    assert found.actions(RELEASE_ENDED)
    assert not found.open


def test_criteria_that_would_be_others_are_refused(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    def other(*given: Any) -> Prepared:
        made = prepare_spec(*given)
        return replace(made, seal=msgspec.structs.replace(made.seal, primary="accuracy"))

    incident = asked(watched, msgspec.structs.replace(TRUST, approval="train"))
    monkeypatch.setattr(retraining, "prepare_spec", other)
    assert handling.approve(incident, store=watched.store).state == "refused"
    refused = watched.events("retrain.refused")[0].data
    assert (refused["code"], refused["evidence"]) == ("RETRAIN-SEAL", ["primary"])


def test_what_a_lost_run_knew_is_not_known(trained: Watched) -> None:
    live = Live.open(trained.workspace(), trained.events(), "loans")
    known = live.known()
    assert known.table.height == known.truth.size == len(known.answers.values) == 720
    with pytest.raises(Refused) as lost:
        replace(live, view=replace(live.view, leaderboard=None)).known()
    assert lost.value.code == "RETRAIN-NO-RUN"
