"""The page: valid, complete, small, and never a door for foreign text."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from dataclasses import replace

import pytest
from msgspec.structs import replace as change
from report_hostile import NASTY
from report_page import ATTRIBUTES, Page
from report_views import binary_view, stopped_view

from assay.records.audit import Audit
from assay.records.report import Curve
from assay.records.snapshot import Column
from assay.report import render_html


def test_hostile_text_adds_no_element_and_no_attribute(pages: dict[str, str]) -> None:
    usual = Page(pages["examined"]).elements | Page(pages["stopped"]).elements
    hostile = Page(pages["hostile"])
    assert hostile.elements <= usual
    assert not hostile.elements & {"script", "img", "iframe", "link", "object", "form", "base"}
    assert {name for _, name, _ in hostile.attributes} <= ATTRIBUTES
    said = " ".join(hostile.text)
    assert "<script>document.title='owned'</script>" in said
    assert "{{ 7*7 }}{% raw %}${7*7}" in said
    assert "49" not in re.findall(r"\$\{?\d+", said)


@pytest.mark.parametrize(
    "name", ["binary", "multiclass", "regression", "stopped", "examined", "hostile"]
)
def test_a_page_loads_nothing_and_runs_nothing(pages: dict[str, str], name: str) -> None:
    page = Page(pages[name])
    assert all(href.startswith("#") for href in page.has("a", "href"))
    assert not any(attribute in {"src", "action"} for _, attribute, _ in page.attributes)
    assert not any(attribute.startswith("on") for _, attribute, _ in page.attributes)
    styles = {value for _, attribute, value in page.attributes if attribute == "style"}
    assert all(re.fullmatch(r"--share:[01]\.\d{3}", value) for value in styles)
    (style,) = re.findall(r"<style>(.*?)</style>", pages[name], re.DOTALL)
    assert "url(" not in style
    assert "@import" not in style
    assert any("default-src 'none'" in value for value in page.has("meta", "content"))


@pytest.mark.parametrize(
    "name", ["binary", "multiclass", "regression", "stopped", "examined", "hostile"]
)
def test_every_link_has_its_place_and_every_picture_its_name(
    pages: dict[str, str], name: str
) -> None:
    page = Page(pages[name])
    ids = [value for _, attribute, value in page.attributes if attribute == "id"]
    assert len(ids) == len(set(ids))
    assert {href[1:] for href in page.has("a", "href")} == set(ids)
    drawings = re.findall(r"<svg.*?</svg>", pages[name], re.DOTALL)
    assert drawings
    for drawing in drawings:
        svg = ET.fromstring(drawing)
        assert svg.attrib["role"] == "img"
        assert svg[0].tag == "title"
        assert svg[1].tag == "desc"
        assert not re.search(r"\bnan\b", drawing.lower())


def test_no_control_character_or_direction_mark_reaches_the_page(pages: dict[str, str]) -> None:
    assert not re.search(
        "[\x00-\x09\x0b-\x1f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", pages["hostile"]
    )
    assert "w" * 1_000 not in pages["hostile"]
    pages["hostile"].encode()


def test_a_page_is_the_same_each_time(pages: dict[str, str]) -> None:
    assert render_html(binary_view()) == pages["binary"]


def test_the_stopped_page_leads_with_the_audit_and_has_no_model(pages: dict[str, str]) -> None:
    page = pages["stopped"]
    assert page.index('<section id="audit">') < page.index('<section id="data">')
    assert "Stopped by the audit" in page
    assert "LEAK-TARGET" in page
    assert 'id="performance"' not in page
    assert "never read" in page


def test_ten_thousand_columns_stay_a_small_page() -> None:
    column = Column(
        name="c", type="number", rows=9, unique=9, low=0, high=1, histogram=tuple(range(20))
    )
    columns = tuple(change(column, name=f"column_{i}") for i in range(10_000))
    view = stopped_view()
    page = render_html(replace(view, snapshot=change(view.snapshot, columns=columns)))
    assert len(page) < 150_000
    assert "9,920 more columns not shown" in page


def test_typical_size(pages: dict[str, str]) -> None:
    names = ("binary", "multiclass", "regression", "examined")
    assert all(len(pages[name]) < 150_000 for name in names)


def test_an_unknown_curve_and_an_empty_one_are_left_out() -> None:
    view = binary_view()
    assert view.report is not None
    curves = (
        Curve(kind="spectrogram", title="Nobody draws this", data={"z": [1]}),
        Curve(kind="importance", title="Nothing in it", data={"columns": [], "mean": []}),
    )
    page = render_html(replace(view, report=change(view.report, curves=curves)))
    assert "Nobody draws this" not in page
    assert "Nothing in it" not in page
    assert 'id="pictures"' not in page


def test_a_run_without_findings_says_so() -> None:
    view = replace(binary_view(), audit=Audit(findings=(), checks=("leakage",)))
    page = render_html(view)
    assert "1 check ran before training. None of them found anything." in page


def test_passwords_in_a_source_are_not_shown() -> None:
    view = binary_view()
    source = "postgresql://ines:secret@db.example/sales?sslcert=secret"
    page = render_html(replace(view, snapshot=change(view.snapshot, source=source)))
    assert "postgresql://db.example/sales" in page
    assert "secret" not in page


def test_each_nasty_text_is_covered_by_the_view() -> None:
    assert len(NASTY) == len(set(NASTY))
