"""Explanations against brute force, planted truths, and models that have learned nothing."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray
from scipy.special import expit, logit
from tabular_cases import mixed_table, state

from assay.kernel.family import Model, Predictions, Rows
from assay.records.base import from_json, to_json
from assay.records.fitted import Candidate, Signature
from assay.records.report import Examination
from assay.records.snapshot import Problem
from assay.tasks.tabular.explain.dependence import dependence
from assay.tasks.tabular.explain.hybrids import OTHERS, Game, game
from assay.tasks.tabular.explain.importance import MOST_COLUMNS, growth
from assay.tasks.tabular.explain.leading import leading
from assay.tasks.tabular.explain.shapley import exact, sampled
from assay.tasks.tabular.explain.single import lime
from assay.tasks.tabular.explain.words import plain
from assay.tasks.tabular.family import FAMILY
from assay.tasks.tabular.models.model import TabularModel

Floats = NDArray[np.float64]


@dataclass
class Formula:
    """A predictor whose truth is known: a formula of the frame's numbers."""

    formula: Callable[[Any], Any]
    classes: tuple[str, ...] = ()
    signature = Signature(family="tabular", task="regression", target="y", inputs=())

    def predict(self, frame: pl.DataFrame) -> Predictions:
        found = np.asarray(self.formula(frame.to_dict(as_series=False)), dtype=np.float64)
        found = np.broadcast_to(found, (frame.height,)).copy()
        if not self.classes:
            return Predictions(found)
        return Predictions(np.column_stack([1 - found, found]), self.classes)


def line(**weights: float) -> Formula:
    """Return a weighted sum of columns."""
    return Formula(lambda d: sum(w * np.array(d[n], dtype=float) for n, w in weights.items()))


def problem_of(frame: pl.DataFrame, classes: tuple[str, ...] = ()) -> Problem:
    names = tuple(frame.columns)
    task = "binary" if classes else "regression"
    return Problem(family="tabular", task=task, target="y", classes=classes, features=names,
                   positive=classes[1] if classes else None, primary="rmse")  # fmt: skip


def drawn(width: int, rows: int = 300, seed: int = 0) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    return pl.DataFrame({f"x{i}": rng.normal(size=rows) for i in range(width)})


def explain(
    predictor: Any, frame: pl.DataFrame, target: Any, models: Sequence[tuple[Model, float]] = ()
) -> dict[str, Examination]:
    rows = Rows(frame, target)
    found = FAMILY.explain(problem_of(frame, predictor.classes), predictor, models, rows, rows, 0)
    return {examination.name: examination for examination in found}


# ---- which columns the answers rest on


def test_importance_finds_the_columns_that_matter() -> None:
    frame = drawn(5)
    model = line(x0=3, x1=1)
    found = explain(model, frame, model.predict(frame).values)["importance"]
    data = found.curves[0].data
    assert data["columns"][:2] == ["x0", "x1"]
    # shuffling makes a difference of two independent draws: the root of twice the variance
    assert data["mean"][0] == pytest.approx(3 * math.sqrt(2), rel=0.15)
    assert data["mean"][2:] == [0, 0, 0]
    assert "2 of 5 columns matter" in found.reading
    assert found.concern == "none"


def test_the_interval_of_importance_covers_the_truth() -> None:
    hits, model = 0, line(x0=1)
    for seed in range(60):
        frame = drawn(1, 200, seed)
        noise = np.random.default_rng(1000 + seed).normal(size=200)
        y = model.predict(frame).values + noise
        found = growth(model.predict, frame, y, ["x0"], 5, np.random.default_rng(seed))
        hits += bool(found.low[0] <= math.sqrt(3) - 1 <= found.high[0])
    assert 51 <= hits <= 60


def test_importance_of_many_columns_looks_at_those_that_matter() -> None:
    frame = drawn(MOST_COLUMNS * 2, 200)
    model = line(x0=3, x100=1)
    curve = explain(model, frame, model.predict(frame).values)["importance"].curves[0]
    assert len(curve.data["columns"]) == MOST_COLUMNS
    assert {"x0", "x100"} <= set(curve.data["columns"])
    assert "60 of 120" in curve.note


