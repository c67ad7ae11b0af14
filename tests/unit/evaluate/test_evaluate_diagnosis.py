"""Learning curves with a known law, errors with known parts, and the verdict on each."""

from dataclasses import replace

import numpy as np
import pytest
from operate_cases import make_case, scores

from assay.evaluate import learning_curve
from assay.evaluate.diagnosis import examine, gain, labelled_parts, squared_parts
from assay.metrics import get
from assay.records.base import from_json, to_json
from assay.records.fitted import Candidate, Trial
from assay.records.report import Examination

ROWS = np.array([500.0, 1250.0, 2500.0, 5000.0])


def law(rows, a=0.1, b=2.0, c=0.5):
    return a + b * rows**-c


def refits(loss=0.2, variance=0.01, spread=0.002):
    found = {"loss": loss, "bias": loss - variance, "variance": variance}
    values = 0.85 + spread * np.array([-1.0, 0.0, 0.0, 1.0])
    return {"rows": 2500, "models": 4, "scores": values.tolist(), "squared": found, "labels": found}


def case_of(train, valid, **more):
    truth, values = scores(60)
    case = make_case(truth, values)
    rows = ROWS.astype(int).tolist()
    curve = learning_curve(rows, list(train), list(valid), get("roc_auc"), refits(**more))
    return replace(case, learning=curve)


def test_twice_the_rows_bring_what_the_law_says():
    true = law(5000) - law(10_000)
    found = gain(ROWS, law(ROWS), np.full(4, 1e-4), 4, 0)
    assert found.value == pytest.approx(true, rel=0.05)
    assert found.low <= true <= found.high


def test_the_range_covers_the_truth_under_noise():
    true, rng, hits = law(5000) - law(10_000), np.random.default_rng(0), 0
    for seed in range(60):
        spread = 0.004 * np.sqrt(2500 / ROWS)
        found = gain(ROWS, law(ROWS) + rng.normal(0, spread), spread, 4, seed)
        hits += found.low <= true <= found.high
    assert hits >= 54


def test_a_curve_that_is_flat_promises_nothing():
    found = gain(ROWS, np.full(4, 0.2), np.full(4, 0.001), 4, 0)
    assert found.value == pytest.approx(0, abs=1e-9)
    assert 0 <= found.low <= found.high < 0.01


def test_squared_parts_are_the_planted_ones():
    rng = np.random.default_rng(0)
    truth = rng.normal(size=5000)
    values = truth + 0.5 + rng.normal(0, 0.7, (6, 5000))
    parts = squared_parts(truth, values)
    assert parts.bias == pytest.approx(0.25, abs=0.02)
    assert parts.variance == pytest.approx(0.49, abs=0.02)
    assert parts.bias + parts.variance == pytest.approx(parts.loss)
    assert parts.loss == pytest.approx(np.mean((values - truth) ** 2))


def test_the_brier_score_of_probabilities_is_split_too():
    truth, values = scores(800)
    same = squared_parts(truth, np.stack([values] * 4))
    assert same.variance == 0
    assert same.loss == pytest.approx(2 * np.mean((values[:, 1] - truth) ** 2))


def test_labelled_parts_follow_domingos_for_two_classes():
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 2, 300)
    labels = (rng.random((5, 300)) < np.where(truth, 0.7, 0.4)).astype(np.int64)
    main = (labels.mean(axis=0) > 0.5).astype(int)
    biased = main != truth
    variance = (labels != main).mean(axis=0)
    parts = labelled_parts(truth, labels)
    assert parts.bias == pytest.approx(biased.mean())
    assert parts.variance == pytest.approx(np.mean((1 - 2 * biased) * variance))
    assert parts.loss == pytest.approx((labels != truth).mean())


