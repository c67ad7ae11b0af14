"""Pieces of the lifecycle on their own: the ensemble, the candidates, the runs."""

from __future__ import annotations

import numpy as np
import pytest

from assay.errors import SpecError, UsageError
from assay.lifecycle.ensemble import select
from assay.lifecycle.fit import _labels
from assay.lifecycle.history import RunEntry, find
from assay.lifecycle.search import chosen
from assay.metrics import get
from assay.records.fitted import Candidate

RNG = np.random.default_rng(0)
TRUTH = RNG.integers(0, 2, 400)


def guess(noise: float) -> np.ndarray:
    yes = 1 / (1 + np.exp(-(2 * TRUTH - 1 + RNG.normal(0, noise, TRUTH.size))))
    return np.column_stack([1 - yes, yes])


def test_two_that_err_apart_are_better_together():
    guesses = {"a": guess(2.0), "b": guess(2.0)}
    metric = get("roc_auc")
    weights, score = select(metric, TRUTH, guesses, ("no", "yes"), 1)
    assert set(weights) == {"a", "b"}
    assert sum(weights.values()) == pytest.approx(1)
    alone = [select(metric, TRUTH, {n: g}, ("no", "yes"), 1)[1] for n, g in guesses.items()]
    assert score > max(alone)


def test_a_bad_one_is_left_out():
    guesses = {"good": guess(0.5), "noise": guess(50.0)}
    weights, _ = select(get("log_loss"), TRUTH, guesses, ("no", "yes"), 1)
    assert weights == {"good": 1.0}


def test_numbers_are_averaged_too_and_lower_is_better():
    truth = RNG.normal(0, 1, 300)
    guesses = {name: truth + RNG.normal(0, 1, 300) for name in "abcdef"}
    weights, score = select(get("rmse"), truth, guesses, (), 0)
    assert 2 <= len(weights) <= 4
    assert score < min(np.sqrt(np.mean((g - truth) ** 2)) for g in guesses.values())


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
