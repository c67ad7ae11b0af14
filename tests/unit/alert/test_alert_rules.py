"""What each event says is wrong, and what it says is over."""

from __future__ import annotations

import pytest
from verdicts import broken, event, measured, moved, objective, verdict

from assay.alert.rules import Said, said

JUDGED = event("watch.judged")


def of(made) -> Said:
    found = said(JUDGED, made)
    assert found is not None
    return found


def names(found: Said) -> list[tuple[str, str]]:
    return [condition.name for condition in found.holds]


def test_each_part_of_a_verdict_has_its_kind():
    found = of(
        verdict(
            "degraded",
            drift=(
                moved("fee"),
                moved("region", flagged=False),
                moved("answers", kind="prediction"),
            ),
            performance=(measured(), measured(slice="region=west"), measured("kept", "brier")),
            quality=(broken(), broken("NEW", "region", "warning")),
            objectives=(objective(), objective("kept", "latency")),
        )
    )
    assert names(found) == [
        ("degraded", "roc_auc"),
        ("degraded", "roc_auc region=west"),
        ("drift", "fee"),
        ("drift", "answers"),
        ("quality", "MISSING fee"),
        ("objective", "errors"),
    ]
    assert [c.column for c in found.holds] == ["", "", "fee", "", "fee", ""]
    assert {c.kind: c.severity for c in found.holds} == {
        "degraded": "critical",
        "drift": "warning",
        "quality": "warning",
        "objective": "critical",
    }


def test_the_words_have_the_numbers():
    (condition,) = of(verdict("degraded", performance=(measured(estimated=True),))).holds
    assert condition.text == "roc_auc is 0.7 (estimated, 0.65 to 0.75), the gate asks for 0.8"
    (condition,) = of(verdict(drift=(moved("fee", scale=4, reading="mean 3 to 9"),))).holds
    assert condition.text == "fee moved by 0.4 (p 1e-09) over the last 4 windows: mean 3 to 9"
    (condition,) = of(verdict("degraded", objectives=(objective(),))).holds
    assert condition.text == (
        "errors: 100 of 1,000 answers broke the promise, -100% of the error budget is left, "
        "it goes 20 times too fast"
    )


def test_a_steady_verdict_ends_everything_of_a_window_and_nothing_else():
    found = of(verdict("steady"))
    for kind in ("drift", "degraded", "quality", "objective"):
        assert found.ends((kind, "x"))
    for kind in ("incident", "retrain", "release"):
        assert not found.ends((kind, "x"))


def test_what_still_holds_does_not_end():
    found = of(verdict(drift=(moved("fee"),)))
    assert not found.ends(("drift", "fee"))
    assert found.ends(("drift", "region"))


def test_too_few_rows_end_nothing_but_raise():
    found = of(verdict("unknown", quality=(broken(),)))
    assert names(found) == [("quality", "MISSING fee")]
    assert not found.ends(("drift", "region"))
    assert not found.ends(("degraded", "roc_auc"))


@pytest.mark.parametrize("standing", ["unclear", "unsaid"])
def test_a_gate_that_nobody_can_say_is_kept_stays_broken(standing):
    made = measured(standing, value=None, low=None, high=None)
    found = of(verdict("steady", performance=(made,)))
    assert not found.ends(("degraded", "roc_auc"))
    assert found.ends(("degraded", "brier"))
    assert of(verdict("steady", performance=(measured("kept"),))).ends(("degraded", "roc_auc"))
    found = of(verdict("steady", objectives=(objective(standing),)))
    assert not found.ends(("objective", "errors"))


def test_an_incident_holds_until_it_is_resolved():
    opened = said(event("incident.opened", incident="i1", cause="drift:fee", reason="fee moved"))
    assert names(opened) == [("incident", "i1")]
    assert said(event("incident.noted", incident="i1")) is None
    over = said(event("incident.resolved", incident="i1", reason="calm"))
    assert over.ends(("incident", "i1"))
    assert not over.ends(("incident", "i2"))


@pytest.mark.parametrize(("decision", "severity"), [("promoted", "note"), ("aborted", "warning")])
def test_a_release_happens_once(decision, severity):
    found = said(event("release.decided", release="r1", decision=decision, reason="as measured"))
    (told,) = found.happened
    assert (told.name, told.severity) == (("release", "r1"), severity)
    assert found.holds == ()


def test_a_retraining_that_waits_for_a_person_holds_until_it_goes_on():
    asked = {"retrain": "t1", "cause": "drift:fee", "section": {"approval": "train"}}
    waits = said(event("retrain.asked", **asked))
    assert names(waits) == [("retrain", "t1 waits")]
    for word in ("started", "approved", "refused", "judged"):
        found = said(event(f"retrain.{word}", retrain="t1", reason="so"))
        assert found.ends(("retrain", "t1 waits"))
        told = [c.name[1] for c in found.happened]
        assert told == ([f"t1 {word}"] if word in ("refused", "judged") else [])


def test_a_model_that_waits_for_its_release_is_told_as_that():
    found = said(event("retrain.judged", retrain="t1", reason="better", approval="release"))
    assert names(found) == [("retrain", "t1 waits")]
    assert found.holds[0].text == "retraining t1 waits for somebody to agree to the release"


def test_a_retraining_that_waits_for_nobody_is_told_as_asked():
    asked = {"retrain": "t1", "cause": "drift:fee", "section": {"approval": "none"}}
    assert [c.name for c in said(event("retrain.asked", **asked)).happened] == [
        ("retrain", "t1 asked")
    ]


def test_nobody_is_told_of_other_events():
    for kind in ("run.started", "alias.moved", "server.started", "alert.raised", "release.step"):
        assert said(event(kind)) is None
