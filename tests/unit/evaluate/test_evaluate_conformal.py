from __future__ import annotations

import msgspec
import numpy as np
import pytest
from operate_cases import make_case

from assay.evaluate.answers.conformal import examine, margin_of
from assay.kernel.family import Predictions
from assay.records.fitted import Operating

NAMES = ("a", "b", "c", "d")


def classes(n, seed=0):
    rng = np.random.default_rng(seed)
    values = rng.dirichlet([0.5] * 4, n)
    return np.array([rng.choice(4, p=row) for row in values]), values


def numbers(n, seed=0):
    rng = np.random.default_rng(seed)
    guess = rng.normal(size=n)
    return guess + rng.standard_t(4, n), guess


@pytest.mark.parametrize("coverage", [0.7, 0.9, 0.95])
@pytest.mark.parametrize("make", [classes, numbers])
def test_new_rows_are_held_as_often_as_promised(make, coverage):
    held = []
    for seed in range(30):
        truth, values = make(400, seed)
        margin = margin_of(truth, Predictions(values), coverage)
        case = make_case(
            *make(1_000, seed + 1_000),
            classes=NAMES if make is classes else (),
            operating=Operating(margin=margin, coverage=coverage),
        )
        held.append(examine(case).numbers["conformal_coverage"].value)
    assert np.mean(held) == pytest.approx(coverage, abs=0.012) or np.mean(held) > coverage


def test_the_margin_is_the_order_statistic_that_makes_up_for_few_rows():
    truth, guess = np.arange(1.0, 20.0), np.zeros(19)
    assert margin_of(truth, Predictions(guess), 0.9) == 18.0  # the ceil(20 * 0.9)-th of 19
    assert margin_of(truth[:5], Predictions(guess[:5]), 0.9) == 5.0
    few = np.full((3, 2), 0.5)
    assert margin_of(np.array([0, 1, 0]), Predictions(few), 0.9) == 1.0


def test_sets_are_as_small_as_the_model_is_sure():
    truth, values = classes(3_000)
    margin = margin_of(truth, Predictions(values), 0.9)
    case = make_case(truth, values, classes=NAMES, operating=Operating(margin=margin))
    found = examine(case)
    assert found.numbers["conformal_coverage"].value == pytest.approx(0.9, abs=0.01)
    assert 1 < found.numbers["set_size"].value < 3
    assert found.concern == "none"
    lines = found.by_title["By true class"]
    assert sum(line["rows"] for line in lines) == 3_000
    assert "90%" in found.reading
    msgspec.json.encode(found)


@pytest.mark.parametrize("make", [classes, numbers])
def test_a_promise_that_is_not_kept_is_serious(make):
    truth, values = make(2_000)
    margin = margin_of(truth, Predictions(values), 0.6)
    names = NAMES if make is classes else ()
    point = Operating(margin=margin, coverage=0.9)
    found = examine(make_case(truth, values, classes=names, operating=point))
    assert found.concern == "serious"
    assert "not kept" in found.advice


def test_an_interval_that_is_too_narrow_for_large_answers_is_said_to_be():
    rng = np.random.default_rng(0)
    guess = rng.uniform(0, 10, 4_000)
    truth = guess + rng.normal(size=4_000) * guess / 3
    margin = margin_of(truth, Predictions(guess), 0.9)
    found = examine(make_case(truth, guess, classes=(), operating=Operating(margin=margin)))
    lines = found.by_title["By predicted value"]
    assert lines[0]["held"] > 0.99 > 0.85 > lines[-1]["held"]
    assert "same width everywhere" in found.advice


def test_no_margin_no_examination():
    truth, values = classes(50)
    assert examine(make_case(truth, values, classes=NAMES)) is None


def test_rows_that_hang_together_widen_the_interval():
    truth, values = classes(300)
    point = Operating(margin=0.6)
    copies = np.repeat(np.arange(300), 6)
    one = make_case(truth[copies], values[copies], classes=NAMES, operating=point)
    two = make_case(truth[copies], values[copies], classes=NAMES, operating=point, groups=copies)
    narrow, wide = (examine(case).numbers["conformal_coverage"] for case in (one, two))
    assert wide.high - wide.low > 2 * (narrow.high - narrow.low)
