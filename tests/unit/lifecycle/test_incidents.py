"""Symptoms, causes and the fold of incidents and retrainings, on events alone."""

from __future__ import annotations

from typing import Any

import pytest

from assay.errors import UsageError
from assay.kernel.stage import Context
from assay.lifecycle.incidents.causes import causes
from assay.lifecycle.incidents.incidents import (
    NOTED,
    OPENED,
    SEEN,
    Incident,
    Incidents,
    between,
    note,
    resolve,
)
from assay.lifecycle.incidents.symptoms import cause_of, explains, of_key, symptoms
from assay.lifecycle.retraining.retrains import Retrains
from assay.records.event import Event
from assay.records.spec import WatchSection
from assay.records.watch import Broken, Measured, Moved, Objective, WatchVerdict
from assay.stores.workspace import open_workspace

NOW = "2026-11-22T12:00:00.000000+00:00"


def verdict(**more: Any) -> WatchVerdict:
    return WatchVerdict(
        model="m", version=2, package="p", window=4, rows=100, reason="r", since=NOW, until=NOW,
        **{"verdict": "drift", **more},
    )  # fmt: skip


def moved(column: str, **more: Any) -> Moved:
    return Moved(column=column, **{"effect": 0.2, "p": 1e-6, "flagged": True, **more})


def broken(metric: str, **more: Any) -> Measured:
    return Measured(
        metric=metric, value=0.5, low=0.4, high=0.6, n=100, estimated=False, standing="broken",
        **more,
    )  # fmt: skip


def test_symptoms_have_the_same_names_in_every_window() -> None:
    found = symptoms(
        verdict(
            drift=(moved("fee"), moved("zone", flagged=False), moved("answer", kind="prediction")),
            performance=(broken("roc_auc"), broken("recall", slice="region=west")),
            quality=(
                Broken(code="WATCH-UNIT", column="fee", severity="error", message="x"),
                Broken(code="WATCH-WARNED", column="", severity="warning", message="y"),
            ),
        )
    )
    assert [s.key for s in found] == [
        "quality:WATCH-UNIT:fee",
        "degraded:recall@region=west",
        "degraded:roc_auc",
        "drift:fee",
        "answers:answer",
    ]
    assert found[0].columns == {"fee"}
    assert all(of_key(s.key) == s for s in found)


@pytest.mark.parametrize(
    ("keys", "cause"),
    [
        (["drift:fee"], "drift:fee"),
        (["drift:a", "drift:b"], "drift:a,b"),
        (["drift:a", "drift:b", "drift:c", "drift:d", "drift:e"], "drift:a,b,c and 2 more"),
        (["quality:WATCH-UNIT:fee", "degraded:r2"], "quality:WATCH-UNIT:fee"),
    ],
)
def test_what_comes_together_is_filed_under_the_most_telling(keys: list[str], cause: str) -> None:
    assert cause_of([of_key(key) for key in keys]) == cause


@pytest.mark.parametrize(
    ("known", "new", "same"),
    [
        ("drift:fee", "drift:fee", True),
        ("quality:WATCH-UNIT:fee", "drift:fee", True),
        ("drift:fee", "degraded:roc_auc", True),
        ("drift:fee", "drift:zone", False),
        ("objective:latency", "degraded:roc_auc", False),
        ("drift:fee", "objective:latency", False),
    ],
)
def test_a_symptom_is_explained_by_its_column_or_by_what_it_follows_from(
    known: str, new: str, *, same: bool
) -> None:
    assert explains([of_key(known)], of_key(new)) is same


def event(seq: int, kind: str, subject: str = "m", at: str = NOW, **data: Any) -> Event:
    return Event(
        seq=seq, at=at, kind=kind, subject=subject, actor="me", agency="default", data=data,
        parents=(), previous="", digest="",
    )  # fmt: skip


def ranked(found: WatchVerdict, *events: Event, **section: Any) -> list[tuple[str, str]]:
    made = causes(found, "d" * 64, WatchSection(**section), events, (), NOW)
    assert all(one.events or one.records for one in made)
    assert [one.score for one in made] == sorted((one.score for one in made), reverse=True)
    return [(one.kind, one.text) for one in made]


def test_a_change_of_version_just_before_is_the_likeliest_where_no_input_moved() -> None:
    move = event(7, "alias.moved", at="2026-11-22T11:00:00.000000+00:00", version=2)
    found = verdict(verdict="degraded", performance=(broken("roc_auc"),))
    assert ranked(found, move)[0] == (
        "version", "version 2 became the champion 60 minutes before the verdict",
    )  # fmt: skip
    assert "version" not in dict(ranked(found, move, rollback=60.0))
    first = event(3, "alias.moved", at="2026-11-22T11:00:00.000000+00:00", version=1)
    assert "version" not in dict(ranked(found, first)), "nothing was live before it"
    with_inputs = verdict(verdict="degraded", drift=(moved("fee", matters=0.9, effect=0.4),))
    assert ranked(with_inputs, move)[0][0] == "column"


def test_columns_are_weighed_by_what_the_answers_rest_on() -> None:
    found = verdict(drift=(moved("noise", effect=0.3, matters=0.0), moved("fee", matters=0.8)))
    named = [text.split()[0] for kind, text in ranked(found) if kind == "column"]
    assert named == ["fee", "noise"]


