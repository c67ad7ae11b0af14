"""Numbers and sentences, checked against the records they stand for."""

from __future__ import annotations

from dataclasses import replace

import pytest
from msgspec.structs import replace as change
from report_more_views import multiclass_view, regression_view
from report_parts import est
from report_views import binary_view, stopped_view

from assay.records.decision import Decision, GateResult
from assay.records.report import Comparison, SliceResult
from assay.report import text, words
from assay.report.evidence import readable
from assay.report.figures import domain, gate_name, signed, title, value
from assay.report.judged import gate_rows, slice_tables
from assay.report.view import RunView


@pytest.mark.parametrize(
    ("make", "style", "part"),
    [
        (binary_view, "accepted", "All 3 gates hold"),
        (multiclass_view, "inconclusive", "About 11,520 test rows would decide."),
        (regression_view, "rejected", "“Root mean squared error ≤ 45,000” (46,900"),
        (stopped_view, "stopped", "1 problem that would make any score misleading"),
    ],
)
def test_verdict(make: object, style: str, part: str) -> None:
    found = words.verdict(make())  # type: ignore[operator]
    assert found.style == style
    assert part in found.sentence


def test_verdict_without_gates_and_without_an_end() -> None:
    view = binary_view()
    asked_nothing = Decision(verdict="inconclusive", seal="s", gates=(), reason="no gate was set")
    assert words.verdict(replace(view, decision=asked_nothing)).sentence == "No gate was set."
    broken = replace(view, decision=None, report=None, reason="the search failed")
    assert words.verdict(broken).word == "Stopped"
    assert words.verdict(broken).sentence == "The search failed."


@pytest.mark.parametrize(
    ("centre", "half", "part"),
    [(0.05, 0.01, "is better"), (-0.05, 0.01, "is worse"), (0.01, 0.05, "may be chance")],
)
def test_paired(centre: float, half: float, part: str) -> None:
    comparison = Comparison(
        metric="roc_auc", champion="a", baseline="b", difference=est(centre, half), p_value=0.02
    )
    sentence = words.paired(comparison)
    assert part in sentence
    assert "p = 0.02" in sentence


@pytest.mark.parametrize(
    ("policy", "part"),
    [
        ("random", "at random, with seed 7"),
        ("stratify_on Churn", "equal shares of each “Churn”"),
        ("group_on customer id", "no value of “customer id” is on both sides"),
        ("time_on signup", "the latest by “signup”"),
        ("group_time_on customer, signup", "“customer, signup”"),
        ("predefined_on part", "as the column “part” says"),
    ],
)
def test_split_policy(policy: str, part: str) -> None:
    view = binary_view()
    assert part in words.split_policy(replace(view, split=change(view.split, policy=policy)))


def limits(view: RunView) -> str:
    return " ".join(words.limits(view))


def test_limits_come_from_the_records() -> None:
    view = binary_view()
    assert view.report is not None
    said = limits(view)
    assert "carry no date" in said
    assert "2 warnings open" in said
    assert "Contract = Two year and Contract = other" in said
    assert "stopped at its budget" in said
    assert "ROW-ORDER" in said
    assert "were read" not in said
    assert "not shown to beat" not in said
    assert "not shown to beat the baseline “best single column”" in limits(multiclass_view())
    assert "read 3 times" in limits(replace(view, test_reads=3))
    assert "No slices" in limits(replace(view, report=change(view.report, slices=())))
    dated = change(view.snapshot.columns[1], type="datetime")
    dated_view = replace(view, snapshot=change(view.snapshot, columns=(dated,)))
    assert "come from the same time" in limits(dated_view)
    by_time = replace(dated_view, split=change(view.split, policy="time_on tenure"))
    assert "same time" not in limits(by_time)
    assert "No model was trained" in limits(stopped_view())


def test_a_gate_is_shaded_on_the_side_that_passes() -> None:
    at_least, beats, at_most = gate_rows(binary_view())
    assert 'class="pass"' in at_least.svg
    assert 'x="0.00%"' not in at_least.svg
    assert 'x="0.00%"' in at_most.svg
    assert beats.value == "+0.051 vs. baseline"
    assert beats.threshold == "more than 0"
    assert at_most.threshold == "at most 10.00 ms"
    assert at_least.name == "ROC-AUC ≥ 0.80"


def test_gates_that_the_seal_does_not_match_get_no_side() -> None:
    view = binary_view()
    rows = gate_rows(replace(view, seal=change(view.seal, gates=())))
    assert all('class="pass"' not in row.svg for row in rows)