def test_rows_without_a_target_are_explained_without_importance() -> None:
    frame = drawn(3)
    found = explain(line(x0=1), frame, None)
    assert set(found) == {"contributions", "dependence", "single_answers"}
    assert explain(line(x0=1), frame.clear(), None) == {}


def test_a_model_that_leans_on_one_column_is_worth_a_look() -> None:
    frame = drawn(3)
    model = line(x0=10, x1=0.1)
    found = explain(model, frame, model.predict(frame).values)["importance"]
    assert found.concern == "look"
    assert "x0" in found.advice


# ---- sanity: a planted column is found, a model of shuffled answers loses its explanation


def planted(shuffled: bool, kind: str) -> tuple[TabularModel, Problem, Rows]:
    frame = drawn(6, 500)
    label = np.where(frame["x3"].to_numpy() + 0.3 * frame["x0"].to_numpy() > 0, "yes", "no")
    if shuffled:
        label = np.random.default_rng(5).permutation(label)
    problem, rows, _ = state("sold", frame.with_columns(sold=pl.Series(label)))
    some = {c.kind: c for c in FAMILY.candidates(problem, (), 500)}
    return FAMILY.fit(some[kind], problem, rows, None, 40, 0, 1), problem, rows


@pytest.mark.parametrize("kind", ["boosting", "linear", "forest"])
def test_a_planted_column_leads_every_explanation(kind: str) -> None:
    model, problem, rows = planted(False, kind)
    fresh = Rows(*(part[::-1] for part in (rows.frame, rows.truth)))
    importance, contributions, dependence_, single = FAMILY.explain(
        problem, model, [(model, 1.0)], fresh, rows, 0
    )
    assert importance.curves[0].data["columns"][0] == "x3"
    assert contributions.curves[0].data["columns"][0] == "x3"
    assert dependence_.curves[0].title == "x3"
    assert all(lines[0]["Column"] == "x3" for title, lines in single.by_title.items()
               if "middle" not in title)  # fmt: skip
    chance = importance.numbers["importance_by_chance"]
    assert chance.value < 0.2 * importance.curves[0].data["mean"][0]
    assert "As a check" in importance.reading


@pytest.mark.parametrize("kind", ["boosting", "linear", "forest"])
def test_a_randomised_model_loses_its_explanation(kind: str) -> None:
    fresh = drawn(6, 500, seed=9)
    y = (fresh["x3"].to_numpy() + 0.3 * fresh["x0"].to_numpy() > 0).astype(np.int64)
    grown = []
    for shuffled in (False, True):
        model, _, _ = planted(shuffled, kind)
        draw = np.random.default_rng(0)
        grown.append(growth(model.predict, fresh, y, fresh.columns, 3, draw).mean.max())
    assert grown[0] > 0.1
    assert grown[1] < 0.2 * grown[0]


# ---- exact Shapley values


def read(text: str) -> list[dict[str, list[float]]]:
    """Return the trees of LightGBM's model text as lists of numbers."""
    blocks = text.split("\nTree=")[1:]
    lines = [
        dict(p.split("=", 1) for p in b.split("\n\n")[0].splitlines() if "=" in p) for b in blocks
    ]
    return [{k: [float(v) for v in value.split()] for k, value in tree.items() if
             k != "tree_sizes"} for tree in lines]  # fmt: skip


def expected(
    tree: dict[str, list[float]], x: Floats, known: frozenset[int], node: int = 0
) -> float:
    """Return what a tree answers when only some columns are known, by its rows in training."""
    if node < 0:
        return tree["leaf_value"][~node]
    left, right = int(tree["left_child"][node]), int(tree["right_child"][node])
    feature = int(tree["split_feature"][node])
    if feature in known:
        value, kind = x[feature], int(tree["decision_type"][node])
        if math.isnan(value) and kind & 8:
            go_left = bool(kind & 2)
        else:
            go_left = (0.0 if math.isnan(value) else value) <= tree["threshold"][node]
        return expected(tree, x, known, left if go_left else right)
    weight = [tree["leaf_count"][~c] if c < 0 else tree["internal_count"][c] for c in (left, right)]
    both = (expected(tree, x, known, left), expected(tree, x, known, right))
    return (weight[0] * both[0] + weight[1] * both[1]) / sum(weight)


