"""A weight counts as that many rows, and no weights are the same as before, to the bit."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from tabular_cases import mixed_table, state

from assay.records.fitted import Candidate
from assay.tasks.tabular.family import FAMILY
from assay.tasks.tabular.models.boosting import fit_boosting
from assay.tasks.tabular.models.kind import Job
from assay.tasks.tabular.models.linear import fit_constant, fit_linear

KINDS = {
    "constant": {},
    "column": {},
    "linear": {"strength": 1.0},
    "forest": {"extra": True, "trees": 5, "leaf": 3, "features": 0.5},
    "boosting": {"rounds": 15, "num_leaves": 6, "min_data_in_leaf": 5},
}
TARGETS = {"binary": "sold", "multiclass": "grade", "regression": "price"}


def fitted(kind, problem, rows):
    candidate = Candidate(name=kind, kind=kind, params={**KINDS[kind], "text": []})
    return FAMILY.fit(candidate, problem, rows, None, None, 0, 1)


@pytest.fixture(scope="module", params=TARGETS)
def case(request):
    problem, rows, _ = state(TARGETS[request.param], mixed_table(300))
    return problem, rows


@pytest.mark.parametrize("kind", KINDS)
def test_equal_weights_answer_as_none(kind, case):
    problem, rows = case
    ones = dataclasses.replace(rows, weight=np.ones(len(rows.truth)))
    plain = fitted(kind, problem, rows).predict(rows.frame).values
    assert fitted(kind, problem, ones).predict(rows.frame).values == pytest.approx(plain)


@pytest.mark.parametrize("kind", KINDS)
def test_weights_pull_the_answers_to_the_heavy_rows(kind, case):
    problem, rows = case
    heavy = rows.truth == rows.truth.max()
    if not problem.classes:
        heavy = rows.truth > np.median(rows.truth)
    weight = np.where(heavy, 20.0, 1.0)
    plain = fitted(kind, problem, rows).predict(rows.frame).values
    found = (
        fitted(kind, problem, dataclasses.replace(rows, weight=weight)).predict(rows.frame).values
    )
    last = (found, plain) if found.ndim == 1 else (found[:, -1], plain[:, -1])
    assert last[0].mean() > last[1].mean()


@pytest.mark.parametrize("classes", [0, 2, 3])
def test_a_weight_of_two_is_the_row_twice(classes):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(90, 3))
    y = x @ [1.0, -2.0, 0.5] + rng.normal(size=90)
    if classes:
        y = np.digitize(y, [0.0, 1.0][: classes - 1])
    twice = np.arange(90) % 3 == 0
    more, again = np.vstack([x, x[twice]]), np.concatenate([y, y[twice]])
    weight = np.where(twice, 2.0, 1.0)
    once = fit_linear(x, y, classes, 1.0, weight)
    assert once.weights == pytest.approx(fit_linear(more, again, classes, 1.0).weights, abs=1e-3)
    assert once.weights != pytest.approx(fit_linear(x, y, classes, 1.0).weights, abs=1e-3)
    found = fit_constant(y, classes, weight).values
    assert found == pytest.approx(fit_constant(again, classes).values)


def test_stopping_early_listens_to_the_weights_of_the_rows_held_back():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(400, 2))
    y = (x[:, 0] + rng.normal(size=400) > 0).astype(np.int64)
    train, valid = (x[:200], y[:200]), (x[200:], y[200:])
    odd = np.where((x[200:, 0] > 0) == (y[200:] == 1), 0.01, 1.0)  # heavy where the rule fails
    params = {"num_leaves": 4, "learning_rate": 0.1, "rounds": 60}

    def rounds(weight):
        return fit_boosting(Job(*train, 2, params, valid=(*valid, weight)))[1]

    assert rounds(None) == rounds(np.ones(200))
    assert rounds(odd) < rounds(None)


def test_the_weighted_median_is_where_half_of_the_weight_is_reached():
    y = np.array([3.0, 1.0, 2.0])
    assert fit_constant(y, 0, np.array([1.0, 1.0, 1.0])).values.tolist() == [2.0]
    assert fit_constant(y, 0, np.array([5.0, 1.0, 1.0])).values.tolist() == [3.0]
    shares = fit_constant(np.array([0, 1, 1]), 2, np.array([2.0, 1.0, 1.0]))
    assert shares.values.tolist() == [0.5, 0.5]
