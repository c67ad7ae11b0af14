"""The few questions that a record answers by itself."""

from __future__ import annotations

import pytest

from assay.errors import AssayError
from assay.records.audit import Audit, Finding
from assay.records.base import to_json
from assay.records.fitted import Candidate, FoldFit, Leaderboard, Trial
from assay.records.report import Parity
from assay.records.snapshot import Column, DataSnapshot, Problem


def finding(severity, accepted=None):
    return Finding(code="C", severity=severity, where="x", message="m", accepted=accepted)


def test_only_errors_that_no_one_accepted_block():
    error = finding("error")
    found = (finding("warning"), finding("error", "known"), error, finding("note"))
    assert Audit(findings=found, checks=()).blocking == (error,)
    assert Audit(findings=(), checks=("a",)).blocking == ()


@pytest.mark.parametrize(
    ("flips", "difference", "holds"),
    [(0, 0.0, True), (0, 1e-6, True), (0, 1.1e-6, False), (1, 0.0, False)],
)
def test_parity_holds(flips, difference, holds):
    parity = Parity(
        rows=9, nasty_rows=9, max_abs_diff=difference, label_flips=flips, tolerance=1e-6
    )
    assert parity.holds is holds


def test_columns_by_name():
    column = Column(name="x", type="number", rows=3)
    snapshot = DataSnapshot(source="s", content="c", table="t", rows=3, columns=(column,))
    assert snapshot.column("x") is column
    with pytest.raises(KeyError):
        snapshot.column("y")


def test_positive_code():
    parts = {"family": "f", "task": "binary", "target": "t", "primary": "m"}
    assert Problem(**parts, classes=("a", "b"), positive="b").positive_code == 1
    assert Problem(**parts).positive_code == 0


def test_what_json_cannot_hold_is_said_in_plain_words():
    with pytest.raises(AssayError) as error:
        to_json({"file": "caf\udce9.csv"})
    assert error.value.code == "RECORD-NOT-JSON"
    assert "UTF-8" in error.value.hint
    with pytest.raises(AssayError):
        to_json(object())


def test_a_search_and_a_fit_name_the_bytes_that_they_are_nothing_without():
    candidate = Candidate(name="a", kind="k")
    fit = FoldFit(candidate="a", fold=0, predictions="p", rounds=None, seconds=1.0)
    assert fit.blobs() == ("p",)
    tried = Trial(candidate=candidate, status="done", score=1.0, predictions="p")
    failed = Trial(candidate=candidate, status="failed")
    board = Leaderboard(
        metric="r2", baselines=(tried,), trials=(failed, tried), weights={"a": 1.0}, score=1.0
    )
    assert board.blobs() == ("p", "p")
