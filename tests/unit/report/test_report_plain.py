"""The page for readers who are not technical: what it says, and in which words."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from msgspec.structs import replace as change
from report_examined import examined_view
from report_hostile import VIEWS, hostile_view
from report_more_views import multiclass_view, regression_view
from report_page import ATTRIBUTES, Page
from report_parts import est
from report_views import binary_view, stopped_view

from assay.records.fitted import Operating
from assay.records.report import Examination, tabled
from assay.records.spec import FairnessSection
from assay.report import RunView
from assay.report.lint import unsupported
from assay.report.numbers import records_of
from assay.report.plain import render_plain
from assay.report.plain_part import hundred

JARGON = re.compile(
    r"\b(AUC|ROC|Brier|p-value|DeLong|bootstrap|Wilson|recall|precision|baseline|champion|"
    r"hyperparameter|cross-validation|regression|classifier|log-odds|statistic\w*|RMSE|metric)\b",
    re.IGNORECASE,
)


def said(view: RunView) -> str:
    """Return what a reader sees, the list of sources left out."""
    page = render_plain(view)
    shown = page[page.index("<body>") : page.index("<details><summary>Where each number")]
    shown = re.sub(r"<title>.*?</title>|<desc>.*?</desc>", "", shown)
    return " ".join(re.sub(r"<[^>]*>", "", re.sub(r"</t[hd]>", " ", shown)).split())


def test_natural_frequencies_with_how_sure_they_are() -> None:
    text = said(binary_view())
    assert "Of 100 cases whose Churn is “Yes”, it finds 54 (between 49 and 59)." in text
    assert "higher in 85 (between 82 and 87) of 100 such pairs" in text
    assert "The model learned from 5,634 of them. The other 1,409 were kept away" in text


def test_the_simple_way_stands_beside_it() -> None:
    text = said(binary_view())
    assert "The model is better than that, and by more than chance would explain." in text
    assert "54 (between 49 and 59) 41 (between 36 and 46)" in text
    assert "cannot tell the two apart" in said(unsure())


def unsure() -> RunView:
    view = binary_view()
    assert view.report is not None
    gap = change(view.report.comparison.difference, value=0.003, low=-0.002, high=0.008)
    comparison = change(view.report.comparison, difference=gap)
    return replace(view, report=change(view.report, comparison=comparison))


def test_weak_groups_are_named_and_small_ones_are_not() -> None:
    text = said(binary_view())
    assert "In these groups it does clearly worse" in text
    assert "Contract “Month-to-month” 771 76 (between 73 and 80) 85" in text
    assert "“Two year”" not in text
    assert "No groups were named" in said(without_slices())


def without_slices() -> RunView:
    view = binary_view()
    assert view.report is not None
    return replace(view, report=change(view.report, slices=()))


def test_what_could_go_wrong_and_what_to_do_come_from_the_examinations() -> None:
    text = said(examined_view())
    assert "How it bears bad rows: it gets worse when values are missing (1.1)." in text
    assert "accuracy is 0.641 (between 0.590 and 0.690)" in text
    assert "Let a person decide the cases of the weak groups until it does better" in text
    assert "looked at under 3 versions of the rules" in text
    assert "Are the probabilities right?" not in text


def told(found: Examination, view: RunView | None = None) -> str:
    """Return what the page says of one examination, every number of it backed by a record."""
    view = view or binary_view()
    assert view.report is not None
    view = replace(view, report=change(view.report, examinations=(found,)))
    assert unsupported(render_plain(view), records_of(view)) == []
    return said(view)


def test_the_weakest_group_is_told_in_words_of_its_own() -> None:
    line = {
        "Slice": "tenure ≤ 9 and Contract = Month-to-month",
        "Rows": 4351,
        "Wrong answers here": "47.9%",
        "Elsewhere": "27.2%",
    }
    weak = Examination(
        name="worst_slices",
        title="Where the model does worst",
        reading="Of 1,363 slices two are clearly worse.",
        concern="serious",
        advice="Look at rows of these slices.",
        tables=tabled({"Where the model does worst": [line, line]}),
    )
    text = told(weak)
    assert "found 2 groups in which it does clearly worse" in text
    assert "(4,351 cases): 47.9% of its answers are wrong there, elsewhere 27.2%." in text
    assert "slices" not in text
    assert "Let a person decide the cases of the weak groups" in text
    none = change(weak, concern="none", tables=())
    assert "found no other group in which it does worse" in told(none)
    error = {**line, "Mean error here": "49,937", "Elsewhere": "28,508"}
    of_numbers = change(weak, tables=tabled({"Where": [error]}))
    expected = "there an answer is off by 49,937 on average, elsewhere by 28,508."
    assert expected in told(of_numbers, regression_view())


def test_groups_that_are_treated_unlike_are_told() -> None:
    gap = est(0.034, 0.021)
    unlike = Examination(
        name="fairness",
        title="Are groups treated alike?",
        reading="Groups by sex differ most.",
        concern="look",
        advice='fairness.mitigate = "thresholds" lessens it.',
        numbers={"average_odds_difference": gap},
    )
    view = binary_view()
    fairness = FairnessSection(columns=("gender",))
    view = replace(view, project=change(view.project, fairness=fairness))
    text = told(unlike, view)
    assert "Groups by “gender” differ in how often it finds the right cases" in text
    assert "by 3 (between 1.3 and 6) in a hundred cases" in text
    assert "fairness.mitigate" not in text


@pytest.mark.parametrize(
    ("name", "number", "words"),
    [
        ("calibration", "ece", "are off by 12 (between 11 and 13) in a hundred"),
        ("conformal", "conformal_coverage", "gives in 12 (between 11 and 13) of a hundred"),
        ("labels", "label_noise", "about 12 (between 11 and 13) look wrong"),
        ("smallest_changes", "flip_rate", "12 (between 11 and 13) turn around"),
        ("errors", "predicted_too_high", "12 (between 11 and 13) are too high"),
    ],
)
def test_a_concern_is_told_in_cases_of_a_hundred(name: str, number: str, words: str) -> None:
    found = Examination(
        name=name,
        title="A title",
        reading="The ECE of the log-odds is off.",
        concern="look",
        advice="Mend it.",
        numbers={number: est(0.12, 0.01)},
    )
    text = told(found)
    assert words in text
    assert "ECE" not in text
    bare = told(change(found, numbers={}))
    assert "The ECE of the log-odds" in bare


def test_learning_by_heart_is_told_by_both_scores() -> None:
    found = Examination(
        name="learning", title="Would more rows help?", reading="x", concern="look", advice="y"
    )
    text = told(found)
    assert "On cases it learned from it reaches" in text
    assert "Would more rows help?" not in text
    assert "have a simpler model tried" in text


def test_columns_that_were_left_out_are_named() -> None:
    view = binary_view()
    dropped = change(view.snapshot, dropped=("customerID", "next step"))
    assert "Left out of the table: “customerID”, “next step”." in said(
        replace(view, snapshot=dropped)
    )


def test_a_rule_with_nothing_to_judge_says_so() -> None:
    view = binary_view()
    assert view.decision is not None
    first, *rest = view.decision.gates
    empty = change(first, value=0.8, low=0.8, high=0.8, threshold=0.8, reason="no slice")
    decision = change(view.decision, gates=(empty, *rest))
    assert "at least 80 nothing to judge" in said(replace(view, decision=decision))
    exact = change(empty, reason="all of 0.800 is on the right side of 0.800")
    decision = change(view.decision, gates=(exact, *rest))
    assert "at least 80 80 met" in said(replace(view, decision=decision))


def test_rules_are_told_with_what_was_asked_and_found() -> None:
    text = said(binary_view())
    assert "The rules were fixed on 22 Nov 2026, 07:48 UTC" in text
    assert "at least 80 85 (between 82 and 87) met" in text
    assert "better than the simple way" in text
    assert "at most 10.00 ms 0.93 ms (between 0.78 ms and 1.08 ms) met" in text


def test_an_undecided_rule_says_how_many_cases_would_settle_it() -> None:
    text = said(multiclass_view())
    assert "Do not rely on it yet." in text
    assert "About 11,520 cases to judge it by" in text


def test_numbers_are_told_in_their_unit() -> None:
    text = said(regression_view())
    assert "Do not use it as it is." in text
    assert "an answer is typically off by 46,9" in text


def test_a_stopped_run_says_why_and_what_to_do() -> None:
    text = said(stopped_view())
    assert "So no model was made" in text
    assert "The column “treatment” alone tells the diagnosis" in text
    assert "What to do: Drop it" in text
    assert "How good it is" not in text


def test_another_threshold_is_told() -> None:
    view = binary_view()
    assert view.fitted is not None
    signature = change(view.fitted.signature, operating=Operating(threshold=0.31))
    text = said(replace(view, fitted=change(view.fitted, signature=signature)))
    assert "says “Yes” from 31 in 100 on" in text


def test_thresholds_of_groups_are_told() -> None:
    view = binary_view()
    assert view.fitted is not None
    operating = Operating(group="sex", thresholds={"a/b": 0.672, "Male": 0.746})
    signature = change(view.fitted.signature, operating=operating)
    found = replace(view, fitted=change(view.fitted, signature=signature))
    assert "depends on “sex”: for “a/b” from 67, for “Male” from 75 in 100 on." in said(found)
    assert unsupported(render_plain(found), records_of(found)) == []
    false = render_plain(found).replace(">a/b<", ">a/c<")
    assert len(unsupported(false, records_of(found))) == 1


@pytest.mark.parametrize("name", ["binary", "multiclass", "regression", "stopped"])
def test_the_page_needs_no_word_of_the_trade(name: str) -> None:
    assert JARGON.findall(said(VIEWS[name]())) == []


@pytest.mark.parametrize("name", sorted(VIEWS))
def test_the_page_is_sound_and_loads_nothing(name: str) -> None:
    text = render_plain(VIEWS[name]())
    page = Page(text)
    assert not page.elements & {"script", "img", "iframe", "link", "object", "form", "base"}
    assert {key for _, key, _ in page.attributes} <= ATTRIBUTES
    ids = [value for _, key, value in page.attributes if key == "id"]
    assert len(ids) == len(set(ids))
    assert {href[1:] for href in page.has("a", "href")} == set(ids)
    assert len(text) < 150_000


def test_hostile_words_stay_words() -> None:
    usual = Page(render_plain(examined_view())).elements
    assert Page(render_plain(hostile_view())).elements <= usual


@pytest.mark.parametrize(("share", "full"), [(0.0, 0), (53.4, 53), (100.0, 100)])
def test_as_many_dots_are_full(share: float, full: int) -> None:
    drawing = str(hundred(share, "champion"))
    assert drawing.count('"case champion"') == full
    assert drawing.count("<circle") == 100


def test_the_same_records_give_the_same_page() -> None:
    assert render_plain(examined_view()) == render_plain(examined_view())
