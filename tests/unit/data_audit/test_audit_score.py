"""The scores of one column, against scikit-learn and against chance."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import roc_auc_score

from assay.data.audit.score import Outcome, column_scores, order_strength, outcome_of_number


def strongest(values: pl.Series, outcome: Outcome) -> float:
    return max(score.strength for score in column_scores(values, outcome))


@pytest.mark.parametrize("seed", range(5))
def test_the_auc_by_ranks_is_that_of_scikit_learn(seed):
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, 2, 300)
    values = (rng.normal(size=300) - codes).round(1)
    by_ranks = list(column_scores(pl.Series(values), Outcome(codes=codes)))[-1]
    area = roc_auc_score(codes, values)
    assert by_ranks.metric == "roc_auc"
    assert by_ranks.value == pytest.approx(max(area, 1 - area))


@pytest.mark.parametrize("classes", [0, 2, 5])
@pytest.mark.parametrize("per_value", [1, 5, 8])
def test_learning_by_heart_earns_nothing(classes, per_value):
    """Categories with few rows each would look strong if rows were answered from themselves."""
    rng = np.random.default_rng(classes)
    values = pl.Series([f"v{i // per_value}" for i in rng.permutation(2000)])
    if classes:
        outcome = Outcome(codes=rng.integers(0, classes, 2000))
    else:
        outcome = outcome_of_number(rng.normal(size=2000))
    assert strongest(values, outcome) < 0.1


@pytest.mark.parametrize("classes", [0, 2, 3])
def test_an_order_without_meaning_has_no_strength(classes):
    for seed in range(60):
        rng = np.random.default_rng(seed)
        rows = 40 + 5 * seed
        if classes:
            outcome = Outcome(codes=rng.integers(0, classes, rows))
        else:
            outcome = outcome_of_number(rng.normal(size=rows))
        assert order_strength(outcome) < 0.2


def test_strength_is_one_for_the_target_itself():
    codes = np.arange(300) % 3
    assert strongest(pl.Series(codes.astype(float)), Outcome(codes=codes)) == 1.0
    target = np.random.default_rng(0).normal(size=300)
    assert strongest(pl.Series(target), outcome_of_number(target)) == pytest.approx(1.0)
