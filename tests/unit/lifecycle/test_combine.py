"""Combinations: better together where the rows show it, alone where they do not."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.kernel.family import Predictions
from assay.lifecycle.combine import combine, reweighed
from assay.lifecycle.combine.greedy import MOST_MEMBERS, picked, shares, unlike
from assay.lifecycle.combine.objective import Sample, loss_of, picks_by, view_of
from assay.lifecycle.combine.stack import sharpness, stacked
from assay.metrics import METRICS, get
from assay.metrics.pool import pool
from assay.records.snapshot import Problem

TASKS = {"binary": 2, "multiclass": 3, "regression": 0}
HEADLINES = [
    (task, metric.name)
    for task in TASKS
    for metric in METRICS.values()
    if task in metric.tasks and not metric.operational
]


def problem(task: str, primary: str = "") -> Problem:
    classes = tuple(f"c{i}" for i in range(TASKS[task]))
    positive = classes[1] if task == "binary" else None
    return Problem(
        family="tabular", task=task, target="y", classes=classes, positive=positive, primary=primary
    )


def table(task: str, n: int, noises: dict[str, float], seed: int = 0):
    """Return truth, candidates that each add a noise of their own to it, and folds."""
    rng = np.random.default_rng(seed)
    k = TASKS[task]
    if not k:
        truth = rng.normal(5, 1, n)
        return (
            truth,
            {name: truth + rng.normal(0, noise, n) for name, noise in noises.items()},
            rng.integers(0, 5, n),
        )
    truth = rng.integers(0, k, n)
    answers = {}
    for name, noise in noises.items():
        score = rng.normal(0, noise, (n, k))
        score[np.arange(n), truth] += 1
        odds = np.exp(score)
        answers[name] = odds / odds.sum(axis=1, keepdims=True)
    return truth, answers, rng.integers(0, 5, n)


def pooled(found, answers):
    return pool(found.pool, [(answers[name], weight) for name, weight in found.weights.items()])


@pytest.mark.parametrize(("task", "name"), HEADLINES)
def test_every_metric_has_a_combination_that_holds_on_rows_it_never_saw(task, name):
    truth, answers, folds = table(task, 600, {"a": 1.0, "b": 1.0, "c": 1.2, "noise": 30.0})
    if name == "mape":
        truth = np.where(np.abs(truth) < 0.1, 0.1, truth)
    metric, asked = get(name), problem(task, name)
    found = combine(metric, asked, truth[:400], {n: v[:400] for n, v in answers.items()},
                    folds[:400], 0)  # fmt: skip
    assert all(weight > 0 for weight in found.weights.values())
    assert found.steps[-1][1] == found.score
    assert "noise" not in found.weights or found.weights["noise"] < 0.1

    def score(values):
        answer = Predictions(values[400:], asked.classes)
        return metric.compute(truth[400:], answer, asked.positive_code)

    alone = [score(answers[name]) for name in "abc"]
    if metric.takes in ("label", "score", "probabilities", "number") and name != "ece":
        worst = min(alone) if metric.higher_is_better else max(alone)
        assert not metric.better(worst, score(pooled(found, answers)))


@pytest.mark.parametrize(("task", "name"), [("binary", "roc_auc"), ("regression", "rmse")])
def test_two_that_err_apart_are_better_together(task, name):
    truth, answers, folds = table(task, 800, {"a": 1.0, "b": 1.0})
    found = combine(get(name), problem(task), truth, answers, folds, 0)
    assert set(found.weights) == {"a", "b"}
    single = combine(get(name), problem(task), truth, {"a": answers["a"]}, folds, 0)
    assert get(name).better(found.score, single.score)
    assert single.weights == {"a": 1.0}
    assert [step for step, _ in found.steps] in (["a", "b"], ["b", "a"])


@pytest.mark.parametrize("seed", range(5))
def test_what_few_rows_cannot_tell_from_noise_is_left_out(seed):
    truth, answers, folds = table("binary", 200, {"good": 0.7}, seed)
    rng = np.random.default_rng(seed)
    for number in range(12):
        yes = rng.uniform(0.2, 0.8, 200)
        answers[f"noise{number}"] = np.column_stack([1 - yes, yes])
    found = combine(get("log_loss"), problem("binary"), truth, answers, folds, 0)
    assert set(found.weights) == {"good"}


def test_the_score_is_of_rows_without_a_say():
    """Many candidates of pure noise: the best of them looks good only on rows that chose it."""
    rng = np.random.default_rng(1)
    truth, folds = rng.integers(0, 2, 150), np.arange(150) % 5
    answers = {}
    for number in range(40):
        yes = rng.uniform(0, 1, 150)
        answers[f"n{number}"] = np.column_stack([1 - yes, yes])
    asked, metric = problem("binary"), get("roc_auc")
    best = max(metric.compute(truth, Predictions(v, asked.classes), 1) for v in answers.values())
    found = combine(metric, asked, truth, answers, folds, 0)
    assert best > 0.58
    assert found.score < 0.56


def test_one_that_is_too_sure_of_itself_is_not_passed_over():
    truth, answers, folds = table("multiclass", 600, {"right": 0.6, "plain": 1.0})
    score = 12 * np.log(answers["right"])
    odds = np.exp(score - score.max(axis=1, keepdims=True))
    answers["right"] = odds / odds.sum(axis=1, keepdims=True)
    asked = problem("multiclass")
    assert sharpness(truth, answers["right"]) < 0.3
    for name in ("log_loss", "accuracy"):
        found = combine(get(name), asked, truth, answers, folds, 0)
        shares_of = {n: w * {"right": 12, "plain": 1}[n] for n, w in found.weights.items()}
        assert max(shares_of, key=lambda n: shares_of[n]) == "right"


def test_fitted_weights_stay_near_the_picks_on_few_rows_and_leave_them_on_many():
    """With the pull of thirty rows, ten rows move little, and ten thousand move all the way."""

    def weights(n):
        truth, answers, _ = table("regression", n, {"a": 0.5, "b": 1.0})
        sample = Sample(np.arange(n), np.ones(n))
        return stacked("rmse", truth, answers, {"a": 0.5, "b": 0.5}, sample)[0]

    assert weights(10)["a"] == pytest.approx(0.5, abs=0.2)
    assert weights(10_000)["a"] == pytest.approx(0.8, abs=0.03)  # inverse variances: 4 to 1


def test_least_absolute_errors_are_not_least_squares():
    rng = np.random.default_rng(0)
    truth = rng.normal(0, 1, 2_000)
    wild = np.where(rng.random(2_000) < 0.02, 20.0, 0.0)
    answers = {"exact_but_wild": truth + wild, "rough": truth + rng.normal(0, 1, 2_000)}
    sample, start = Sample(np.arange(2_000), np.ones(2_000)), {"exact_but_wild": 0.5, "rough": 0.5}
    by_squares = stacked("rmse", truth, answers, start, sample)[0]
    by_size = stacked("mae", truth, answers, start, sample)[0]
    assert by_size["exact_but_wild"] > 0.9 > 0.3 > by_squares.get("exact_but_wild", 0.0)


def test_a_constant_a_twin_and_huge_numbers_do_no_harm():
    truth, answers, folds = table("regression", 300, {"a": 0.5, "b": 0.6})
    answers["twin"] = answers["a"] * (1 + 1e-12)
    answers["constant"] = np.full(300, 5.0)
    answers["huge"] = np.full(300, 1e200)
    found = combine(get("rmse"), problem("regression"), truth, answers, folds, 0)
    assert len({"a", "twin"} & set(found.weights)) == 1
    assert "huge" not in found.weights
    loss = loss_of("rmse", truth, np.ones(300), 0)
    assert len(unlike(loss, {n: v - truth for n, v in answers.items() if n != "huge"})) == 3


def test_a_fold_without_one_class_is_survived():
    truth = np.r_[np.zeros(95, int), np.ones(5, int)]
    rng = np.random.default_rng(0)
    yes = np.clip(truth * 0.5 + rng.uniform(0, 0.4, 100), 0, 1)
    answers = {"a": np.column_stack([1 - yes, yes]), "b": np.column_stack([1 - yes**2, yes**2])}
    folds = np.where(truth == 1, 0, np.arange(100) % 5)  # every positive in one fold
    found = combine(get("roc_auc"), problem("binary"), truth, answers, folds, 0)
    assert found.score > 0.9


def test_a_single_fold_is_cut_into_blocks_and_ties_keep_their_order():
    truth, answers, _ = table("binary", 300, {"a": 1.0, "b": 1.0})
    found = combine(get("brier"), problem("binary"), truth, answers, np.full(300, 4), 0)
    assert set(found.weights) == {"a", "b"}
    same = dict.fromkeys("xyz", answers["a"])
    assert combine(get("brier"), problem("binary"), truth, same, np.zeros(300), 0).weights == {
        "x": 1.0
    }


def test_it_is_the_same_every_time_also_on_a_sample_of_the_rows():
    truth, answers, folds = table("binary", 30_000, {"a": 1.0, "b": 1.1, "c": 1.3})
    runs = [combine(get("roc_auc"), problem("binary"), truth, answers, folds, 3) for _ in range(2)]
    assert runs[0] == runs[1]
    assert len(runs[0].weights) == 3


def test_all_that_are_asked_for_are_weighed_anew():
    truth, answers, _ = table("binary", 500, {"a": 1.0, "b": 1.2})
    found = reweighed(get("roc_auc"), problem("binary"), truth, answers, 0)
    assert set(found.weights) == {"a", "b"}
    again = reweighed(get("roc_auc"), problem("binary"), truth, {"b": answers["b"]}, 0)
    assert again.weights == {"b": 1.0}
    assert found.score > again.score


def test_rare_classes_are_sampled_in_full_and_stand_for_themselves():
    truth = np.r_[np.zeros(50_000, int), np.ones(40, int)]
    sample = Sample.of(truth, numbers=False, most=1_000, seed=0)
    rare = truth[sample.index] == 1
    assert rare.sum() == 40
    assert np.unique(sample.weight[rare]) == [1.0]
    assert sample.weight.sum() == pytest.approx(50_040)
    assert len(sample.index) <= 1_001


@given(seed=st.integers(0, 10_000), rare=st.floats(0.02, 0.5))
@settings(max_examples=25, deadline=None)
def test_the_quick_losses_are_the_metrics(seed, rare):
    rng = np.random.default_rng(seed)
    truth = (rng.random(300) < rare).astype(int)
    truth[:2] = [0, 1]
    yes = np.clip(0.3 * truth + rng.uniform(0, 0.7, 300), 0, 1)
    values = np.column_stack([1 - yes, yes])
    for name in ("roc_auc", "average_precision", "log_loss", "brier"):
        metric = get(name)
        assert picks_by(metric, truth, 2, 1) == name
        value = metric.compute(truth, Predictions(values, ("n", "y")), 1)
        quick = loss_of(name, truth, np.ones(300), 1)(view_of(name, truth, values, 1))
        wanted = 1 - value if metric.higher_is_better else value
        assert quick == pytest.approx(wanted, abs=2e-3)


def test_picks_never_raise_the_loss_and_stop_at_the_cap():
    rng = np.random.default_rng(0)
    views = {f"v{n}": rng.normal(0, 1, 4_000) for n in range(30)}
    loss = loss_of("rmse", np.zeros(4_000), np.ones(4_000), 0)
    names = picked(loss, views)
    losses = [
        loss(sum(views[name] for name in names[:count]) / count)
        for count in range(1, len(names) + 1)
    ]
    assert losses == sorted(losses, reverse=True)
    assert len(set(names)) == MOST_MEMBERS
    assert sum(shares(names).values()) == pytest.approx(1)