def by_brute_force(value: Callable[[frozenset[int]], float], players: int) -> Floats:
    """Return Shapley values from their definition, over all subsets."""
    known = {s: value(frozenset(s)) for k in range(players + 1) for s in
             combinations(range(players), k)}  # fmt: skip
    found = np.zeros(players)
    for subset, worth in known.items():
        for i in set(range(players)) - set(subset):
            share = 1 / (players * math.comb(players - 1, len(subset)))
            found[i] += share * (known[tuple(sorted((*subset, i)))] - worth)
    return found


def boosted(classes: int, width: int, rounds: int = 8) -> tuple[TabularModel, pl.DataFrame]:
    rng = np.random.default_rng(classes)
    frame = drawn(width, 400).with_columns(
        pl.when(pl.Series(rng.random(400) < 0.2)).then(None).otherwise(pl.col("x0")).alias("x0")
    )
    x = frame.fill_null(0.5).to_numpy()
    score = x[:, 0] * x[:, 1] + np.sin(2 * x[:, 2]) + rng.normal(0, 0.3, 400)
    cuts = {0: (), 2: (0.0,), 3: (-0.5, 0.5)}[classes]
    y = score if not classes else np.digitize(score, cuts)
    names = tuple(f"c{i}" for i in range(classes))
    task = {0: "regression", 2: "binary"}.get(classes, "multiclass")
    problem = Problem(family="tabular", task=task, target="y", classes=names,
                      positive="c1" if classes == 2 else None,
                      features=tuple(frame.columns), primary="rmse")  # fmt: skip
    params = {"num_leaves": 10, "min_data_in_leaf": 4, "learning_rate": 0.3, "rounds": 200}
    candidate = Candidate(name="trees", kind="boosting", params=params)
    return FAMILY.fit(candidate, problem, Rows(frame, y), None, rounds, 0, 1), frame


@pytest.mark.parametrize(("classes", "width"), [(0, 6), (2, 10), (3, 5)])
def test_tree_contributions_are_the_shapley_values_of_brute_force(classes: int, width: int) -> None:
    model, frame = boosted(classes, width)
    rows = frame.filter(pl.col("x0").is_null()).head(1).vstack(frame.head(2))
    codes = np.array([0, 1, classes - 1 if classes else 0]) if classes else np.zeros(3, np.int64)
    found = exact(model, rows, frame, codes)
    assert found is not None
    outputs = classes if classes > 2 else 1
    trees, x = read(model.core.text), model.encoder.tree(rows)  # type: ignore[attr-defined]
    assert len(trees) == 8 * outputs
    for i, code in enumerate(codes):
        mine = trees[int(code) :: outputs] if classes > 2 else trees
        sign = -1.0 if classes == 2 and code == 0 else 1.0

        def value(known: frozenset[int], row: Floats = x[i], part: Any = mine) -> float:
            return sum(expected(tree, row, known) for tree in part)

        truth = sign * by_brute_force(value, width)
        np.testing.assert_allclose(found.values[i], truth, rtol=0, atol=1e-8)
    np.testing.assert_allclose(found.values.sum(axis=1) + found.base, found.score, atol=1e-8)


def test_contributions_of_two_classes_sum_to_the_log_odds() -> None:
    problem, rows, columns = state("sold", mixed_table(300))
    wanted = {c.kind: c for c in FAMILY.candidates(problem, columns, 300)}
    for kind in ("boosting", "linear"):
        model = FAMILY.fit(wanted[kind], problem, rows, None, 20, 0, 1)
        for code in (0, 1):
            found = exact(model, rows.frame, rows.frame, np.full(300, code))
            assert found is not None
            assert found.values.shape == (300, len(problem.features))
            answer = logit(model.predict(rows.frame).values[:, code])
            np.testing.assert_allclose(found.score, answer, atol=1e-6)
            np.testing.assert_allclose(found.values.sum(axis=1) + found.base, answer, atol=1e-6)
    forest = FAMILY.fit(wanted["forest"], problem, rows, None, 20, 0, 1)
    assert exact(forest, rows.frame, rows.frame, np.zeros(300, np.int64)) is None


