"""Boosted trees: categories, early stops, soft targets, constraints, and their export."""

from __future__ import annotations

import dataclasses

import numpy as np
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.tasks.tabular.engine.graph import Graph
from assay.tasks.tabular.engine.trees import Trees
from assay.tasks.tabular.models import boosting as booster
from assay.tasks.tabular.models.boosting import BOOSTING, Boosting, fit_boosting
from assay.tasks.tabular.models.crossed import CROSSED, Crossed, fit_crossed
from assay.tasks.tabular.models.histogram import HISTOGRAM, fit_histogram
from assay.tasks.tabular.models.kind import Core, Job, Limits
from assay.tasks.tabular.models.lightgbm_text import read_trees
from assay.tasks.tabular.models.linear import Constant

SMALL = {"num_leaves": 8, "min_data_in_leaf": 5, "learning_rate": 0.2, "rounds": 25}
PLAIN = {"max_leaf_nodes": 8, "min_samples_leaf": 5, "learning_rate": 0.2, "rounds": 25}
FITS = {"boosting": (fit_boosting, SMALL), "histogram": (fit_histogram, PLAIN)}
RNG = np.random.default_rng(0)
X = RNG.normal(size=(400, 3))
SCORE = X[:, 0] + np.abs(X[:, 1]) + RNG.normal(size=400) / 3


def targets(classes: int) -> np.ndarray:
    return np.digitize(SCORE, np.linspace(0, 1.5, classes - 1)) if classes else SCORE


def run(core: Core, x: np.ndarray, outputs: int) -> np.ndarray:
    graph = Graph()
    content = graph.build(core.graph(graph, graph.input("x", x.shape[1])), "y", outputs)
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    found: np.ndarray = session.run(["y"], {"x": x})[0]
    return found


def same(one: Core, other: Core) -> None:
    left, right = one.arrays(), other.arrays()
    assert left.keys() == right.keys()
    for name, value in left.items():
        np.testing.assert_array_equal(value, right[name])


@pytest.mark.parametrize("levels", [3, 40, 300])
@pytest.mark.parametrize("classes", [0, 2, 3])
def test_native_categories_of_any_number(classes: int, levels: int) -> None:
    codes = np.floor(levels * RNG.random(400) ** 2)
    codes[RNG.random(400) < 0.1] = np.nan
    effect = RNG.normal(size=levels + 1)[np.nan_to_num(codes, nan=levels).astype(int)]
    x = np.column_stack([X[:, 0], codes])
    y = effect + SCORE
    y = np.digitize(y, np.linspace(0, 1.5, classes - 1)) if classes else y
    params = SMALL | {"min_data_per_group": 5, "cat_smooth": 1.0}
    job = Job(x, y, classes, params, codes=np.array([False, True]))
    core, _ = fit_boosting(job)
    assert (read_trees(core.text).sizes > 0).any()
    every = np.append(np.arange(levels + 70.0), np.nan)
    rows = np.column_stack([RNG.normal(size=len(every)), every])
    rows = np.vstack([x, rows])
    found = core.predict(rows)
    np.testing.assert_allclose(run(core, rows, classes or 1), found, rtol=1e-12, atol=1e-12)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sets(st.integers(0, 500), min_size=1, max_size=60), min_size=1, max_size=4))
def test_a_set_of_codes_goes_left_and_nothing_else(sets: list[set[int]]) -> None:
    count = len(sets)
    trees = Trees(
        roots=np.arange(count) * 3,
        feature=np.tile([0, -1, -1], count),
        threshold=np.zeros(3 * count),
        left=np.tile([1, -1, -1], count) + np.repeat(np.arange(count) * 3, 3),
        right=np.tile([2, -1, -1], count) + np.repeat(np.arange(count) * 3, 3),
        missing_left=np.zeros(3 * count),
        value=np.tile([[0.0], [1.0], [0.0]], (count, 1)),
        sizes=np.ravel([[len(each), 0, 0] for each in sets]),
        sets=np.concatenate([np.array(sorted(each), dtype=float) for each in sets]),
    )
    graph = Graph()
    place = np.repeat(np.arange(count), 2)
    found = graph.tree_sum(graph.input("x", 1), trees, np.tile([1.0, 0.0], count), place, count)
    session = onnxruntime.InferenceSession(
        graph.build(found, "y", count), providers=["CPUExecutionProvider"]
    )
    rows = np.append(np.arange(520.0), np.nan)[:, None]
    answer = session.run(["y"], {"x": rows})[0]
    expected = [[float(code in each) for each in sets] for code in rows[:, 0]]
    np.testing.assert_array_equal(answer, expected)


