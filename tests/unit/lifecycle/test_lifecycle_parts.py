"""Pieces of the lifecycle on their own: the candidates, the runs."""

from __future__ import annotations

import pytest

from assay.errors import SpecError, UsageError
from assay.lifecycle.fit import _labels
from assay.lifecycle.history import RunEntry, find
from assay.lifecycle.search.stage import chosen
from assay.records.fitted import Candidate


def test_candidates_are_chosen_by_name():
    declared = [Candidate(name=name, kind="linear") for name in "abc"]
    assert chosen(declared, ()) == declared
    assert [c.name for c in chosen(declared, ("c", "a"))] == ["a", "c"]
    with pytest.raises(SpecError) as error:
        chosen(declared, ("a", "x"))
    assert (error.value.got, error.value.allowed) == (["x"], ("a", "b", "c"))


def entries(*names: str) -> dict[str, RunEntry]:
    return {
        name: RunEntry(run=name, project="", folder="", started_at="", actor="", given={}, spec="")
        for name in names
    }


@pytest.mark.parametrize(
    ("reference", "run"),
    [("last", "shop-b2"), ("shop-a1", "shop-a1"), ("b2", "shop-b2"), ("shop-a", "shop-a1")],
)
def test_a_run_is_found_by_a_part_of_its_id(reference, run):
    assert find(entries("shop-a1", "shop-b2"), reference).run == run


@pytest.mark.parametrize(("reference", "words"), [("shop", "several runs"), ("x", "no run")])
def test_a_run_that_is_not_clear_is_refused(reference, words):
    with pytest.raises(UsageError) as error:
        find(entries("shop-a1", "shop-b2"), reference)
    assert words in error.value.message
    assert error.value.allowed == ("shop-a1", "shop-b2")
    with pytest.raises(UsageError) as error:
        find({}, "last")
    assert error.value.code == "RUN-NONE"


@pytest.mark.parametrize(
    ("kind", "classes", "labels"),
    [
        ("number", ("-1", "0", "12"), "integer"),
        ("number", ("0.5", "1"), "text"),
        ("number", ("NaN", "1"), "text"),
        ("boolean", ("false", "true"), "boolean"),
        ("category", ("0", "1"), "text"),
        ("number", (), "integer"),
    ],
)
def test_classes_are_answered_as_what_they_were_in_the_table(kind, classes, labels):
    assert _labels(kind, classes) == labels