def test_linear_contributions_are_the_shapley_values_of_brute_force() -> None:
    frame = drawn(4, 200)
    y = (frame["x0"] * 2 - frame["x3"]).to_numpy()
    candidate = Candidate(name="line", kind="linear", params={"strength": 1.0})
    model = FAMILY.fit(candidate, problem_of(frame), Rows(frame, y), None, None, 0, 1)
    found = exact(model, frame[:1], frame, np.zeros(1, np.int64))
    assert found is not None

    def value(known: frozenset[int]) -> float:
        own = [pl.lit(frame[n][0]).alias(n) for i, n in enumerate(frame.columns) if i in known]
        return float(model.predict(frame.with_columns(own)).values.mean())

    np.testing.assert_allclose(found.values[0], by_brute_force(value, 4), atol=1e-8)


# ---- sampled Shapley values


def bent() -> Formula:
    return Formula(lambda d: np.array(d["x0"]) * np.array(d["x1"]) + np.sin(d["x2"]) + 3)


def test_sampled_contributions_are_right_within_their_stated_error() -> None:
    frame, model = drawn(4, 40), bent()
    asked = Game(model, frame[:20], frame[20:], tuple(frame.columns), np.zeros(20, np.int64))
    found = sampled(asked, 400, 0)
    behind = frame[20:]
    truth = np.zeros((20, 4))
    for row in range(20):

        def value(known: frozenset[int], row: int = row) -> float:
            own = [
                pl.lit(frame[n][row]).alias(n) for i, n in enumerate(frame.columns) if i in known
            ]
            return float(model.predict(behind.with_columns(own)).values.mean())

        truth[row] = by_brute_force(value, 4)
    score = (found.values - truth)[:, :3] / found.each_error[:, :3]
    assert np.mean(np.abs(score) <= 1.96) >= 0.85
    assert np.abs(score).max() < 4.5
    np.testing.assert_allclose(found.values[:, 3], 0, atol=1e-12)


def test_sampled_contributions_sum_to_the_answer_less_those_of_the_rows_drawn() -> None:
    frame, model = drawn(3, 1), bent()
    asked = Game(model, frame, drawn(3, 1, seed=4), tuple(frame.columns), np.zeros(1, np.int64))
    found = sampled(asked, 4, 0).values.sum()
    gap = model.predict(frame).values - model.predict(asked.background).values
    assert found == pytest.approx(float(gap[0]))


def test_many_columns_leave_one_player_for_the_rest() -> None:
    frame = drawn(50, 100)
    model = line(x0=3, x40=2)
    asked = game(problem_of(frame), model, Rows(frame), Rows(frame), 10, 0)
    assert len(asked.players) == 20
    assert asked.players[-1] == OTHERS
    assert {"x0", "x40"} <= set(asked.players)
    found = explain(model, frame, None)["contributions"].curves[0].data
    assert found["columns"][:2] == ["x0", "x40"]


def test_the_size_of_a_contribution_is_that_of_the_formula() -> None:
    frame = drawn(4, 2000)
    found = explain(line(x0=3, x1=1), frame, None)["contributions"].curves[0].data
    assert found["columns"][0] == "x0"
    assert found["low"][0] <= 3 <= found["high"][0]  # the weight times the spread of the column
    assert found["mean"][2:] == [0, 0]


# ---- LIME, dependence, and odd tables


def test_lime_finds_the_effect_of_each_column_and_says_when_it_is_unstable() -> None:
    frame = drawn(6)
    weights = {"x0": 5.0, "x1": -3.0, "x2": 2.0}
    clear = game(problem_of(frame), line(**weights), Rows(frame), Rows(frame), 5, 0)
    found = lime(clear, 0, 0)
    truth = [w * (clear.frame[n][0] - frame[n].mean()) for n, w in weights.items()]
    np.testing.assert_allclose(found.weights.mean(axis=0)[:3], truth, atol=0.6)
    rng = np.random.default_rng(0)
    wild = Formula(lambda d: rng.normal(size=len(d["x0"])))
    noise = lime(game(problem_of(frame), wild, Rows(frame), Rows(frame), 5, 0), 0, 0)
    assert found.agreement.mean() > 0.85
    assert noise.agreement.mean() < 0.75


