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
from report_views import binary_view, stopped_view

from assay.records.fitted import Operating
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
    assert "Collect more rows of this group, or leave its cases to a person." in text
    assert "looked at under 3 versions of the rules" in text
    assert "Are the probabilities right?" not in text


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
