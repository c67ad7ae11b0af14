import numpy as np
import pytest
from performance_world import profile, sample

from assay.watch.performance.concept import concept


def agreement(task, n, seed, **how):
    known, rows = profile(task, seed, rows=6_000), sample(task, n, 500 + seed, **how)
    return concept(known.known, rows.answers, rows.codes(known), rows.truth)


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_labels_that_follow_the_same_relation_agree_also_where_inputs_moved(task):
    same = [agreement(task, 800, seed, lean=lean) for seed in range(3) for lean in (0.0, 0.6)]
    assert not any(a.contradicts(0.001) for a in same)
    assert np.median([a.p for a in same]) > 0.05


def test_a_change_of_the_relation_is_a_contradiction():
    found = agreement("binary", 800, 0, concept=2.0)
    assert found.contradicts(0.001)
    assert found.gap > 0.1
    assert sum(rows for rows, _, _ in found.bins) == found.rows == 800


def test_a_trifle_is_none_however_sure_it_is():
    known, rows = profile("binary", rows=6_000), sample("binary", 200_000, 1)
    flipped = np.random.default_rng(0).random(200_000) < 0.01
    found = concept(
        known.known, rows.answers, rows.codes(known), np.where(flipped, 1 - rows.truth, rows.truth)
    )
    assert not found.contradicts(0.001)


def test_few_labels_say_nothing_and_only_chosen_rows_are_asked():
    known, rows = profile("binary", rows=6_000), sample("binary", 400, 2, concept=2.0)
    codes = rows.codes(known)
    few = np.where(np.arange(400) < 20, rows.truth, -1)
    assert concept(known.known, rows.answers, codes, few).p == 1.0
    assert not concept(known.known, rows.answers, codes, np.full(400, -1)).contradicts(0.5)
    only = np.arange(400) < 150
    assert concept(known.known, rows.answers, codes, rows.truth, only).rows == 150