def test_broken_rows_and_a_broken_service_come_first() -> None:
    rows = Broken(code="WATCH-UNIT", column="fee", severity="error", message="times a thousand")
    found = ranked(verdict(drift=(moved("fee", matters=0.9),), quality=(rows,)))
    assert [kind for kind, _ in found] == ["rows", "column"]
    slow = Objective(
        name="latency", target=0.999, good=900, total=1_000, days=30.0, left=-1.0,
        burn=(14.4, 20.0), standing="broken",
    )  # fmt: skip
    died = event(3, "server.stopped", "s1", reason="died")
    kinds = [kind for kind, _ in ranked(verdict(objectives=(slow,)), died)]
    assert kinds == ["overload", "server"]


def test_a_season_ago_the_same_moved() -> None:
    before = Incident(
        id="old", model="m", cause="drift:fee", symptoms=("drift:fee",), version=1, reason="",
        opened_at=NOW, window=0, since="2026-11-15T12:00:00+00:00",
        history=(Incidents([opened(5)]).all["i"].history),
    )  # fmt: skip
    week = WatchSection(season=7 * 86_400.0)
    found = causes(verdict(drift=(moved("fee"),)), "d" * 64, week, (), (before,), NOW)
    assert "season" in {one.kind for one in found}
    other = causes(verdict(drift=(moved("fee"),)), "d" * 64, WatchSection(), (), (before,), NOW)
    assert "seen" in {one.kind for one in other}


def opened(seq: int = 0, **more: Any) -> Event:
    data = {
        "incident": "i", "cause": "drift:fee", "symptoms": ["drift:fee"], "reason": "moved",
        "version": 1, "window": 4, "since": NOW, "until": NOW, "rows": 10,
        "record": "", "causes": [],
    } | more  # fmt: skip
    return event(seq, OPENED, **data)


def test_the_fold_counts_rows_versions_and_calm_windows() -> None:
    seen = {"incident": "i", "action": SEEN, "text": "again", "symptoms": ["drift:fee"]}
    judged = {"verdict": "steady", "since": "later"}
    found = Incidents(
        [
            opened(),
            event(1, "watch.judged", window=5, **judged),
            event(2, "watch.judged", window=6, **{**judged, "verdict": "drift"}),
            event(3, NOTED, **seen, window=6, rows=20, until="until", version=2),
            event(4, "watch.judged", window=7, **{**judged, "verdict": "unknown"}),
            event(5, "watch.judged", window=8, **judged),
            event(6, "watch.judged", "other", window=9, **judged),
            event(7, "retrain.refused", incident="i", retrain="r", reason="too noisy"),
        ]
    ).all["i"]
    assert (found.rows, found.windows, found.versions, found.calm) == (30, 2, (1, 2), 1)
    assert found.calm_since == "later"
    assert [entry.action for entry in found.history] == ["opened", SEEN, "retrain.refused"]
    assert found.history[-1].text == "too noisy"
    assert found.to_dict()["status"] == "open"


def test_an_incident_is_found_by_how_its_id_starts() -> None:
    found = Incidents([opened(incident="abc1"), opened(1, incident="abd2")])
    assert found.find("abc").id == "abc1"
    for wrong in ("ab", "x", ""):
        with pytest.raises(UsageError) as error:
            found.find(wrong)
        assert error.value.code == "INCIDENT-UNKNOWN"


def test_what_is_written_reads_back() -> None:
    workspace = open_workspace("memory://")
    context: Context = workspace.context()
    context.append(OPENED, "m", **opened().data)
    (incident,) = Incidents(workspace.ledger.read()).open("m")
    note(context, incident, "note", "called the feed", by_hand=True)
    resolve(context, incident, "mended", by_hand=True, record="r" * 64)
    found = Incidents(workspace.ledger.read()).all["i"]
    assert (found.status, found.resolution) == ("resolved", "mended")
    assert [(e.action, e.agency) for e in found.history[1:]] == [
        ("note", "user"),
        ("resolved", "user"),
    ]
    assert found.recovered_s is not None


def test_times_without_both_ends_are_not_known() -> None:
    assert between("", NOW) is None
    assert between(NOW, "2026-11-22T11:00:00+00:00") == 0.0


def test_the_fold_of_retrainings_knows_what_is_on_and_what_waits() -> None:
    asked = {
        "retrain": "r", "incident": "i", "cause": "c", "labels": NOW, "version": 1,
        "section": {"record": "spec.retrain@1", "approval": "release"},
    }  # fmt: skip
    steps = [
        (event(0, "retrain.asked", **asked), ("asked", "", True)),
        (event(1, "retrain.started", retrain="r"), ("training", "", True)),
        (event(2, "retrain.judged", retrain="r", run="x", version=2, reason="better"),
         ("judged", "release", True)),
        (event(3, "retrain.approved", retrain="r"), ("judged", "", True)),
        (event(4, NOTED, incident="i", retrain="r", action="handed over"), ("done", "", False)),
    ]  # fmt: skip
    fold = Retrains()
    for happened, (state, waits, on) in steps:
        fold.take(happened)
        (retrain,) = fold.of("m")
        assert (retrain.state, retrain.waits, retrain.on) == (state, waits, on)
    assert fold.on("m") is None
    assert (retrain.new, retrain.run) == (2, "x")
