"""No number without a record: every page is clean, and a false number is caught wherever it is."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

import pytest
from msgspec.structs import replace as change
from report_examined import examined_view
from report_hostile import VIEWS
from report_parts import est
from report_views import binary_view

from assay.report import RunView, render_html
from assay.report.hypothesis import why
from assay.report.lint import unsupported
from assay.report.numbers import Book, derive, join, place, records_of, resolve, say, sources
from assay.report.plain import render_plain

PLAIN = sorted(set(VIEWS) - {"hostile"})
NUM = re.compile(r'(<a class="num-of"[^>]*>)([^<]+)(</a>)')


def why_section(view: RunView) -> str:
    found = re.search(r'<section id="why">.*?</section>', render_html(view), re.DOTALL)
    assert found is not None
    return found[0]


@pytest.mark.parametrize("name", PLAIN)
def test_every_number_of_a_plain_page_stands_in_a_record(name: str) -> None:
    view = VIEWS[name]()
    page = render_plain(view)
    assert unsupported(page, records_of(view)) == []
    if name != "stopped":
        assert len(NUM.findall(page)) > 10


@pytest.mark.parametrize("name", ["binary", "multiclass", "examined"])
def test_every_number_of_the_hypothesis_stands_in_a_record(name: str) -> None:
    view = VIEWS[name]()
    explained = why(view)
    assert explained is not None
    assert unsupported(why_section(view), records_of(view)) == []
    assert [w for text in explained.texts for w in unsupported(text, records_of(view))] == []
    assert NUM.search(why_section(view))


def wrong(token: str) -> str:
    """Return the number with its last digit changed."""
    at = max(i for i, letter in enumerate(token) if letter.isdigit())
    return token[:at] + str((int(token[at]) + 5) % 10) + token[at + 1 :]


@pytest.mark.parametrize("make", [examined_view, VIEWS["regression"], VIEWS["multiclass"]])
def test_a_false_number_is_caught_wherever_it_is_planted(make: Callable[[], RunView]) -> None:
    view = make()
    records = records_of(view)
    for page in [render_plain(view), *([why_section(view)] if view.leaderboard else [])]:
        hits = list(NUM.finditer(page))
        for hit in hits:
            planted = page[: hit.start(2)] + wrong(hit[2]) + page[hit.end(2) :]
            assert len(unsupported(planted, records)) == 1, hit[2]


def test_a_number_without_a_mark_is_caught() -> None:
    view = binary_view()
    page = render_plain(view).replace("</main>", "<p>It saves 1,200 calls.</p></main>")
    assert unsupported(page, records_of(view)) == ["1,200: names no record"]


def test_a_number_at_the_wrong_place_is_caught() -> None:
    view = binary_view()
    records = records_of(view)
    page = render_plain(view)
    moved = page.replace('data-record="/split/train"', 'data-record="/split/test"')
    assert any("/split/test says otherwise" in said for said in unsupported(moved, records))
    lost = page.replace('data-record="/split/train"', 'data-record="/split/none"')
    assert any("there is no /split/none" in said for said in unsupported(lost, records))


def test_a_page_of_older_records_is_caught() -> None:
    view = binary_view()
    assert view.report is not None
    metrics = {**view.report.champion.metrics, "recall": est(0.75, 0.05)}
    champion = change(view.report.champion, metrics=metrics)
    newer = replace(view, report=change(view.report, champion=champion))
    assert unsupported(render_plain(newer), records_of(newer)) == []
    assert unsupported(render_plain(view), records_of(newer)) != []


def test_changed_words_of_a_record_are_caught() -> None:
    view = binary_view()
    page = render_plain(view).replace("Customers of a telephone company", "Patients of a hospital")
    said = unsupported(page, records_of(view))
    assert any("/spec/data/description says otherwise" in one for one in said)


def test_only_a_hundred_is_a_scale() -> None:
    page = '<p>Of <span data-form="scale">200</span> cases</p>'
    assert unsupported(page, {}) == ["200: only a hundred needs no record"]


def test_plain_text_is_judged_by_all_numbers_of_the_records() -> None:
    records = records_of(binary_view())
    assert unsupported("It reached 0.846 on 1,409 rows, 84.6% or 85 of 100.", records) == []
    assert unsupported("It reached 0.917 on 1,409 rows.", records) == ["0.917: in no record"]


def test_parts_of_names_are_no_numbers() -> None:
    assert unsupported("<p>F1 and R², a 99th percentile, utf8</p>", {}) == []


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ("value", 0.25),
        ("hundred", 25.0),
        ("rest", 75.0),
        ("size", 0.25),
        ("gap /list/0", 2.75),
    ],
)
def test_forms(form: str, expected: float) -> None:
    records = {"share": 0.25, "list": [3.0, 4.0]}
    assert derive(records, "/share", form) == pytest.approx(expected)


def test_counts_and_sums() -> None:
    view = binary_view()
    records = records_of(view)
    assert derive(records, "/audit/findings", "count") == 4
    assert derive(records, "/audit/findings", "count severity=warning") == 2
    assert derive({"list": [3, 4]}, "/list", "sum") == 7


def test_places_are_json_pointers() -> None:
    records = {"a/b": {"~": [{"x": 1.5}]}}
    pointer = place("a/b", "~", 0, "x")
    assert pointer == "/a~1b/~0/0/x"
    assert resolve(records, pointer) == 1.5
    for lost in ("/a~1b/~0/1/x", "/a~1b/y", "/a~1b/~0/0/x/deeper"):
        with pytest.raises(KeyError):
            resolve(records, lost)
    with pytest.raises(ValueError, match="no number"):
        derive({"name": "x", "list": []}, "/list", "value")


def test_texts_join_and_tell_their_sources_once() -> None:
    book = Book({"rows": 1409, "share": 0.0004})
    text = say("{n} rows, {n} again, {s} of a hundred", n=book.num("rows"), s=book.cases("share"))
    assert str(join([text, "end"])) == "1,409 rows, 1,409 again, 0.04 of a hundred end"
    assert [(s.text, s.exact) for s in sources([text])] == [("1,409", "1409"), ("0.04", "0.04")]