def test_a_curve_that_falls_wants_more_rows():
    found = examine(case_of([0.97] * 4, 1 - law(ROWS), loss=0.2, spread=0.001))
    gained = found.numbers["gain_of_twice_the_rows"]
    assert gained.low > 0
    assert gained.low <= law(5000) - law(10_000) <= gained.high
    assert "More rows would help" in found.reading
    assert "collect more rows" in found.advice.lower()
    assert from_json(to_json(found), Examination) == found


def test_a_curve_that_has_met_is_too_simple_or_the_columns_tell_no_more():
    case = case_of([0.82, 0.81, 0.805, 0.80], [0.79, 0.795, 0.7955, 0.7955], loss=0.2)
    found = examine(case)
    assert found.concern == "look"
    assert "too simple" in found.reading
    trials = tuple(
        Trial(candidate=Candidate(name=kind, kind=kind), status="done", score=score)
        for kind, score in (("line", 0.80), ("trees", 0.801))
    )
    board = replace(case, leaderboard=type(case.leaderboard)(
        metric="roc_auc", baselines=(), trials=trials, weights={}, score=0.8))  # fmt: skip
    assert "2 kinds of model do about equally well" in examine(board).reading


def test_a_model_that_changes_with_its_rows_overfits():
    found = examine(case_of([1.0] * 4, [0.80, 0.80, 0.80, 0.80], loss=0.4, variance=0.16))
    assert found.concern == "look"
    assert "overfits" in found.reading
    assert "40%" in found.reading
    assert found.numbers["variance_share"].value == pytest.approx(0.4)
    (lines,) = found.by_title.values()
    assert len(lines) == 2


def test_a_curve_that_is_done_says_so():
    found = examine(case_of([0.9] * 4, [0.80, 0.80, 0.80, 0.80], loss=0.2))
    assert found.concern == "none"
    assert "as many rows as it can use" in found.reading


def test_without_refits_nothing_is_foretold():
    case = case_of([0.9] * 4, [0.8, 0.81, 0.82, 0.83], loss=0.2)
    bare = learning_curve([10, 20], [0.9, 0.9], [0.8, 0.8], get("roc_auc"))
    found = examine(replace(case, learning=bare))
    assert found.numbers == {}
    assert "was not measured" in found.reading
    short = learning_curve([10], [0.9], [0.8], get("roc_auc"))
    assert examine(replace(case, learning=short)) is None


@pytest.mark.parametrize(
    ("seen", "unseen", "says", "concern"),
    [
        ([8_500, 17_000, 23_853], [58_100, 53_700, 50_587], "It overfits", "look"),
        ([40_000, 42_000, 43_000], [58_100, 53_700, 50_587], "not sure", "none"),
        ([40_000, 42_000, 43_000], [51_000, 50_600, 50_587], "as many rows as it can", "none"),
        ([40_000, 45_000, 50_000], [58_100, 53_700, 50_587], "too simple", "look"),
    ],
)
def test_without_refits_the_curve_itself_tells(seen, unseen, says, concern):
    curve = learning_curve([1_651, 3_302, 6_605], seen, unseen, get("rmse"))
    case = case_of([0.9] * 4, [0.8, 0.81, 0.82, 0.83], loss=0.2)
    found = examine(replace(case, learning=curve, metrics=(get("rmse"),)))
    assert says in found.reading
    assert found.concern == concern
    assert "of its error" not in found.reading


def test_a_curve_of_errors_is_read_the_other_way_round():
    rmse = get("rmse")
    curve = learning_curve(ROWS.astype(int).tolist(), [1.0] * 4, law(ROWS, 1, 40).tolist(), rmse,
                           refits() | {"scores": [2.0, 2.001, 2.002, 2.001]})  # fmt: skip
    case = make_case(np.arange(30.0), np.arange(30.0), classes=())
    found = examine(replace(case, learning=curve)).numbers["gain_of_twice_the_rows"]
    assert found.value == pytest.approx(law(5000, 1, 40) - law(10_000, 1, 40), rel=0.1)
