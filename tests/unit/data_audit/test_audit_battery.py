"""Acceptances, order, plain evidence, documentation, and tables made to be nasty."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import polars as pl
import pytest

from assay.data.audit import CHECKS, CODES
from assay.records.audit import Audit, Finding
from assay.records.base import from_json, to_json
from assay.records.spec import Acceptance

PAGES = Path(__file__).parents[3] / "docs" / "reference" / "findings"


@pytest.fixture
def leaky(honest) -> pl.DataFrame:
    return honest(0).with_columns(
        pl.col("y").alias("copy"), pl.lit(1.0).alias("one"), pl.lit(2.0).alias("two")
    )


def test_an_accepted_error_does_not_stop_the_run(run, leaky):
    accept = [
        Acceptance(code="LEAK-TARGET", where="copy", reason="known at the door"),
        Acceptance(code="LABEL-COPY", reason="a rehearsal"),
    ]
    result = run(leaky, accept=accept)
    assert result.blocking == ()
    reasons = {f.code: f.accepted for f in result.findings if f.severity == "error"}
    assert reasons == {"LEAK-TARGET": "known at the door", "LABEL-COPY": "a rehearsal"}


def test_an_acceptance_for_another_column_does_not_help(run, leaky, only):
    result = run(leaky, accept=[Acceptance(code="LEAK-TARGET", where="weight", reason="no")])
    assert only(result, "LEAK-TARGET") in result.blocking
    unused = only(result, "ACCEPT-UNUSED")
    assert unused.severity == "note"
    assert unused.evidence == {"code": "LEAK-TARGET", "reason": "no"}


def test_an_acceptance_without_a_place_holds_everywhere(run, leaky):
    result = run(leaky, accept=[Acceptance(code="CONSTANT-COLUMN", reason="soon filled")])
    constant = [f.accepted for f in result.findings if f.code == "CONSTANT-COLUMN"]
    assert constant == ["soon filled", "soon filled"]
    assert not any(f.code == "ACCEPT-UNUSED" for f in result.findings)


def test_findings_of_others_are_judged_along(run, honest, only):
    own = Finding(code="FAMILY-OWN", severity="error", where="x", message="Odd.")
    result = run(honest(0), extra=[own], accept=[Acceptance(code="FAMILY-OWN", reason="fine")])
    assert only(result, "FAMILY-OWN").accepted == "fine"


def test_errors_come_first_and_every_check_is_named(run, leaky):
    result = run(leaky)
    order = [f.severity for f in result.findings]
    assert order == sorted(order, key=["error", "warning", "note"].index)
    assert result.checks == tuple(check.name for check in CHECKS)


def test_the_audit_is_the_same_each_time_and_survives_json(run, leaky):
    first, second = run(leaky), run(leaky)
    assert to_json(first) == to_json(second)
    assert from_json(to_json(first), Audit) == first


def test_every_code_has_a_page_that_says_what_to_do():
    assert len(set(CODES)) == len(CODES)
    for code in CODES:
        text = (PAGES / f"{code}.md").read_text(encoding="utf-8")
        assert text.startswith(f"# {code}\n")
        for heading in ("## What it means", "## How it is found", "## Evidence", "## What to do"):
            assert heading in text, (code, heading)


NASTY = [
    "^.*$", "*", "value", "rows", "target", "raw", "", "{}", "{0.x}", "<script>alert(1)</script>",
    "a\nb", "test row", "x" * 300,
]  # fmt: skip


def test_hostile_names_and_cells_stay_text(run, honest):
    table = honest(0).with_columns(pl.col("y").str.replace("class 1", "<b>&" + "z" * 500))
    columns = {name: table["y"].alias(name) for name in NASTY}
    result = run(table.with_columns(*columns.values()))
    assert {f.where for f in result.findings if f.code == "LEAK-TARGET"} == set(NASTY)
    for finding in result.findings:
        for line in finding.evidence.get("values", []):
            assert all(len(str(part)) <= 80 for part in (*line.keys(), *line.values()))


EXTREME = {
    "infinite": [float("inf"), -float("inf"), 1.0, 2.0] * 50,
    "not a number": [float("nan"), 1.0, None, 3.0] * 50,
    "huge": [1e308, -1e308, 5e-324, -0.0] * 50,
    "empty": [None] * 200,
    "blank": ["", " ", "\x00", "é"] * 50,
    "gap": [None, "a"] * 100,
    "flag": [True, False, None, True] * 50,
}


@pytest.mark.parametrize("classes", [0, 2, 3])
def test_extreme_values_pass_through(run, honest, classes):
    table = honest(0, 200, classes).with_columns(
        *(pl.Series(name, values, strict=False) for name, values in EXTREME.items())
    )
    result = run(table)
    assert len(result.checks) == len(CHECKS)
    assert not {f.where for f in result.findings if f.severity == "error"} & set(EXTREME)
    assert "HIGH-MISSING" in {f.code for f in result.findings if f.where == "empty"}
    plain = msgspec.json.decode(to_json(result))
    assert len(plain["findings"]) == len(result.findings)


@pytest.mark.parametrize("rows", [0, 1, 2, 7])
@pytest.mark.parametrize("classes", [0, 2])
def test_hardly_any_rows_pass_through(run, honest, rows, classes):
    table = honest(0, 50, classes)
    labels = [] if classes == 0 else ["class 0", "class 1"]
    result = run(table.head(rows), classes=labels, parts=np.zeros(rows, np.int8))
    assert isinstance(result, Audit)


@pytest.mark.parametrize("part", [-1, -2, 0])
def test_a_split_with_one_side_only_passes_through(run, honest, part):
    assert isinstance(run(honest(0), parts=np.full(600, part, np.int8)), Audit)


def test_no_features_pass_through(run, honest):
    table = honest(0).select("y").with_columns(pl.lit("a").alias("dropped"))
    assert isinstance(run(table, features=("not there",)), Audit)