@pytest.mark.parametrize("share", [0.0, 0.2])
@pytest.mark.parametrize("classes", [0, 2, 3])
def test_histograms_at_every_threshold(classes: int, share: float) -> None:
    x = np.where(RNG.random(X.shape) < share, np.nan, X)
    core, _ = fit_histogram(Job(x, targets(classes), classes, PLAIN))
    at = core.trees.threshold[core.trees.feature >= 0]
    values = np.concatenate([at, np.nextafter(at, -np.inf), np.nextafter(at, np.inf), [np.nan]])
    rows = np.vstack([x, RNG.choice(values, (600, 3))])
    found = core.predict(rows)
    np.testing.assert_allclose(run(core, rows, classes or 1), found, rtol=1e-12, atol=1e-12)
    same(HISTOGRAM.restore(core.arrays()), core)
    np.testing.assert_array_equal(HISTOGRAM.restore(core.arrays()).predict(rows), found)


def test_histogram_predicts_what_scikit_learn_predicts() -> None:
    from sklearn.ensemble import HistGradientBoostingClassifier

    y = targets(3)
    core, _ = fit_histogram(Job(X, y, 3, PLAIN))
    theirs = {name: value for name, value in PLAIN.items() if name != "rounds"}
    model = HistGradientBoostingClassifier(max_iter=25, early_stopping=False, **theirs).fit(X, y)
    np.testing.assert_allclose(core.predict(X), model.predict_proba(X), rtol=1e-12)


@pytest.mark.parametrize("name", FITS)
def test_a_fold_may_lack_classes(name: str) -> None:
    fit, params = FITS[name]
    y = np.where(targets(2) == 1, 2, 0)
    valid = (X, np.arange(400) % 4, None)  # with classes that training lacks
    core, _ = fit(Job(X, y, 4, params, valid=valid))
    found = core.predict(X)
    assert found.shape == (400, 4)
    assert found[:, [1, 3]].max() < 1e-3
    np.testing.assert_allclose(run(core, X, 4), found, rtol=1e-12, atol=1e-12)
    single, _ = fit(Job(X, np.full(400, 1), 3, params))
    assert single.predict(X)[:, 1].min() > 0.99
    assert name == "boosting" or isinstance(single, Constant)


@pytest.mark.parametrize("name", FITS)
@pytest.mark.parametrize("classes", [0, 2, 3])
def test_the_same_job_gives_the_same_bytes_and_early_stops_keep_the_best(
    name: str, classes: int
) -> None:
    fit, params = FITS[name]
    y = targets(classes)
    job = Job(X[:300], y[:300], classes, params, valid=(X[300:], y[300:], None), seed=3)
    job = dataclasses.replace(job, params=params | {"rounds": 200})
    (core, kept), (again, _) = fit(job), fit(job)
    same(core, again)
    assert 1 <= kept < 200
    later, _ = fit(dataclasses.replace(job, valid=None, rounds=kept))
    np.testing.assert_allclose(later.predict(X), core.predict(X), rtol=1e-9)
    more, _ = fit(dataclasses.replace(job, valid=None, rounds=kept + 40))

    def loss(found: np.ndarray) -> float:
        if not classes:
            return float(np.mean((found[300:, 0] - y[300:]) ** 2))
        return float(-np.log(found[np.arange(300, 400), y[300:]]).mean())

    assert loss(core.predict(X)) <= loss(more.predict(X))


@pytest.mark.parametrize("classes", [2, 3])
def test_a_student_learns_probabilities(classes: int) -> None:
    odds = np.column_stack([SCORE * place for place in range(classes)])
    soft = np.exp(odds) / np.exp(odds).sum(axis=1, keepdims=True)
    core, kept = fit_boosting(Job(X, soft, classes, SMALL, valid=(X, soft, None)))
    assert kept > 5
    found = core.predict(X)
    assert np.abs(found - soft).mean() < 0.15
    assert np.abs(found - soft).mean() < np.abs(soft.mean(axis=0) - soft).mean() / 1.5
    np.testing.assert_allclose(run(core, X, classes), found, rtol=1e-12)
    weight = np.where(SCORE > 0, 5.0, 1.0)
    heavy, _ = fit_boosting(Job(X, soft, classes, SMALL, weight=weight))
    assert np.isfinite(heavy.predict(X)).all()
    same(BOOSTING.restore(core.arrays()), core)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([1, -1]), st.sampled_from([0, 2]))
