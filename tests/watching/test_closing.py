"""What verdicts lead to: incidents that last, and a way back, never twice the same."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from logged import DAY, Watched, loans

from assay.lifecycle.incidents.closing import BACK, Closing, act
from assay.lifecycle.incidents.incidents import CALM, SEEN
from assay.lifecycle.models import rollback
from assay.lifecycle.releasing import release
from assay.records.spec import RetrainSection, WatchSection

sys.path.insert(0, str(Path(__file__).parents[1] / "serving"))
from shop import Client, Shop, eventually, launch, wait_ready

FILED = WatchSection()
ROLLBACK = WatchSection(on_degraded=("incident", "rollback"))


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Watched:
    """Return loans at versions 1 and 2 (the champion), which nobody may change."""
    watched = Watched(tmp_path_factory.mktemp("loans"))
    watched.write(loans(700, 1))
    watched.train()
    watched.train("split.seed=3")
    assert watched.champion() == 2
    return watched


@pytest.fixture
def watched(trained: Watched, tmp_path: Path) -> Watched:
    return trained.copy(tmp_path / "loans")


def moved(watched: Watched) -> list[tuple[int, str]]:
    """Return where the champion alias went, and by whose choice."""
    return [(e.data["version"], e.agency) for e in watched.events("alias.moved")]


def test_a_fault_that_lasts_is_one_incident_until_windows_are_calm(watched: Watched) -> None:
    watched.judged(watched.verdict("drift", drift=("income",)), FILED)
    watched.judged(watched.verdict("drift", drift=("income", "debt")), FILED)
    watched.judged(watched.verdict("degraded", drift=("income",), broken=("roc_auc",)), FILED)
    (incident,) = watched.incidents().all.values()
    assert (incident.cause, incident.status) == ("drift:income", "open")
    assert set(incident.symptoms) == {"drift:income", "drift:debt", "degraded:roc_auc"}
    assert (incident.rows, incident.windows) == (1_500, 3)
    assert incident.severity == "degraded"
    assert incident.detected_s == pytest.approx(DAY)
    watched.judged(watched.verdict("steady"), FILED)
    watched.judged(watched.verdict("unknown", rows=3), FILED)
    assert watched.incidents().open("loans"), "a window too small to judge calms nobody"
    said = watched.judged(watched.verdict("steady"), FILED)
    assert "resolved" in said[-1]
    (incident,) = watched.incidents().all.values()
    assert not incident.open
    assert incident.recovered_s == pytest.approx(3 * DAY)
    assert CALM == 2


def test_calm_is_counted_anew_when_it_shows_again(watched: Watched) -> None:
    for outcome in ("drift", "steady", "drift", "steady"):
        watched.judged(
            watched.verdict(outcome, drift=("fee",) if outcome == "drift" else ()), FILED
        )
    (incident,) = watched.incidents().all.values()
    assert (incident.open, incident.calm, incident.windows) == (True, 1, 2)


def test_another_fault_after_a_calm_window_is_an_incident_of_its_own(watched: Watched) -> None:
    watched.judged(watched.verdict("drift", drift=("income",)), FILED)
    watched.judged(watched.verdict("steady"), FILED)
    said = watched.judged(watched.verdict("degraded", broken=("roc_auc",)), ROLLBACK)
    first, second = watched.incidents().all.values()
    assert (first.cause, second.cause) == ("drift:income", "degraded:roc_auc")
    assert any("version 1 has every request again" in text for text in said)


def test_acting_twice_on_a_verdict_does_no_more_than_once(watched: Watched) -> None:
    first = watched.verdict("drift", drift=("income",))
    again = watched.verdict("drift", drift=("income",))
    for verdict in (first, again):
        watched.judged(verdict, FILED)
        before = len(watched.events())
        assert act(watched.workspace(), verdict, FILED, RetrainSection()) == ()
        assert len(watched.events()) == before
    assert len(watched.incidents().all) == 1


def test_rows_and_service_have_incidents_of_their_own(watched: Watched) -> None:
    watched.judged(watched.verdict("degraded", drift=("income",), objective="latency"), FILED)
    assert {i.cause for i in watched.incidents().open("loans")} == {
        "drift:income",
        "objective:latency",
    }
    watched.judged(watched.verdict("degraded", objective="latency"), FILED)
    watched.judged(watched.verdict("degraded", objective="latency"), FILED)
    assert [i.cause for i in watched.incidents().open("loans")] == ["objective:latency"]


def test_nothing_is_done_that_the_file_does_not_ask_for(watched: Watched) -> None:
    silent = WatchSection(on_drift=(), on_degraded=())
    verdict = watched.verdict("degraded", drift=("income",), broken=("roc_auc",))
    assert watched.judged(verdict, silent) == ()
    assert not watched.incidents().all


def test_a_change_of_version_that_degrades_is_taken_back_once(watched: Watched) -> None:
    said = watched.judged(watched.verdict("degraded", broken=("roc_auc",)), ROLLBACK)
    assert any("version 1 has every request again" in text for text in said)
    assert moved(watched)[-1] == (1, "default")
    (incident,) = watched.incidents().all.values()
    assert incident.causes[0]["kind"] == "version"
    assert incident.causes[0]["events"]
    (back,) = incident.actions(BACK)
    assert (back.data["version"], back.data["to"], len(back.record)) == (2, 1, 64)
    moves = len(moved(watched))
    for _ in range(3):  # the version before is no better: there is no way back and forth
        watched.judged(watched.verdict("degraded", broken=("roc_auc",)), ROLLBACK)
    assert len(moved(watched)) == moves
    assert len(watched.incidents().all[incident.id].actions(SEEN)) == 3


def test_a_version_that_was_taken_back_is_not_gone_back_to(watched: Watched) -> None:
    watched.judged(watched.verdict("degraded", broken=("roc_auc",)), ROLLBACK)
    (incident,) = watched.incidents().all.values()
    watched.assay("incidents", "resolve", incident.id, "--reason", "taken back")
    watched.assay("promote", "loans@2", "--reason", "it was the feed")
    watched.train("split.seed=4")
    assert watched.champion() == 3
    watched.judged(watched.verdict("degraded", broken=("roc_auc",)), ROLLBACK)
    assert watched.champion() == 3, "version 2 degraded itself"


def test_an_old_change_and_an_older_fault_are_not_blamed_on_the_version(watched: Watched) -> None:
    short = WatchSection(on_degraded=("incident", "rollback"), rollback=0.001)
    watched.judged(watched.verdict("degraded", broken=("roc_auc",)), short)
    assert watched.champion() == 2
    watched.train("split.seed=4")  # the incident is open, so this change did not cause it
    watched.judged(watched.verdict("degraded", broken=("roc_auc",)), ROLLBACK)
    assert watched.champion() == 3


def test_what_is_degraded_is_the_live_version_and_no_other(watched: Watched) -> None:
    verdict = watched.verdict("degraded", broken=("roc_auc",))
    watched.assay("rollback", "loans", "--reason", "a person was quicker")
    watched.judged(verdict, ROLLBACK)
    assert moved(watched)[-1] == (1, "user")


def test_a_release_that_is_on_is_ended(watched: Watched) -> None:
    watched.train("split.seed=4")
    watched.assay("rollback", "loans", "--reason", "to release it slowly")
    release.start("loans@3", store=watched.store)
    watched.judged(watched.verdict("degraded", broken=("roc_auc",)), ROLLBACK)
    assert release.status("loans", store=watched.store).release.state == "aborted"
    assert watched.events("release.decided")[-1].agency == "default"
    assert watched.champion() == 2


def test_a_way_back_is_noted_though_it_was_killed_in_between(watched: Watched) -> None:
    verdict = watched.verdict("degraded", broken=("roc_auc",))
    watched.judged(verdict, FILED)
    (incident,) = watched.incidents().all.values()
    why = f"incident {incident.id}: version 2, live since then, degraded"
    rollback("loans", why, store=watched.store, by_hand=False)
    act(watched.workspace(), verdict, ROLLBACK, RetrainSection())
    (back,) = watched.incidents().all[incident.id].actions(BACK)
    assert (back.data["version"], back.data["to"]) == (2, 1)
    assert moved(watched)[-1] == (1, "default")


def test_two_that_act_at_once_open_one_incident(watched: Watched) -> None:
    verdict = watched.verdict("degraded", broken=("roc_auc",))
    both = [
        threading.Thread(
            target=act, args=(watched.workspace(), verdict, ROLLBACK, RetrainSection())
        )
        for _ in range(4)
    ]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()
    assert len(watched.events("incident.opened")) == 1
    assert [v for v, _ in moved(watched)] == [1, 2, 1]


def test_one_that_acts_for_long_reads_on_where_it_was(watched: Watched) -> None:
    closing = Closing(watched.workspace())
    for _ in range(3):
        closing.act(watched.verdict("drift", drift=("income",)), FILED, RetrainSection())
    other = Closing(watched.workspace())
    other.act(watched.verdict("drift", drift=("income",)), FILED, RetrainSection())
    closing.act(watched.verdict("drift", drift=("debt",)), FILED, RetrainSection())
    (incident,) = watched.incidents().all.values()
    assert incident.windows == 5


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
def test_a_server_follows_a_way_back_within_five_seconds(watched: Watched, client: Client) -> None:
    row = loans(1, 9).drop("default").to_dicts()[0]
    assert client.predict(row)["model"] == "loans@2"
    verdict = watched.verdict("degraded", broken=("roc_auc",))
    began = time.monotonic()
    watched.judged(verdict, ROLLBACK)
    eventually(lambda: client.predict(row)["model"] == "loans@1")
    assert time.monotonic() - began < 5
