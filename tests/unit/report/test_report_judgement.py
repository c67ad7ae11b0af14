"""Examinations, comparisons, looks, checklists and pictures of evidence on the page."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from msgspec.structs import replace as change
from report_examined import BLOCKS, examinations, examined_view
from report_parts import est
from report_views import binary_view

from assay.records.report import Curve, Examination, Report, Table
from assay.report import RunView, render_html
from assay.report.evidence import table_of
from assay.report.figure import MOST_BARS
from assay.report.judgement import chance, check_rows, comparisons, looks, reads
from assay.report.plots import figures
from assay.report.shown import drawings
from assay.report.view import CheckLine


def examined() -> Report:
    report = examined_view().report
    assert report is not None
    return report


def with_examinations(*found: Examination) -> RunView:
    view = binary_view()
    assert view.report is not None
    return replace(view, report=change(view.report, examinations=found))


def test_serious_concerns_come_first_in_page_and_contents() -> None:
    order = [look.title for look in looks(examined())]
    assert order[:3] == [
        "Where it does worst",
        "How it bears bad rows",
        "Are the probabilities right?",
    ]
    page = render_html(examined_view())
    inner = re.findall(r'<li class="inner"><a href="#([^"]+)">', page)
    assert inner[:2] == ["exam-worst-slices", "exam-robustness"]
    assert [page.index(f'id="{id_}"') for id_ in inner] == sorted(
        page.index(f'id="{id_}"') for id_ in inner
    )


def test_an_examination_shows_reading_advice_numbers_and_tables() -> None:
    page = render_html(examined_view())
    section = page[page.index('id="exam-robustness"') : page.index('id="exam-calibration"')]
    assert "? worth a look" in section
    assert "Missing values cost most" in section
    assert "Before asking the model about new rows" in section
    assert "Loss of the headline under missing values" in section
    assert "0.011" in section
    assert "0.006 to 0.016" in section
    assert "<summary>What each trouble costs</summary>" in section
    first = re.search(r"<th scope=\"col\">([^<]+)</th>", section[section.index("What each") :])
    assert first is not None
    assert first[1] == "At least"  # in the order of the record


def test_a_number_under_two_names_is_shown_once_and_quiet_tables_are_folded() -> None:
    same = est(0.7, 0.1)
    quiet = Examination(
        name="worst",
        title="Where it does worst",
        reading="Nowhere.",
        numbers={"roc_auc": same, "worst_slice": same, "other": est(0.6, 0.1)},
        tables=(Table(title="T", columns=("a",), rows=((1,),)),),
    )
    (look,) = looks(with_report(quiet))
    assert [row.title for row in look.numbers] == ["ROC-AUC", "Other"]
    assert look.folded
    (loud,) = looks(with_report(change(quiet, concern="look")))
    assert not loud.folded
    assert "<summary>Numbers and tables</summary>" in render_html(with_examinations(quiet))


def with_report(found: Examination) -> Report:
    report = with_examinations(found).report
    assert report is not None
    return report


def test_examinations_of_one_name_get_ids_of_their_own() -> None:
    two = with_examinations(
        Examination(name="A b", title="one", reading="x"),
        Examination(name="a B", title="two", reading="y"),
        Examination(name="漢字", title="three", reading="z"),
    )
    assert two.report is not None
    assert [look.id for look in looks(two.report)] == ["exam-a-b", "exam-a-b-2", "exam-x"]


def test_no_picture_is_drawn_twice() -> None:
    page = render_html(examined_view())
    assert page.count("<h3>Calibration") == 1
    assert page.count("<h3>Learning curve</h3>") == 1
    learning = next(look for look in looks(examined()) if look.id == "exam-learning")
    assert [figure.kind for figure in learning.figures] == ["learning"]


def test_an_unknown_picture_and_an_empty_examination_do_no_harm() -> None:
    bare = Examination(
        name="bare", title="Bare", reading="Nothing to see.",
        tables=(Table(title="Empty", columns=(), rows=()),),
        curves=(Curve(kind="hologram", title="Nobody draws this", data={"z": [1]}),),
    )  # fmt: skip
    page = render_html(with_examinations(bare))
    assert "Nothing to see." in page
    assert "Nobody draws this" not in page
    assert ">Empty<" not in page


def test_a_number_without_width_has_no_picture() -> None:
    exact = change(est(1.3, 0.1), low=1.3, high=1.3)
    found = Examination(name="x", title="x", reading="x", numbers={"set_size": exact})
    view = with_examinations(found)
    assert view.report is not None
    (number,) = looks(view.report)[0].numbers
    assert (number.title, number.svg, number.interval) == ("Set size", None, "exact")


def test_comparisons_say_in_words_what_chance_would_do() -> None:
    found = {row.metric: row for row in comparisons(examined())}
    assert found["ROC-AUC"].chance == "less than once in 1,000 times"
    assert found["ROC-AUC"].outcome == "better"
    assert found["Recall"].outcome == "better, but unsure among so many comparisons"
    assert found["Average precision"].outcome == "cannot be told apart"
    assert found["Accuracy"].against == "the baseline, logistic, two columns"


@pytest.mark.parametrize(
    ("p", "words"),
    [(0.0004, "less than once in 1,000"), (0.004, "about 4 in 1,000"), (0.4, "about 40 in 100")],
)
def test_chance(p: float, words: str) -> None:
    assert chance(p).startswith(words)


def test_looks_are_told_with_what_they_cost() -> None:
    view = examined_view()
    assert "They were looked at 3 times." in reads(view).sentence
    assert "interval is widened as for 3 tries at once" in reads(view).sentence
    page = render_html(view)
    assert "Because the test rows were looked at 3 times" in page
    assert page.count("run-20") == 1
    assert "looked at once" in reads(binary_view()).sentence


def test_checklists_show_what_is_not_met_first() -> None:
    lines = tuple(
        CheckLine(id_, f"title {id_}", state, "because", "records")
        for id_, state in (("a", "satisfied"), ("b", "open"), ("c", "hit"))
    )
    assert [row.id for row in check_rows(lines)] == ["c", "b", "a"]
    page = render_html(examined_view())
    assert page.index('id="checklist"') < page.index('id="limits"')
    assert "PIT-07" in page
    assert 'id="checklist"' not in render_html(binary_view())


def test_sums_are_drawn_and_example_rows_are_not() -> None:
    found = drawings(BLOCKS.evidence)
    assert set(found) == {"target over time", "values", "classes"}
    assert found["target over time"].svg is not None
    assert [value for _, _, value in found["values"].bars] == ["412", "400"]
    assert [label for _, label in found["values"].legend] == ["Churn = No", "Churn = Yes"]
    assert [value for _, _, value in found["classes"].bars] == ["26.5%", "73.5%"]


def test_a_cross_table_and_ranges_are_drawn() -> None:
    evidence = {
        "cross table": {"surgery": {"bad": 207, "good": 2}, "none": {"bad": 3, "good": 355}},
        "ranges": [
            {"least": 1.0, "mean": 2.5, "most": 4.0, "rows": 10, "value": "a"},
            {"least": 2.0, "mean": 5.0, "most": 9.0, "rows": 12, "value": "b"},
        ],
        "one line": [{"rows": 3, "value": "a"}],
        "nothing": [],
        "odd": [{"rows": None, "value": "a"}, {"rows": 2, "value": "b"}],
        "fact": 3,
    }
    found = drawings(evidence)
    assert set(found) == {"cross table", "ranges"}
    assert [name for name, _, _ in found["cross table"].bars] == ["surgery", "none"]
    assert [value for _, _, value in found["ranges"].bars] == ["2.5", "5"]


def test_a_table_starts_with_what_its_lines_are_about() -> None:
    lines = [{"Between": "0.1 to 12 %", "Candidate": "a 1", "Really worse": "no", "Row": 7}]
    assert table_of("x", lines).header == ("Row", "Candidate", "Between", "Really worse")


def curve(name: str) -> list[Curve]:
    return [c for e in examinations() for c in e.curves if c.kind == name]


def test_degradation_has_a_line_for_each_trouble() -> None:
    (figure,) = figures(curve("degradation"))
    assert [label for _, label in figure.legend] == ["Missing values", "Noise", "Unseen categories"]
    assert len(figure.rows) == 12
    assert figure.rows[1] == ("Missing values", "10 %", "0.011", "0.007 to 0.015")
    assert figure.svg is not None
    assert "Missing values, 40 %: 0.06" in figure.svg


def test_dependence_is_a_line_for_numbers_and_dots_for_texts() -> None:
    number, text = figures(curve("dependence"))
    assert number.svg is not None
    assert text.svg is not None
    assert number.svg.count("<circle") == 0
    assert text.svg.count("<circle") == 3
    assert "Two year" in text.svg


def test_many_categories_are_cut_and_counted() -> None:
    (one,) = (c for c in curve("dependence") if c.title == "Contract")
    many = {key: [one.data[key][0]] * 30 for key in ("mean", "low", "high")}
    data = one.data | many | {"x": [f"town {i}" for i in range(30)]}
    (figure,) = figures([change(one, data=data)])
    assert "18 more values not shown" in figure.caption
    assert len(figure.rows) == 12


def test_thresholds_show_both_sides_of_the_bargain() -> None:
    data = {"threshold": [0.2, 0.5], "precision": [0.4, 0.6], "recall": [0.9, 0.5], "chosen": 0.5}
    (figure,) = figures([Curve(kind="thresholds", title="Thresholds", data=data)])
    assert figure.rows == (("0.2", "40%", "90%"), ("0.5", "60%", "50%"))
    assert figure.svg is not None
    assert "guide" in figure.svg


def test_contributions_are_bars_in_their_unit() -> None:
    (figure,) = figures(curve("contributions"))
    assert [name for name, _, _ in figure.bars] == ["Contract", "tenure", "InternetService"]
    assert "in log-odds of Yes" in figure.caption
    assert len(figure.bars) <= MOST_BARS