def test_monotone_answers_stay_so_in_the_exported_ensemble(
    seed: int, way: int, classes: int
) -> None:
    rng = np.random.default_rng(seed)
    x = np.column_stack([rng.normal(size=120), rng.integers(0, 6, 120)])
    x[rng.random(x.shape) < 0.1] = np.nan
    codes = np.array([False, seed % 2 == 0])
    y = np.sin(3 * np.nan_to_num(x[:, 0])) + x.sum(axis=1) + rng.normal(size=120)
    y = (np.nan_to_num(y) > 0).astype(np.int64) if classes else np.nan_to_num(y)
    limits = Limits(monotone=(way, 0))
    graph = Graph()
    entry, answers = graph.input("x", 2), []
    for extra in ({}, {"extra_trees": True, "feature_fraction": 0.5, "bagging_fraction": 0.7,
                       "bagging_freq": 1}):  # fmt: skip
        answers.append(
            fit_boosting(Job(x, y, classes, SMALL | extra, codes=codes, limits=limits))[0]
        )
    answers.append(fit_histogram(Job(x, y, classes, PLAIN, limits=limits))[0])
    total = answers[0].graph(graph, entry)
    for core in answers[1:]:
        total = graph.add("Add", total, core.graph(graph, entry))
    content = graph.build(total, "y", classes or 1)
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    line = np.linspace(-4, 4, 200)
    for other in (np.nan, *range(6)):
        rows = np.column_stack([line, np.full(200, other)])
        steps = np.diff(session.run(["y"], {"x": rows})[0][:, -1])
        assert (steps * way >= -1e-12).all()


@pytest.mark.parametrize("classes", [0, 2, 3])
def test_pairs_of_columns_are_exported_and_restored(classes: int) -> None:
    x = np.column_stack([X, RNG.integers(0, 5, 400), np.zeros(400)])
    x[RNG.random(x.shape) < 0.05] = np.nan
    ratio = X[:, 0] / (0.5 + X[:, 1] ** 2)
    y = np.digitize(ratio, np.linspace(-0.5, 0.5, classes - 1)) if classes else ratio
    codes = np.arange(5) == 3
    core, _ = fit_crossed(Job(x, y, classes, SMALL | {"pairs": 3}, codes=codes))
    assert isinstance(core, Crossed)
    assert set(core.left) | set(core.right) <= {0, 1, 2}
    worst = np.array([0.0, -0.0, 1e30, -1e30, 1.1e-35, np.nan, 1.0])
    rows = np.vstack([x, RNG.choice(worst, (500, 5))])
    found = core.predict(rows)
    np.testing.assert_allclose(run(core, rows, classes or 1), found, rtol=1e-12, atol=1e-12)
    again = CROSSED.restore(core.arrays())
    np.testing.assert_array_equal(again.predict(rows), found)
    same(core, fit_crossed(Job(x, y, classes, SMALL | {"pairs": 3}, codes=codes))[0])


def test_without_two_numbers_there_are_no_pairs() -> None:
    core, _ = fit_crossed(Job(X[:, :1], targets(2), 2, SMALL | {"pairs": 3}))
    assert isinstance(core, Boosting)


def test_ratios_help_where_the_truth_is_one() -> None:
    rng = np.random.default_rng(1)
    x = rng.uniform(1, 2, (600, 4))
    y = x[:, 0] / x[:, 1] + rng.normal(size=600) / 100
    job = Job(x[:400], y[:400], 0, SMALL | {"rounds": 60})
    crossed = dataclasses.replace(job, params=job.params | {"pairs": 3})
    plain, better = (
        np.mean((core.predict(x[400:])[:, 0] - y[400:]) ** 2)
        for core in (fit_boosting(job)[0], fit_crossed(crossed)[0])
    )
    assert better < 0.5 * plain


@pytest.mark.parametrize("name", FITS)
def test_groups_of_columns_do_not_interact(name: str) -> None:
    fit, params = FITS[name]
    y = X[:, 0] * X[:, 1] + X[:, 2]

    def mixed(groups: tuple[tuple[int, ...], ...]) -> float:
        core, _ = fit(Job(X, y, 0, params, limits=Limits(groups=groups)))
        rows = np.array([[a, b, 0.0] for a in (-1.0, 1.0) for b in (-1.0, 1.0)])
        low, left, right, high = core.predict(rows)[:, 0]
        return float(abs(low + high - left - right))

    assert mixed(((0,), (1, 2))) < 1e-9
    assert mixed(()) > 0.1


def test_a_student_of_many_classes_sees_few_rows_again(monkeypatch: pytest.MonkeyPatch) -> None:
    soft = np.full((400, 6), 0.001)
    soft[np.arange(400), targets(6)] = 0.995
    weight = np.linspace(0.5, 2.0, 400)
    x, label, share = booster._untaught(X, soft, weight, 6, 0)
    assert len(x) == 400
    np.testing.assert_array_equal(label, targets(6))
    np.testing.assert_allclose(share, 0.995 * weight)
    monkeypatch.setattr(booster, "TAUGHT_CELLS", 300)
    even = np.full((400, 6), 1 / 6)
    x, label, share = booster._untaught(X, even, None, 6, 0)
    assert 240 <= x.size <= 300
    assert set(np.bincount(label)) == {len(x) // 6}
    again = booster._untaught(X, even, None, 6, 0)
    np.testing.assert_array_equal(x, again[0])
    core, kept = fit_boosting(Job(X, even, 6, SMALL, valid=(X, even, None)))
    assert kept >= 1
    np.testing.assert_allclose(core.predict(X), 1 / 6, atol=0.1)
