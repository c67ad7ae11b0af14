"""From events of a real ledger to real receivers, once each."""

from __future__ import annotations

import threading
import time
from datetime import datetime, timedelta

import pytest
from receivers import Inbox, Mailbox
from verdicts import broken, judged, measured, moved, objective, verdict

from assay.alert import plan, webhook
from assay.alert.fold import FAILED, RAISED, RESOLVED, SENT, SILENCED, Alerts, Silence
from assay.kernel.ledger import verify_chain
from assay.lifecycle.alerting import telling
from assay.lifecycle.alerting.evidence import PAGE
from assay.lifecycle.alerting.exposed import FILE
from assay.lifecycle.alerting.telling import Teller, tell, write
from assay.records.event import Event
from assay.records.spec import AlertSpec
from assay.stores import chain
from assay.stores.workspace import Workspace, open_workspace

ALL = ("drift", "degraded", "quality", "objective", "incident", "retrain", "release")


@pytest.fixture
def workspace(tmp_path) -> Workspace:
    return open_workspace(tmp_path / "store")


@pytest.fixture
def clock(monkeypatch):
    """Return a function that lets time pass, for the teller and for the ledger."""
    past = [timedelta()]

    class Later(datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime.now(tz) + past[0]

    monkeypatch.setattr(telling, "datetime", Later)
    monkeypatch.setattr(chain, "datetime", Later)

    def go_on(seconds: float) -> None:
        past[0] += timedelta(seconds=seconds)

    return go_on


def hook(inbox: Inbox, *on: str, **more) -> AlertSpec:
    return AlertSpec(to=f"webhook:{inbox.url}", on=on or ALL, **more)


def events(workspace: Workspace, *kinds: str) -> list[Event]:
    found = list(workspace.ledger.read())
    assert verify_chain(found) == len(found)
    return [event for event in found if event.kind in kinds]


def test_drift_is_told_once_goes_on_in_silence_and_ends(workspace, inbox):
    specs = [hook(inbox)]
    for window, made in enumerate(
        (
            verdict("steady"),
            verdict(drift=(moved("fee"),)),
            verdict(drift=(moved("fee"),), window=2),
            verdict(drift=(moved("fee"), moved("region")), window=3),
            verdict("unknown", window=4),
            verdict("steady", window=5),
            verdict("steady", window=6),
        )
    ):
        source = judged(workspace, made)
        tell(workspace, "churn", specs)
        if window == 1:
            first = source
    raised, more, over = inbox.told
    assert [told["state"] for told in inbox.told] == ["firing", "firing", "resolved"]
    assert [a["cause"] for a in raised["alerts"]] == ["fee"]
    assert [a["cause"] for a in more["alerts"]] == ["region"]
    assert [a["cause"] for a in over["alerts"]] == ["fee", "region"]
    assert over["thread"] == raised["thread"] == raised["id"] != over["id"]
    assert raised["evidence"]["event"] == first.seq
    assert raised["evidence"]["digest"] == first.digest
    assert raised["evidence"]["record"] == first.data["record"]
    assert workspace.store.has(raised["evidence"]["record"])
    assert not Alerts(events(workspace, RAISED, RESOLVED)).firing("churn")


def test_who_asks_for_a_kind_hears_of_it_and_nobody_else(
    workspace, inbox, mailbox: Mailbox, monkeypatch
):
    monkeypatch.setenv("ASSAY_SMTP", mailbox.url)
    specs = [
        hook(inbox, "degraded", "objective"),
        AlertSpec(to="mail:me@example.org", on=("quality",)),
    ]
    judged(workspace, verdict("degraded", performance=(measured(),), quality=(broken(),),
                              drift=(moved("fee"),), objectives=(objective(),)))  # fmt: skip
    tell(workspace, "churn", specs)
    assert inbox.states == [("degraded", "firing"), ("objective", "firing")]
    (mail,) = mailbox.got
    assert mail["subject"] == "[churn@2] quality: MISSING fee"
    assert set(Alerts(workspace.ledger.read()).firing("churn")) == {
        ("degraded", "roc_auc"),
        ("quality", "MISSING fee"),
        ("drift", "fee"),
        ("objective", "errors"),
    }


def test_the_ledger_says_it_before_and_after(workspace, inbox):
    judged(workspace, verdict(drift=(moved("fee"),)))
    inbox.open.clear()
    thread = threading.Thread(target=tell, args=(workspace, "churn", [hook(inbox)]))
    thread.start()
    end = time.monotonic() + 20
    while not events(workspace, RAISED):
        assert time.monotonic() < end
        time.sleep(0.01)
    assert events(workspace, SENT) == []
    inbox.open.set()
    thread.join()
    (raised,), (sent,) = events(workspace, RAISED), events(workspace, SENT)
    assert sent.data["notice"] == raised.digest[:16] == inbox.told[0]["id"]
    assert raised.parents == (raised.data["evidence"]["record"],)


def test_no_address_and_no_secret_is_in_the_ledger_or_said(workspace, inbox, monkeypatch):
    monkeypatch.setenv("ASSAY_ALERT_SECRET", "k3y")
    said: list[str] = []
    specs = [hook(inbox), AlertSpec(to="command:false --key hush", on=ALL)]
    inbox.status = 500
    judged(workspace, verdict(drift=(moved("fee"),)))
    tell(workspace, "churn", specs, lambda note: said.append(note.text))
    assert len(said) == 2
    files = b"".join(p.read_bytes() for p in workspace.root.rglob("*") if p.is_file())
    assert b"webhook:http://127.0.0.1" in files
    for secret in ("s3cret", "hush", "k3y"):
        assert secret.encode() not in files
        assert secret not in "".join(said)


def test_what_fails_is_tried_again_later_and_later_under_the_same_id(workspace, inbox, clock):
    inbox.status = 503
    judged(workspace, verdict(drift=(moved("fee"),)))
    teller = Teller(workspace, "churn", [hook(inbox)])
    tries = []
    for _ in range(80):
        teller.look()
        tries.append(len(inbox.got))
        clock(5)
    changed = [5 * i for i in range(1, 80) if tries[i] > tries[i - 1]]
    assert (tries[0], changed) == (1, [30, 90, 210])
    assert len({told["id"] for told in inbox.told}) == 1
    assert all("503" in e.data["error"] for e in events(workspace, FAILED))
    inbox.status = 200
    clock(3600)
    teller.look()
    clock(3600)
    teller.look()
    assert len(inbox.got) == 5
    assert len(events(workspace, SENT)) == 1


def test_a_notice_that_nobody_takes_is_given_up_after_a_day(workspace, inbox, clock):
    inbox.status = 503
    judged(workspace, verdict(drift=(moved("fee"),)))
    teller = Teller(workspace, "churn", [hook(inbox)])
    teller.look()
    clock(plan.KEPT + 1)
    teller.look()
    clock(plan.KEPT)
    teller.look()
    assert [event.data["final"] for event in events(workspace, FAILED)] == [False, True]
    assert len(inbox.got) == 2


def test_a_channel_that_is_down_is_asked_once_and_holds_up_no_other(
    workspace, inbox, clock, monkeypatch
):
    monkeypatch.setattr(webhook, "TIMEOUT", 0.3)
    judged(workspace, verdict("degraded", performance=(measured(),), drift=(moved("fee"),)))
    dead = AlertSpec(to="webhook:http://127.0.0.1:1/", on=ALL)
    teller = Teller(workspace, "churn", [dead, hook(inbox)])
    teller.look()
    assert inbox.states == [("degraded", "firing"), ("drift", "firing")]
    assert [e.data["down"] for e in events(workspace, FAILED)] == [True]
    teller.look()
    assert len(events(workspace, FAILED)) == 1
    clock(31)
    teller.look()
    assert len(events(workspace, FAILED)) == 2
    assert len(inbox.got) == 2


def test_a_channel_that_hangs_is_left_after_a_while(workspace, inbox, monkeypatch):
    monkeypatch.setattr(telling, "PATIENCE", 0.3)
    inbox.open.clear()
    judged(workspace, verdict(drift=(moved("fee"),)))
    begun = time.monotonic()
    tell(workspace, "churn", [hook(inbox)])
    assert time.monotonic() - begun < 8
    (failed,) = events(workspace, FAILED)
    assert failed.data["code"] == "ALERT-UNREACHABLE"


def test_a_kill_between_raising_and_sending_loses_nothing(workspace, inbox, monkeypatch):
    judged(workspace, verdict("degraded", performance=(measured(),), drift=(moved("fee"),)))
    real, count = telling.write, [0]

    def dies(*words, **named):
        count[0] += 1
        if count[0] == 2:
            raise KeyboardInterrupt
        return real(*words, **named)

    monkeypatch.setattr(telling, "write", dies)
    with pytest.raises(KeyboardInterrupt):
        tell(workspace, "churn", [hook(inbox)])
    assert len(events(workspace, RAISED)) == 1
    monkeypatch.setattr(telling, "write", real)
    for _ in range(3):
        tell(workspace, "churn", [hook(inbox)])
    assert sorted(inbox.states) == [("degraded", "firing"), ("drift", "firing")]


def test_a_kill_after_sending_sends_again_under_the_same_id(workspace, inbox, monkeypatch):
    judged(workspace, verdict(drift=(moved("fee"),)))
    real = telling.write

    def dies(workspace, kind, *words):
        if kind == SENT:
            raise KeyboardInterrupt
        return real(workspace, kind, *words)

    monkeypatch.setattr(telling, "write", dies)
    with pytest.raises(KeyboardInterrupt):
        tell(workspace, "churn", [hook(inbox)])
    monkeypatch.setattr(telling, "write", real)
    tell(workspace, "churn", [hook(inbox)])
    assert len(inbox.got) == 2
    assert inbox.got[0][1] == inbox.got[1][1]


def test_many_at_once_raise_and_send_once(workspace, inbox):
    judged(workspace, verdict("degraded", performance=(measured(),), drift=(moved("fee"),)))
    threads = [
        threading.Thread(target=tell, args=(open_workspace(workspace.root), "churn", [hook(inbox)]))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    tell(workspace, "churn", [hook(inbox)])
    assert sorted(inbox.states) == [("degraded", "firing"), ("drift", "firing")]
    assert len(events(workspace, RAISED)) == 2


def silence(
    workspace: Workspace, seconds: float, kind: str | None = None, column: str | None = None
):
    until = (telling._now() + timedelta(seconds=seconds)).isoformat(timespec="microseconds")
    write(workspace, SILENCED, "churn",
          {"kind": kind, "column": column, "until": until, "reason": "known"})  # fmt: skip


def test_a_silence_is_kept_over_a_restart_and_what_still_holds_is_told_after(
    workspace, inbox, clock
):
    silence(workspace, 3600, "drift", "fee")
    judged(workspace, verdict(drift=(moved("fee"), moved("region"))))
    tell(workspace, "churn", [hook(inbox)])
    assert [a["cause"] for told in inbox.told for a in told["alerts"]] == ["region"]
    clock(3000)
    tell(workspace, "churn", [hook(inbox)])
    assert len(inbox.got) == 1
    clock(700)
    tell(workspace, "churn", [hook(inbox)])
    assert [a["cause"] for a in inbox.told[1]["alerts"]] == ["fee"]
    assert inbox.told[1]["again"]
    tell(workspace, "churn", [hook(inbox)])
    assert len(inbox.got) == 2


def test_what_ends_in_a_silence_is_never_told(workspace, inbox, clock):
    silence(workspace, 3600)
    judged(workspace, verdict(drift=(moved("fee"),)))
    judged(workspace, verdict("steady", window=1))
    tell(workspace, "churn", [hook(inbox)])
    clock(4000)
    tell(workspace, "churn", [hook(inbox)])
    assert inbox.got == []


def test_a_silence_of_one_column_keeps_no_other_kind_quiet(workspace, inbox):
    silence(workspace, 3600, "drift", "fee")
    judged(workspace, verdict(drift=(moved("fee"),), quality=(broken(column="fee"),)))
    tell(workspace, "churn", [hook(inbox)])
    assert inbox.states == [("quality", "firing")]


def test_a_silence_that_is_ended_early_is_over(workspace, inbox):
    silence(workspace, 3600, "drift")
    silence(workspace, 0, "drift")
    judged(workspace, verdict(drift=(moved("fee"),)))
    tell(workspace, "churn", [hook(inbox)])
    assert inbox.states == [("drift", "firing")]


def test_what_lasts_is_repeated_with_the_newest_numbers(workspace, inbox, clock):
    specs = [hook(inbox, repeat=600.0)]
    judged(workspace, verdict(drift=(moved("fee"),)))
    tell(workspace, "churn", specs)
    judged(workspace, verdict(drift=(moved("fee", reading="mean 3 to 9"),), window=1))
    for _ in range(13):
        tell(workspace, "churn", specs)
        clock(100)
    first, second, third = inbox.told
    assert (first["again"], second["again"], third["again"]) == (False, True, True)
    assert "mean 3 to 9" in second["text"]
    assert second["thread"] == first["id"]


def test_a_channel_that_is_new_hears_what_holds(workspace, inbox):
    judged(workspace, verdict(drift=(moved("fee"),)))
    tell(workspace, "churn", [])
    assert inbox.got == []
    tell(workspace, "churn", [hook(inbox)])
    tell(workspace, "churn", [hook(inbox)])
    assert inbox.states == [("drift", "firing")]


def test_a_channel_that_has_gone_from_the_file_gets_nothing_more(workspace, inbox, clock):
    inbox.status = 500
    judged(workspace, verdict(drift=(moved("fee"),)))
    tell(workspace, "churn", [hook(inbox)])
    clock(1000)
    tell(workspace, "churn", [])
    assert len(inbox.got) == 1


def test_ends_are_not_told_where_the_file_says_so(workspace, inbox):
    for made in (verdict(drift=(moved("fee"),)), verdict("steady", window=1)):
        judged(workspace, made)
        tell(workspace, "churn", [hook(inbox, resolved=False)])
    assert inbox.states == [("drift", "firing")]


def test_what_comes_back_is_a_new_alert(workspace, inbox):
    for window, outcome in enumerate(("drift", "steady", "drift")):
        drift = (moved("fee"),) if outcome == "drift" else ()
        judged(workspace, verdict(outcome, drift=drift, window=window))
        tell(workspace, "churn", [hook(inbox)])
    first, _, third = inbox.told
    assert third["thread"] == third["id"] != first["id"]


def test_incidents_retrainings_and_releases_are_told(workspace, inbox):
    context = workspace.context()
    context.append("release.decided", "churn", release="r0", decision="promoted", reason="long ago")
    judged(workspace, verdict("steady"))
    context.append("incident.opened", "churn", incident="i1", cause="drift:fee", reason="fee moved")
    context.append("incident.opened", "other", incident="i2", cause="drift:fee", reason="fee moved")
    context.append(
        "retrain.refused", "churn", retrain="t1", incident="i1", reason="labels contradict"
    )
    context.append("release.decided", "churn", release="r1", decision="aborted", reason="slower")
    context.append("incident.resolved", "churn", incident="i1", text="calm")
    for _ in range(2):
        tell(workspace, "churn", [hook(inbox)])
    assert [(told["kind"], told["state"]) for told in inbox.told] == [
        ("incident", "firing"),
        ("retrain", "firing"),
        ("release", "firing"),
        ("incident", "resolved"),
    ]
    assert inbox.told[0]["title"] == "[churn] incident i1: drift:fee (fee moved)"
    assert inbox.told[0]["evidence"]["command"] == "assay incidents show i1"
    assert inbox.told[2]["evidence"]["command"] == "assay release churn"
    book = Alerts(workspace.ledger.read())
    assert book.firing("churn") == {}


def test_the_numbers_for_prometheus_are_those_of_the_last_verdict(workspace):
    judged(workspace, verdict(drift=(moved("fee"),), objectives=(objective(),)))
    tell(workspace, "churn", [])
    file = workspace.root / "watch" / "churn" / FILE
    text = file.read_text()
    assert 'assay_watch_verdict{model="churn",verdict="drift"} 1' in text
    assert 'assay_watch_effect{model="churn",column="fee",of="input"} 0.4' in text
    assert 'assay_alerts_firing{model="churn",kind="drift"} 1' in text
    assert 'assay_watch_budget_left{model="churn",objective="errors"} -1.0' in text
    judged(workspace, verdict("steady", window=1))
    tell(workspace, "churn", [])
    assert 'verdict="drift"} 0' in file.read_text()
    assert [p.name for p in file.parent.iterdir()] == [FILE]


def test_a_long_steady_history_is_read_fast(workspace: Workspace, inbox):
    judged(workspace, verdict("steady"))
    one = workspace.store.get
    reads = []
    object.__setattr__(workspace.store, "get", lambda digest: reads.append(digest) or one(digest))
    for window in range(1, 10):
        judged(workspace, verdict("steady", window=window))
    tell(workspace, "churn", [hook(inbox)])
    assert len(reads) <= 1  # the last one, for Prometheus


def test_what_is_ended_by_hand_stays_so_until_a_window_shows_it_again(workspace, inbox):
    specs = [hook(inbox)]
    judged(workspace, verdict(drift=(moved("fee"), moved("region"))))
    tell(workspace, "churn", specs)
    judged(workspace, verdict(drift=(moved("fee"), moved("region")), window=1))  # nothing is new
    workspace.context().append("incident.opened", "churn", incident="i1", cause="c", reason="r")
    chosen = Silence("churn", "drift", "fee", "9", "seen", "")
    over = Teller(workspace, "churn", specs).end(chosen)
    assert [alert.name for alert in over] == [("drift", "fee")]
    for _ in range(2):
        tell(workspace, "churn", specs)
    assert set(Alerts(workspace.ledger.read()).firing("churn")) == {
        ("drift", "region"),
        ("incident", "i1"),  # what nobody had told of yet is not lost
    }
    judged(workspace, verdict(drift=(moved("fee"),), window=2))
    tell(workspace, "churn", specs)
    assert inbox.states == [
        ("drift", "firing"),
        ("incident", "firing"),
        ("drift", "resolved"),
        ("drift", "resolved"),
        ("drift", "firing"),
    ]


def test_a_link_to_the_page_where_one_is_open(workspace, inbox):
    (workspace.root / PAGE).write_text("http://localhost:8090")
    judged(workspace, verdict(drift=(moved("fee"),), window=3))
    tell(workspace, "churn", [hook(inbox)])
    (told,) = inbox.told
    assert told["evidence"]["url"] == "http://localhost:8090/models/churn/windows/3"
    assert "http://localhost:8090/models/churn/windows/3" in told["text"]


def test_a_record_that_was_cleared_away_stops_nothing(workspace, inbox):
    gone = judged(workspace, verdict(drift=(moved("fee"),)))
    next(workspace.root.rglob(f"*{gone.data['record'][8:]}*")).unlink()
    tell(workspace, "churn", [hook(inbox)])
    judged(workspace, verdict(drift=(moved("region"),), window=1))
    tell(workspace, "churn", [hook(inbox)])
    assert [a["cause"] for told in inbox.told for a in told["alerts"]] == ["region"]


def test_what_went_out_is_written_while_another_channel_hangs(workspace, inbox):
    inbox.open.clear()
    judged(workspace, verdict(drift=(moved("fee"),)))
    specs = [hook(inbox), AlertSpec(to="command:true", on=ALL)]
    thread = threading.Thread(target=tell, args=(workspace, "churn", specs))
    thread.start()
    end = time.monotonic() + 20
    while not events(workspace, SENT):
        assert time.monotonic() < end
        time.sleep(0.01)
    inbox.open.set()
    thread.join()
    assert events(workspace, SENT)[0].data["to"].startswith("command:true")


def test_times_are_of_the_ledger(workspace, inbox):
    judged(workspace, verdict(drift=(moved("fee"),)))
    tell(workspace, "churn", [hook(inbox)])
    (raised,) = events(workspace, RAISED)
    assert inbox.told[0]["at"] == raised.at
    assert datetime.fromisoformat(raised.at).tzinfo is not None
