"""Nasty rows, gates, candidates, and models on odd tables."""

from __future__ import annotations

import math

import numpy as np
import polars as pl
import pytest
from tabular_cases import mixed_table, state

from assay.kernel.family import Rows
from assay.records.snapshot import Problem
from assay.tasks.tabular.family import FAMILY
from assay.tasks.tabular.models.model import TabularModel
from assay.tasks.tabular.nasty import WIDE
from assay.tasks.tabular.portfolio.choose import candidates
from assay.tasks.tabular.portfolio.facts import Facts


def test_nasty_rows_break_every_column() -> None:
    problem, rows, _ = state("sold", mixed_table(80))
    nasty = FAMILY.nasty_rows(problem, rows, 0)
    assert nasty.schema == rows.frame.schema
    assert all(nasty[name].null_count() >= 1 for name in problem.features)
    assert nasty.select(pl.all_horizontal(pl.all().is_null())).to_series().any()
    numbers = nasty["number"].drop_nulls().to_list()
    assert {math.inf, -math.inf, 1e308, 5e-324} <= set(numbers)
    assert any(math.isnan(x) for x in numbers)
    known = rows.frame["number"].drop_nulls().to_list()
    assert any(np.nextafter(x, np.inf) in numbers for x in known)
    assert {"", "no such value"} <= set(nasty["city"].drop_nulls())
    assert nasty["city"].str.len_chars().max() == 100_000
    assert nasty["since"].dt.year().max() == 9999


def test_nasty_rows_of_a_wide_table_stay_few() -> None:
    frame = pl.DataFrame({f"x{i}": [0.5, 1.5] * 10 for i in range(WIDE * 2)})
    problem = Problem(
        family="tabular", task="regression", target="y", features=tuple(frame.columns), primary="r2"
    )
    nasty = FAMILY.nasty_rows(problem, Rows(frame), 0)
    assert nasty.height < 20_000
    assert nasty.width == WIDE * 2


@pytest.mark.parametrize("target", ["sold", "grade", "price"])
def test_default_gates_beat_the_baseline_and_a_floor(target: str) -> None:
    problem, _, _ = state(target, mixed_table(80))
    beats, floor = FAMILY.default_gates(problem)
    assert (beats.metric, beats.beats) == (problem.primary, "baseline")
    assert floor.at_least is not None
    assert 0 < floor.at_least < 1


def test_candidates_shrink_for_few_rows_and_grow_leaves_for_many() -> None:
    few = {c.name: c.params for c in candidates(Facts(classes=2, rows=60))}
    many = {c.name: c.params for c in candidates(Facts(classes=2, rows=1_000_000))}
    assert few["boosting"]["num_leaves"] < many["boosting"]["num_leaves"]
    assert few["boosting"]["learning_rate"] < many["boosting"]["learning_rate"]
    assert candidates(Facts(classes=0, rows=500, text=("t",)))[0].kind == "linear"


def fit(kind: str, problem: Problem, rows: Rows, columns: object) -> TabularModel:
    everyone = (
        *FAMILY.baselines(problem, columns),  # type: ignore[arg-type]
        *FAMILY.candidates(problem, columns, rows.frame.height),  # type: ignore[arg-type]
    )
    candidate = next(c for c in everyone if c.kind == kind)
    return FAMILY.fit(candidate, problem, rows, None, 20, 0, 1)


KINDS = ("constant", "column", "linear", "forest", "boosting")


@pytest.mark.parametrize("kind", KINDS)
def test_columns_that_are_all_missing_or_alone(kind: str) -> None:
    table = mixed_table(60).with_columns(
        pl.lit(None, dtype=pl.Float64).alias("number"),
        pl.lit(None, dtype=pl.String).alias("review"),
        pl.lit(None, dtype=pl.Boolean).alias("member"),
    )
    problem, rows, columns = state("sold", table.drop("since"))
    values = fit(kind, problem, rows, columns).predict(rows.frame).values
    assert np.isfinite(values).all()
    problem, rows, columns = state("sold", table.select("city", "sold"))
    assert fit(kind, problem, rows, columns).predict(rows.frame).values.shape == (60, 2)


@pytest.mark.parametrize("kind", KINDS)
def test_a_fold_with_one_class_still_fits(kind: str) -> None:
    problem, rows, columns = state("sold", mixed_table(120))
    assert rows.target is not None
    ones = rows.target == 1
    single = Rows(rows.frame.filter(ones), rows.target[ones])
    values = fit(kind, problem, single, columns).predict(rows.frame).values
    assert values[:, 1].min() > 0.99


@pytest.mark.parametrize("kind", KINDS)
def test_extreme_training_values_stay_finite(kind: str) -> None:
    table = mixed_table(80).with_columns(
        number=pl.Series([math.inf, -math.inf, 1e308, 5e-324] * 20), city=pl.lit("\x00" * 50)
    )
    for target in ("sold", "price"):
        problem, rows, columns = state(target, table)
        answer = fit(kind, problem, rows, columns).predict(rows.frame)
        assert np.isfinite(answer.values).all()


def test_the_best_column_is_the_one_that_decides() -> None:
    draw = np.random.default_rng(0)
    table = pl.DataFrame({f"x{i}": draw.normal(size=300) for i in range(130)})
    table = table.with_columns(pl.when(pl.col("x77") > 0).then(1.0).otherwise(0.0).alias("sold"))
    problem, rows, columns = state("sold", table)
    model = fit("column", problem, rows, columns)
    assert (model.predict(rows.frame).codes() == rows.target).all()
    other = rows.frame.with_columns(pl.lit(0.0).alias(f"x{i}") for i in range(130) if i != 77)
    np.testing.assert_array_equal(model.predict(other).values, model.predict(rows.frame).values)


def test_early_stopping_keeps_the_best_round() -> None:
    problem, rows, columns = state("sold", mixed_table(240))
    assert rows.target is not None
    train, valid = (
        Rows(rows.frame[:160], rows.target[:160]),
        Rows(rows.frame[160:], rows.target[160:]),
    )
    boost = next(c for c in FAMILY.candidates(problem, columns, 160) if c.kind == "boosting")
    stopped = FAMILY.fit(boost, problem, train, valid, None, 0, 1)
    assert stopped.rounds is not None
    assert 1 <= stopped.rounds < boost.params["rounds"]

    def loss(rounds: int) -> float:
        model = FAMILY.fit(boost, problem, train, None, rounds, 0, 1)
        found = model.predict(valid.frame).values
        assert valid.target is not None
        return float(-np.log(found[np.arange(len(found)), valid.target]).mean())

    assert loss(stopped.rounds) <= min(loss(max(1, stopped.rounds - 5)), loss(stopped.rounds + 40))
