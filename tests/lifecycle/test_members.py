"""The members of the champion: each fitted once, bagged where that helps, as small as asked."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from projects import BOOSTING, LINEAR, Project, make_table, write_project

import assay

ENSEMBLE = f"""
[metric]
primary = "log_loss"
[budget]
iterations = 2
only = ["{LINEAR}", "{BOOSTING}"]
"""


def bent_project(folder: Path, more: str) -> Project:
    """Return a project whose target has a straight part and steps: each model finds one."""
    made = write_project(folder / "shop", more=more)
    table = make_table("binary", 600)
    rng = np.random.default_rng(0)
    fee, height = table["fee"].fill_null(50).to_numpy(), table["height"].to_numpy()
    steps = np.where((height > 165) ^ (table["visits"].to_numpy() > 6), 0.6, -0.6)
    score = (fee - 50) / 4 + (height - 170) / 8 + steps + rng.normal(0, 0.7, 600)
    left = pl.Series("left", np.where(score > 0, "yes", "no"))
    table.with_columns(left).write_csv(folder / "shop" / "table.csv")
    return made


def limited(size: int) -> str:
    return f'{ENSEMBLE}\n[[gates]]\nmetric = "package_bytes"\nat_most = {size}\n'


@pytest.fixture(scope="module")
def ensemble(tmp_path_factory):
    """Return a finished project whose ensemble was free to take any form, and its result."""
    made = bent_project(tmp_path_factory.mktemp("members"), ENSEMBLE)
    return made, made.run()


def test_the_whole_ensemble_is_served_where_no_gate_limits_it(ensemble):
    _, result = ensemble
    view = result.view
    board, chosen = view.leaderboard, view.members
    assert chosen.weights == board.weights
    assert chosen.pool == view.fitted.pool == board.pool
    assert view.fitted.members == chosen.members
    for name, weight in board.weights.items():
        models = [m for m in chosen.members if m.candidate.name == name]
        assert sum(m.weight for m in models) == pytest.approx(weight)
        assert len(models) == (board.bags if models[0].candidate.varies else 1)
        assert len({m.state for m in models}) == len(models)
    assert [shape.chosen for shape in chosen.shapes].count(True) == 1
    assert "no gate" in chosen.why


def test_a_gate_on_size_makes_the_ensemble_smaller_and_fits_no_member_again(ensemble, tmp_path):
    before, free = ensemble
    whole = next(shape for shape in free.view.members.shapes if shape.chosen)
    assert len(whole.weights) == 2
    made = bent_project(tmp_path, limited(whole.bytes // 2))
    result = made.run()
    view = result.view
    assert view.leaderboard.weights == free.view.leaderboard.weights
    chosen = next(shape for shape in view.members.shapes if shape.chosen)
    assert chosen.bytes <= whole.bytes // 2
    assert view.report.package_bytes == pytest.approx(chosen.bytes, rel=0.05)
    assert len(view.members.members) < len(free.view.members.members)
    assert view.fitted.members == view.members.members
    assert view.members.weights == chosen.weights
    assert "package_bytes ≤" in view.members.why
    answers = assay.load(result.package).predict(make_table("binary").head(5))
    assert len(answers) == 5
    fits = made.fits()
    assert len(fits) == len(set(fits))
    made.edit(str(whole.bytes // 2), str(whole.bytes // 3))
    made.run()
    assert len(set(made.fits())) == len(made.fits())  # another limit fits nothing again
    assert set(before.fits()) <= set(made.fits())


def test_the_same_iterations_give_the_same_package(ensemble, tmp_path):
    _, first = ensemble
    second = bent_project(tmp_path, ENSEMBLE).run()
    assert second.package.name == first.package.name
