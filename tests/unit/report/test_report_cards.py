"""The cards: reproducible, without times and paths, and plain text stays plain text."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from msgspec.structs import replace as change
from report_hostile import hostile_view
from report_parts import est
from report_views import binary_view, stopped_view

from assay.records.fitted import Field
from assay.report import RunView, StageTime, data_card, model_card, render_html
from assay.report.text import markdown


def another_day(view: RunView) -> RunView:
    """The same records as they come out of a later run on a slower machine."""
    assert view.report is not None
    assert view.leaderboard is not None
    return replace(
        view,
        run="another", started_at="2031-01-01T00:00:00+00:00", sealed_at="", seconds=99.0,
        stages=(StageTime("ingest", 9.0),), test_reads=4, actor="tom", package=None, version=None,
        versions=(), leaderboard=change(view.leaderboard, seconds=77.0, stopped_by="done"),
        report=change(view.report, package_bytes=9,
                      latency_ms={"p50": est(7, 1), "p99": est(19, 2)},
                      ),
    )  # fmt: skip


def test_equal_records_give_equal_cards_on_any_day() -> None:
    view = binary_view()
    later = another_day(view)
    assert later.decision is not None
    gates = list(later.decision.gates)
    gates[2] = change(
        gates[2], value=19.0, low=17.0, high=21.0, verdict="rejected", rows_needed=None
    )
    later = replace(later, decision=change(later.decision, gates=tuple(gates), verdict="rejected"))
    assert model_card(later) == model_card(view)
    assert data_card(later) == data_card(view)


@pytest.mark.parametrize("card", [model_card, data_card])
def test_cards_hold_no_time_run_or_path(card: object) -> None:
    text = card(binary_view())  # type: ignore[operator]
    for word in ("2026", "/home", "20261122", "ines\n", "28.4", "read once"):
        assert word not in text


def test_the_model_card_has_what_a_reader_needs() -> None:
    text = model_card(binary_view())
    for part in (
        "# Model card: telco-churn",
        "Which customers will leave",
        "| ROC-AUC | 0.846 | 0.825 to 0.867 | 0.795 | 0.771 to 0.820 |",
        "ROC-AUC beats the baseline | accepted | +0.051",
        "| depends on the machine |",
        "| signed\\|on | datetime | yes | 2017-07-14 to 2023-11-14 |",
        "was accepted by a person",
        binary_view().seal_digest,
    ):
        assert part in text


def test_a_stopped_run_has_cards_too() -> None:
    assert "No model was trained." in model_card(stopped_view())
    assert "LEAK-TARGET" in data_card(stopped_view())


def test_the_card_says_how_to_ask_the_model_without_assay() -> None:
    view = binary_view()
    assert view.fitted is not None
    text = model_card(view)
    assert "## Use without Assay" in text
    assert "free text" not in text
    compile(text.partition("```python\n")[2].partition("```")[0], "card", "exec")
    inputs = (*view.fitted.signature.inputs, Field(name="note", type="text", missing=True))
    signature = change(view.fitted.signature, inputs=inputs)
    assert "free text" in model_card(replace(view, fitted=change(view.fitted, signature=signature)))
    other = change(view.fitted, files={"encoder.json": "0"})
    assert "without Assay" not in model_card(replace(view, fitted=other))


@pytest.mark.parametrize("card", [model_card, data_card])
def test_hostile_text_stays_text(card: object) -> None:
    text = card(hostile_view())  # type: ignore[operator]
    assert not re.search(r"<\s*[a-z/!]", text, re.IGNORECASE)
    assert not re.search(r"(?<!\\)\]\(", text)
    assert "http://" not in text
    assert "\u202e" not in text
    assert "w" * 500 not in text
    text.encode()
    headings = [line for line in text.splitlines() if line.startswith("#")]
    assert len(headings) == len(
        [line for line in card(binary_view()).splitlines() if line.startswith("#")]  # type: ignore[operator]
    )
    for table in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        widths = {len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}
        assert len(widths) == 1


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("# not a heading", "\\# not a heading"),
        ("- not a list", "\\- not a list"),
        ("1. not a list", "1\\. not a list"),
        ("-0.5", "-0.5"),
        ("+0.051 vs. baseline", "+0.051 vs. baseline"),
        ("---", "\\---"),
        ("a\nb", "a b"),
        ("<b>", "&lt;b&gt;"),
        ("www.evil.example", "www\\.evil.example"),
        ("see https://evil.example", "see https\\://evil.example"),
        ("a_b*c`d[e]", "a\\_b\\*c\\`d\\[e\\]"),
    ],
)
def test_markdown(value: str, shown: str) -> None:
    assert markdown(value) == shown


@pytest.mark.parametrize("example", ["", "'7' → 7"])
def test_cleaning_is_in_words_and_shows_examples_where_there_are_some(example: str) -> None:
    view = binary_view()
    step = change(view.snapshot.cleaning[0], rule="number-as-text", cells=1234, example=example)
    view = replace(view, snapshot=change(view.snapshot, cleaning=(step, step)))
    for text in (data_card(view), render_html(view)):
        assert "number as text" in text
        assert ("Before → after" in text) == bool(example)
    rows = data_card(view).partition("## Cleaning")[2].partition("## Split")[0].split("\n")
    rows = [row for row in rows if row]
    assert len(rows) == 4
    assert {row.count("|") for row in rows} == {5 if example else 4}