def test_dependence_draws_the_shape_of_the_formula() -> None:
    frame = drawn(2, 500).with_columns(city=pl.Series(["a", "b"] * 250))
    model = Formula(lambda d: np.sin(d["x0"]) + 2 * (np.array(d["city"]) == "b"))
    found = dependence(problem_of(frame), model, Rows(frame), Rows(frame), ("city", "x0", "x1"))
    assert found is not None
    city, wave, flat = (curve.data for curve in found.curves)
    assert city["x"] == ["a", "b"]
    assert city["mean"][1] - city["mean"][0] == pytest.approx(2)
    bumps = np.array(wave["mean"]) - np.sin(wave["x"])
    assert np.ptp(bumps) < 1e-4  # the grid is shown with six digits
    assert np.ptp(flat["mean"]) == 0
    assert all(low <= high for low, high in zip(wave["low"], wave["high"], strict=True))


@pytest.mark.parametrize("target", ["sold", "grade", "price"])
def test_everything_is_plain_data_and_twice_the_same(target: str) -> None:
    problem, rows, columns = state(target, mixed_table(200))
    wanted = {c.kind: c for c in FAMILY.candidates(problem, columns, 200)}
    models = [(FAMILY.fit(wanted[k], problem, rows, None, 15, 0, 1), 0.5) for k in
              ("boosting", "linear")]  # fmt: skip
    found = FAMILY.explain(problem, models[0][0], models, rows, rows, 3)
    assert found == FAMILY.explain(problem, models[0][0], models, rows, rows, 3)
    assert len(found) == 4
    for examination in found:
        assert from_json(to_json(examination), Examination) == examination
        assert all(len(lines) <= 20 for lines in examination.by_title.values())


def test_odd_tables_are_explained_with_less() -> None:
    for frame in (
        drawn(1, 30),
        drawn(1, 1),
        drawn(1, 30).with_columns(x0=pl.lit(1.0), gone=pl.lit(None, pl.String)),
    ):
        target = np.zeros(frame.height)
        found = explain(line(x0=1), frame, target)
        assert "contributions" in found
        for examination in found.values():
            assert from_json(to_json(examination), Examination) == examination
    names = tuple(f"c{i:02}" for i in range(50))
    frame = drawn(2, 60)
    near = Formula(lambda d: 0.0, names)
    near.predict = lambda f: Predictions(np.full((f.height, 50), 0.02), names)  # type: ignore[method-assign]
    problem = Problem(family="tabular", task="multiclass", target="y", classes=names,
                      features=("x0", "x1"), primary="accuracy")  # fmt: skip
    rows = Rows(frame, np.zeros(60, np.int64))
    assert len(FAMILY.explain(problem, near, (), rows, rows, 0)) == 4


def test_a_probability_is_told_in_points() -> None:
    frame = drawn(3)
    model = Formula(lambda d: expit(2 * np.array(d["x0"])), ("no", "yes"))
    target = (frame["x0"].to_numpy() > 0).astype(np.int64)
    found = explain(model, frame, target)
    assert found["contributions"].curves[0].data["unit"] == "points"
    assert "probability of yes" in found["contributions"].reading
    assert any("highest answer: 9" in title or "highest answer: 100%" in title
               for title in found["single_answers"].by_title)  # fmt: skip


def test_bags_of_one_member_are_told_by_the_first() -> None:
    class Bag:
        def __init__(self, name: str) -> None:
            self.candidate = Candidate(name=name, kind="boosting")

    one, two, other = Bag("a"), Bag("a"), Bag("b")
    found = leading([(one, 0.3), (other, 0.4), (two, 0.3)])  # type: ignore[list-item]
    assert [(m.name, m.bags) for m in found] == [("a", 2), ("b", 1)]
    assert found[0].model is one
    assert found[0].weight == pytest.approx(0.6)


@pytest.mark.parametrize(
    ("value", "said"),
    [(0.0, "0"), (1e-30, "1e-30"), (-2.3456e-7, "-2.35e-07"), (0.0000123, "0.0000123"),
     (12345.6, "12,346"), (np.nan, "nan"), (5e-324, "4.94e-324")],
)  # fmt: skip
def test_numbers_are_said_as_a_person_reads_them(value: float, said: str) -> None:
    assert plain(value) == said
