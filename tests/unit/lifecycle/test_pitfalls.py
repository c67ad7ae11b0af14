"""Pitfalls and checklist: each one met and not met, decided by the records alone."""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from msgspec.structs import replace as change

sys.path.insert(0, str(Path(__file__).parents[1] / "report"))

from report_parts import sha
from report_views import binary_view, stopped_view

from assay.data.audit import CODES
from assay.evaluate.diagnosis import HINTS, Verdict
from assay.lifecycle.pitfalls import LEAKS, checklist, judged, pitfalls, readings, summary
from assay.records.audit import Audit, Finding
from assay.records.event import Draft, Event, make_event
from assay.records.fitted import Operating
from assay.records.report import Examination
from assay.records.spec import AnswersSection, Choice, FeaturesSection
from assay.report import RunView
from assay.report.view import CheckLine, Reading


def line(view: RunView, id_: str) -> CheckLine:
    """Return one pitfall or line of the checklist of a view."""
    seen = replace(view, checklist=checklist(view, view.readings))
    return next(one for one in (*seen.checklist, *pitfalls(seen)) if one.id == id_)


def with_findings(*findings: Finding) -> RunView:
    view = binary_view()
    return replace(view, audit=Audit(findings=findings, checks=("one", "two")))


def finding(code: str, severity: str = "warning", accepted: str | None = None) -> Finding:
    return Finding(
        code=code, severity=severity, where="x", message="It is so.", accepted=accepted  # type: ignore[arg-type]
    )  # fmt: skip


def test_all_nine_are_there_in_order_and_two_need_the_career() -> None:
    found = pitfalls(judged(binary_view(), ()))
    assert [one.id for one in found] == [f"PIT-0{i}" for i in range(1, 10)]
    assert {one.id for one in found if "one run cannot say" in one.sentence} == {"PIT-01", "PIT-08"}
    assert all(one.decided_by for one in found)


def test_weak_evaluation() -> None:
    view = binary_view()
    assert line(view, "PIT-02").state == "satisfied"
    gates = view.seal.gates
    without = replace(view, seal=change(view.seal, gates=(gates[0], gates[2])))
    assert "beat the baseline" in line(without, "PIT-02").sentence
    fast = replace(view, seal=change(view.seal, gates=gates[2:]))
    assert "how good the answers must be" in line(fast, "PIT-02").sentence
    before = (Reading(at="2026-11-21T00:00:00+00:00", run="r", seal=sha("7")),)
    late = line(replace(view, readings=before), "PIT-02")
    assert late.state == "hit"
    assert "had been read under 1 other seal before" in late.sentence


def test_deployment_is_never_claimed() -> None:
    view = binary_view()
    assert line(view, "PIT-03").state == "open"
    assert line(replace(view, version=None), "PIT-03").state == "hit"
    assert view.version is not None
    shelf = replace(view, version=change(view.version, aliases=()))
    assert "not promoted" in line(shelf, "PIT-03").sentence


def test_opaque_work() -> None:
    view = binary_view()
    assert line(view, "PIT-04").state == "satisfied"
    data = change(view.project.data, description=" ")
    bare = replace(view, project=change(view.project, data=data))
    assert "data.description" in line(bare, "PIT-04").sentence
    unknown = replace(view, snapshot=change(view.snapshot, licence=""))
    assert "licence of the data is not known" in line(unknown, "PIT-04").sentence


def test_toy_project() -> None:
    view = binary_view()
    assert line(view, "PIT-05").state == "satisfied"
    kept = (Choice(path="project.question", value="?", agency="accepted"),)
    toy = replace(view, project=change(view.project, choices=kept))
    assert "as a template or the tool proposed" in line(toy, "PIT-05").sentence
    aimless = replace(view, seal=change(view.seal, decision=""))
    assert "what a mistake costs" in line(aimless, "PIT-05").sentence
    priced = AnswersSection(costs={"false_negative": 5.0})
    paid = replace(aimless, project=change(view.project, answers=priced))
    assert line(paid, "PIT-05").state == "satisfied"


def test_no_impact_statement() -> None:
    view = binary_view()
    assert line(view, "PIT-06").state == "satisfied"
    mute = replace(view, seal=change(view.seal, question="", decision=""))
    assert line(mute, "PIT-06").sentence.startswith("The question and decision in")


@pytest.mark.parametrize(("seals", "runs", "state"), [(1, 2, "satisfied"), (2, 4, "satisfied"),
                                                      (3, 3, "hit"), (1, 10, "hit")])  # fmt: skip
def test_chasing(seals: int, runs: int, state: str) -> None:
    read = tuple(
        Reading(at="2026-11-23", run=f"r{i}", seal=sha(str(i % seals))) for i in range(runs)
    )
    found = line(replace(binary_view(), readings=read), "PIT-07")
    assert found.state == state
    assert ("fresh test rows" in found.sentence) == (state == "hit")


def test_looks_of_the_report_count_too() -> None:
    view = binary_view()
    assert view.report is not None
    assert line(replace(view, report=change(view.report, looks=4)), "PIT-07").state == "hit"


