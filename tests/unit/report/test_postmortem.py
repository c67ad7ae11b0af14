"""The postmortem: only what the record holds, each number with its place, blanks for people."""

from __future__ import annotations

import re
from typing import get_args

import pytest

from assay.records.deployment import Drill, Fault
from assay.report.lint import unsupported
from assay.report.postmortem import BLANK, Postmortem, markdown_postmortem, render_postmortem


def made(kind: str = "kill-worker", **changes) -> Postmortem:
    record = Drill(
        **{
            "kind": kind,
            "model": "churn@3",
            "detect_s": 0.0712,
            "recover_s": 0.27863,
            "failed": 7,
            "wrong": 0,
            "requests": 18_000,
            "passed": True,
            "checks": (("requests failed for 0.04 s, at most 1 s", True), ("no row twice", False)),
            "timeline": ((-2.0, "the server has started"), (0.0, "SIGKILL to 1 of 2 workers")),
            **changes,
        }
    )
    return Postmortem(record, "ab" * 32, "2026-11-22T17:00:00.000000+00:00", "ann")


@pytest.mark.parametrize("kind", get_args(Fault))
def test_every_number_stands_in_the_record(kind: str) -> None:
    found = made(kind)
    page = render_postmortem(found)
    assert unsupported(page, found.records()) == []
    assert re.search(r">18,000<", page)
    assert "0.2786" in page
    text = markdown_postmortem(found).replace("22 Nov 2026, 17:00 UTC", "")
    assert unsupported(text, found.records()) == []


def test_a_number_that_is_made_up_is_found() -> None:
    found = made()
    page = render_postmortem(found).replace("18,000", "18,001")
    assert unsupported(page, found.records()) != []


def test_it_says_what_held_and_what_did_not() -> None:
    text = markdown_postmortem(made(passed=False))
    held, _, rest = text.partition("## What did not hold")
    assert "Not passed" in held
    assert "Requests failed for 0.04 s" in held.partition("## What held")[2]
    assert "No row twice" in rest.partition("## Timeline")[0]


def test_what_did_not_happen_is_said() -> None:
    text = markdown_postmortem(made(detect_s=None, recover_s=None))
    assert "It was not detected." in text
    assert "It did not recover while the drill lasted." in text


def test_nobody_was_harmed_only_when_nobody_was() -> None:
    assert "Nobody who asked was harmed" not in markdown_postmortem(made())
    assert "Nobody who asked was harmed" in markdown_postmortem(made(failed=0))


def test_what_no_record_knows_is_left_blank() -> None:
    assert markdown_postmortem(made()).count(BLANK) == 3 + 2 * 4
    assert render_postmortem(made()).count(BLANK) == 3 + 4


def test_text_of_others_stays_text() -> None:
    found = made(timeline=((0.0, "<script>alert(1)</script> | **x**"),))
    assert "<script>" not in render_postmortem(found)
    assert "<script>" not in markdown_postmortem(found)
    assert r"\*\*x" in markdown_postmortem(found)


def test_the_page_loads_nothing() -> None:
    page = render_postmortem(made())
    assert "default-src 'none'" in page
    assert "src=" not in page.replace("default-src", "").replace("img-src", "").replace(
        "style-src", ""
    )
    assert "http" not in re.sub(r"http-equiv", "", page)