def test_small_slices_are_flagged_and_empty_ones_have_no_picture() -> None:
    view = binary_view()
    assert view.report is not None
    flags = {
        row.value: (row.flagged, row.svg is None)
        for table in slice_tables(view.report, "roc_auc")
        for row in table.rows
    }
    assert flags["Month-to-month"] == (False, False)
    assert flags["Two year"] == (True, False)
    assert flags["other"] == (True, True)
    lonely = change(view.report, slices=(SliceResult(column="a", value="b", rows=1, metrics={}),))
    assert slice_tables(lonely, "no_such_metric")[0].rows[0].score == "–"


def test_metrics_that_nobody_knows() -> None:
    assert title("my_metric") == "my_metric"
    assert value("my_metric", -0.123456) == "−0.1235"
    assert signed("roc_auc", 0.0) == "+0.000"
    low, high = domain("roc_auc", 0.9, 1.0)
    assert low < 0.9
    assert high == 1.0
    gate = GateResult(
        name="odd", metric="roc_auc", verdict="accepted", value=1, low=1, high=1, threshold=0
    )
    assert gate_name(gate) == "odd"


def test_evidence_of_any_shape() -> None:
    found = readable(
        {
            "one_number": 3,
            "missing": None,
            "flag": True,
            "few": ["a", 2],
            "nothing": [],
            "by value": {"x": 1, "y": 2.5},
            "cross": {"a": {"no": 1, "yes": 2}, "b": {"no": 3}},
            "sorted": [{"count": 3, "value": "x"}],
            "rows": [{"row": i} for i in range(30)],
            "grid": [[1, 2], [3, 4]],
        }
    )
    assert dict(found.pairs)["one number"] == "3"
    assert dict(found.pairs)["missing"] == "missing"
    assert dict(found.pairs)["few"] == "a, 2"
    tables = {table.name: table for table in found.tables}
    assert tables["cross"].header == ("", "no", "yes")
    assert tables["cross"].rows == (("a", "1", "2"), ("b", "3", ""))
    assert tables["sorted"].header == ("value", "count")
    assert tables["rows"].more == 18
    assert tables["grid"].header == ()
    assert tables["by value"].rows == (("x", "1"), ("y", "2.5"))


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        (None, "–"), (float("nan"), "–"), (float("inf"), "∞"), (-3.0, "−3"),
        (0.123456, "0.1235"), (12345.678, "12,346"), (1234567.0, "1,234,567"),
        (3.1e-8, "3.1e-8"), (0.0, "0"),
    ],
)  # fmt: skip
def test_number(given: float | None, shown: str) -> None:
    assert text.number(given) == shown


def test_other_figures() -> None:
    assert text.percent(0.26534) == "26.5%"
    assert text.percent(0.0001) == "< 0.1%"
    assert text.percent(1.0) == "100%"
    assert text.share(1, 0) == "0%"
    assert text.duration(0.05) == "50 ms"
    assert text.duration(125) == "2 min 5 s"
    assert text.duration(7300) == "2 h 1 min"
    assert text.size(812_400) == "812 kB"
    assert text.size(2_500_000) == "2.5 MB"
    assert text.size(12) == "12 bytes"
    assert text.moment("2026-11-02T07:48:02+02:00") == "2 Nov 2026, 05:48 UTC"
    assert text.moment("yesterday") == "yesterday"
    assert text.moment("") == "an unknown time"
    assert text.day(1e30) == "–"
    assert text.plural(1, "row") == "1 row"
    assert text.listing([]) == ""
    assert text.listing(["a", "b", "c"]) == "a, b and c"


@pytest.mark.parametrize(
    ("source", "name", "shown"),
    [
        ("/home/ines/data/telco.csv", "telco.csv", "/home/ines/data/telco.csv"),
        ("C:\\data\\telco.csv", "telco.csv", "C:\\data\\telco.csv"),
        ("postgresql://u:p@ss@host:5432/db?x=p", "postgresql: db", "postgresql://host:5432/db"),
        ("http://[broken", "http: [broken", "http://[broken"),
    ],
)
def test_sources(source: str, name: str, shown: str) -> None:
    assert text.source_name(source) == name
    assert text.shown_source(source) == shown


def test_a_baseline_that_wins_is_not_told_to_beat_itself() -> None:
    view = multiclass_view()
    assert view.report is not None
    report = change(view.report, champion=view.report.baseline)
    assert "not shown to beat" not in limits(replace(view, report=report))


def test_a_gate_says_once_how_many_rows_would_decide() -> None:
    view = binary_view()
    assert view.decision is not None
    reason = "-0.01 to 0.2 lies on both sides of zero; about 4,000 test rows would decide it"
    gate = change(view.decision.gates[0], rows_needed=4000, reason=reason)
    decision = change(view.decision, gates=(gate, *view.decision.gates[1:]))
    row = gate_rows(replace(view, decision=decision))[0]
    assert row.reason == reason.replace("-0.01", "−0.01")