@pytest.mark.parametrize(
    ("code", "id_"),
    [
        ("LEAK-TARGET", "COLUMNS"),
        ("LEAK-JOINT", "COLUMNS"),
        ("LABEL-COPY", "COLUMNS"),
        ("DUPLICATE-ROWS-SPLIT", "ROWS"),
        ("NEAR-DUPLICATES-SPLIT", "ROWS"),
        ("TEST-IS-TRAIN", "ROWS"),
        ("GROUP-OVERLAP", "ENTITIES"),
        ("TIME-ORDER", "TIME"),
        ("ROW-ORDER", "ORDER"),
        ("ID-COLUMN", "ORDER"),
        ("LEAK-ID", "ORDER"),
        ("LEAK-AFTER", "TIME"),
        ("LEAK-FUTURE", "TIME"),
        ("PREPARED-ON-ALL", "PREPARED"),
        ("LEAK-ENCODED", "PREPARED"),
    ],
)
def test_a_finding_breaks_its_line_unless_a_person_answers_for_it(code: str, id_: str) -> None:
    assert line(with_findings(), id_).state == "satisfied"
    assert line(with_findings(finding(code)), id_).state == "hit"
    assert line(with_findings(finding(code)), "PIT-09").state == "hit"
    assert line(with_findings(finding(code, "note")), id_).state == "satisfied"
    taken = line(with_findings(finding(code, accepted="I know.")), id_)
    assert taken.state == "satisfied"
    assert "“I know.”" in taken.sentence


def test_every_leak_that_the_audit_knows_has_one_line() -> None:
    kinds = re.compile(r"(LEAK|LABEL-COPY|DUPLICATE|NEAR|TEST-IS|GROUP|TIME|ROW|ID|PREPARED)\b.*")
    leaks = [code for code in CODES if kinds.match(code)]
    assert len(leaks) > 10
    for code in leaks:
        assert sum(bool(re.fullmatch(codes, code)) for _, _, codes in LEAKS) == 1, code


def test_the_seal_is_older_than_the_first_reading() -> None:
    view = binary_view()
    mine = Reading(at="2026-11-22T07:48:20+00:00", run="r", seal=view.seal_digest)
    assert line(replace(view, readings=(mine,)), "SEALED").state == "satisfied"
    early = replace(mine, at="2026-11-22T07:00:00+00:00")
    assert line(replace(view, readings=(early,)), "SEALED").state == "hit"


def test_python_of_the_projects_own_leaves_fitting_open() -> None:
    view = binary_view()
    assert line(view, "FITTED").state == "satisfied"
    own = change(view.project, features=FeaturesSection(transform="features:add"))
    assert line(replace(view, project=own), "FITTED").state == "open"


def test_test_rows_that_disagree_with_training_are_told() -> None:
    view = binary_view()
    assert line(view, "CONFIRMED").state == "satisfied"
    assert view.leaderboard is not None
    lucky = replace(view, leaderboard=change(view.leaderboard, score=0.93))
    found = line(lucky, "CONFIRMED")
    assert found.state == "hit"
    assert "0.930 in training, 0.846 (0.825 to 0.867) on test rows" in found.sentence
    humble = replace(view, leaderboard=change(view.leaderboard, score=0.7))
    assert line(humble, "CONFIRMED").state == "satisfied"


def test_answers_cut_at_another_threshold_than_in_the_search_cannot_be_compared() -> None:
    view = binary_view()
    assert view.leaderboard is not None
    assert view.fitted is not None
    board = change(view.leaderboard, metric="accuracy", score=0.99)
    lucky = replace(view, leaderboard=board)
    assert line(lucky, "CONFIRMED").state == "hit"
    for operating in (Operating(threshold=0.2), Operating(group="sex", thresholds={"f": 0.4})):
        signature = change(view.fitted.signature, operating=operating)
        cut = replace(lucky, fitted=change(view.fitted, signature=signature))
        assert line(cut, "CONFIRMED").state == "open"


def test_for_an_error_a_smaller_score_in_training_is_the_lucky_one() -> None:
    view = binary_view()
    assert view.leaderboard is not None
    for score, state in ((0.05, "hit"), (0.3, "satisfied")):
        board = change(view.leaderboard, metric="brier", score=score)
        assert line(replace(view, leaderboard=board), "CONFIRMED").state == state


@pytest.mark.parametrize(
    ("verdict", "state"), [("overfit", "hit"), ("underfit", "satisfied"), ("enough", "satisfied")]
)
def test_learning_by_heart(verdict: Verdict, state: str) -> None:
    view = binary_view()
    assert view.report is not None
    assert line(view, "BY-HEART").state == "open"
    found = Examination(
        name="learning", title="x", reading="So it is.", advice=HINTS[verdict], concern="look"
    )
    report = change(view.report, examinations=(found,))
    told = line(replace(view, report=report), "BY-HEART")
    assert (told.state, told.sentence) == (state, "So it is.")


def test_a_stopped_run_is_judged_too() -> None:
    view = judged(stopped_view(), ())
    states = {one.id: one.state for one in (*view.checklist, *view.pitfalls)}
    assert states["COLUMNS"] == "hit"
    assert states["PIT-07"] == "satisfied"
    assert states["CONFIRMED"] == "open"
    assert states["PIT-03"] == "hit"


def event(kind: str, run: str, **data: object) -> Event:
    draft = Draft(kind=kind, subject=run, actor="a", data=dict(data))
    return make_event(draft, seq=0, at=f"at {run}", previous="0")


def test_readings_are_those_of_the_same_rows() -> None:
    events = [
        event("test.read", "one", test="t", seal="s1"),
        event("test.read", "two", test="other", seal="s1"),
        event("run.started", "two", test="t"),
        event("test.read", "three", test="t", seal="s2", rerun=True),
    ]
    found = readings(events, "t")
    assert [(r.at, r.run, r.seal) for r in found] == [
        ("at one", "one", "s1"),
        ("at three", "three", "s2"),
    ]
    view = binary_view()
    assert view.report is not None
    assert judged(replace(view, report=change(view.report, test="t")), found).readings == found


def test_summary() -> None:
    lines = [CheckLine("a", "", s, "", "") for s in ("hit", "satisfied", "satisfied")]  # type: ignore[arg-type]
    assert summary(lines) == "2 hold, 1 not met"
    assert summary(()) == "nothing to check"
