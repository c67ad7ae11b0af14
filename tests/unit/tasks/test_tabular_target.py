"""Categories as means of the target: no row sees its own, and new rows read those of all."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tabular_cases import mixed_table, state

from assay.records.base import from_json, to_json
from assay.records.fitted import Candidate
from assay.tasks.tabular.encode.columns import fit_category
from assay.tasks.tabular.encode.encoder import Encoder
from assay.tasks.tabular.encode.target import TargetPlan, fit_target
from assay.tasks.tabular.family import FAMILY

BOOSTED = {"rounds": 20, "num_leaves": 6, "min_data_in_leaf": 5, "categories": "target"}


def read(plan: TargetPlan, values: list[str | None]) -> np.ndarray:
    out = np.empty((len(values), plan.tree_width))
    plan.tree(pl.Series(plan.name, values, dtype=pl.String), out)
    return out


def test_training_rows_do_not_see_their_own_target() -> None:
    """Levels of three rows and a target of pure chance: means of all rows would tell it."""
    rng = np.random.default_rng(0)
    column = pl.Series("c", [f"v{i // 3}" for i in range(3000)])
    y = rng.normal(size=(3000, 1))
    plan, view = fit_target(fit_category(column), column, y, 0)
    assert abs(np.corrcoef(view[:, 0], y[:, 0])[0, 1]) < 0.1
    shrunk = read(plan, column.to_list())[:, 0]
    assert shrunk.std() < 0.2 * y.std()  # and what is chance is mostly shrunk away


def test_levels_read_their_means_and_others_the_mean_of_all() -> None:
    column = pl.Series("c", ["a"] * 400 + ["b"] * 400 + [None] * 200)
    y = np.repeat([0.0, 1.0, 5.0], [400, 400, 200])[:, None]
    y = y + np.random.default_rng(0).normal(size=y.shape) / 10
    plan, _ = fit_target(fit_category(column), column, y, 0)
    a, b, missing, unseen = read(plan, ["a", "b", None, "no such"])[:, 0]
    np.testing.assert_allclose([a, b, missing, unseen], [0.0, 1.0, 5.0, y.mean()], atol=0.05)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["a", "b", "", "Ω", None]), st.floats(-1e6, 1e6)),
                min_size=1, max_size=60), st.integers(0, 99))  # fmt: skip
def test_any_column_gives_finite_means_within_the_targets(
    cells: list[tuple[str | None, float]], seed: int
) -> None:
    column = pl.Series("c", [cell for cell, _ in cells], dtype=pl.String)
    y = np.array([value for _, value in cells])[:, None]
    category = fit_category(column)
    plan, view = fit_target(category, column, y, seed)
    every = np.vstack([view, read(plan, ["a", "b", "", "Ω", None, "new"])])
    room = 1e-9 * (1 + np.abs(y).max())
    assert np.isfinite(every).all()
    assert every.min() >= y.min() - room
    assert every.max() <= y.max() + room
    again, same = fit_target(category, column, y, seed)
    assert again == plan
    np.testing.assert_array_equal(view, same)


def test_many_levels_add_how_frequent_they_are() -> None:
    column = pl.Series("c", [f"v{i % 30}" for i in range(300)])
    plan, view = fit_target(fit_category(column), column, np.ones((300, 2)), 0)
    assert plan.tree_width == view.shape[1] == 3
    assert read(plan, ["v0", "none"])[:, 2].tolist() == [np.log1p(10), 0.0]


@pytest.mark.parametrize(("target", "width"), [("sold", 1), ("grade", 3), ("price", 1)])
def test_a_model_keeps_its_means(target: str, width: int) -> None:
    problem, rows, _ = state(target, mixed_table(200))
    candidate = Candidate(name="b", kind="boosting", params=BOOSTED)
    model = FAMILY.fit(candidate, problem, rows, None, None, 0, 1)
    plans = {plan.name: plan for plan in model.encoder.plans}  # type: ignore[attr-defined]
    assert isinstance(plans["city"], TargetPlan)
    assert plans["city"].tree_width == width
    again = FAMILY.restore(candidate, problem, model.state())
    expected = model.predict(rows.frame).values
    np.testing.assert_array_equal(again.predict(rows.frame).values, expected)
    encoder = model.encoder  # type: ignore[attr-defined]
    assert from_json(to_json(encoder), Encoder) == encoder
