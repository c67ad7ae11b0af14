"""All columns together: dependence that changes while every column stays as it was."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
import numpy as np
import polars as pl
import pytest
from scipy.stats import binom

from assay.watch.columns.build import profile_columns
from assay.watch.columns.count import codes
from assay.watch.drift.joint import FEWEST, Joint, build_joint, compare_joint


@dataclass(frozen=True)
class Field:
    name: str
    type: str


def table(rng, n, numbers=8, words=4, linked=0.6, mean=0.0):
    """Return rows whose first two columns have the correlation `linked`."""
    z = rng.normal(size=(n, numbers))
    z[:, 1] = linked * z[:, 0] + np.sqrt(1 - linked**2) * z[:, 1]
    z[:, 2] += mean
    made = {f"x{i}": z[:, i] for i in range(numbers)}
    for i in range(words):
        made[f"w{i}"] = rng.choice(list("abcdefgh"[: 2 * i + 2]), n)
    return pl.DataFrame(made)


class Known:
    """A joint profile of a table's rows, and how a window compares with it."""

    def __init__(self, rows):
        kinds = {n: "number" if t.is_numeric() else "category" for n, t in rows.schema.items()}
        self.columns = profile_columns(rows, [Field(*pair) for pair in kinds.items()])
        self.joint = build_joint(self.columns, codes(self.columns, rows))

    def compare(self, rows):
        return compare_joint(self.joint, self.columns, codes(self.columns, rows))


def test_dependence_that_goes_is_found_though_no_column_changed():
    rng = np.random.default_rng(1)
    known = Known(table(rng, 5_000))
    found = known.compare(table(rng, 2_000, linked=0.0))
    assert found.p < 1e-20
    assert found.effect > 0.65


def test_dependence_that_comes_is_found_among_many_columns():
    rng = np.random.default_rng(2)
    known = Known(table(rng, 10_000, numbers=25, words=5, linked=0.0))
    found = known.compare(table(rng, 2_000, numbers=25, words=5, linked=0.6))
    assert found.p < 1e-6


def test_a_xor_that_turns_round_is_found():
    """Any two of the columns are independent before and after."""

    def rows(rng, n, turned):
        one, two = rng.random(n) < 0.5, rng.random(n) < 0.5
        words = {"one": one, "two": two, "three": one ^ two ^ turned}
        return pl.DataFrame({k: np.where(v, "yes", "no") for k, v in words.items()})

    rng = np.random.default_rng(3)
    known = Known(rows(rng, 5_000, turned=False))
    assert known.compare(rows(rng, 2_000, turned=False)).p > 1e-3
    assert known.compare(rows(rng, 2_000, turned=True)).p < 1e-10


@pytest.mark.parametrize(("n", "m"), [(500, 200), (3_000, 1_000), (2_000, 4_000)])
def test_nothing_changed_is_seldom_denied(n, m):
    rng, p, effects = np.random.default_rng(n + m), [], []
    for _ in range(15):
        known = Known(table(rng, n))
        for _ in range(4):
            found = known.compare(table(rng, m))
            p.append(found.p)
            effects.append(found.effect)
    for level in (0.2, 0.05):
        assert np.mean(np.array(p) <= level) <= binom.ppf(0.999, 60, level) / 60
    assert np.median(effects) < 0.5 + 0.4 * (16 / min(n, m)) ** 0.5


def test_scores_are_high_for_rows_that_came_from_elsewhere_and_weigh_them_back():
    rng = np.random.default_rng(4)
    known = Known(table(rng, 10_000))
    window = table(rng, 4_000, mean=1.0)
    found = known.compare(window)
    x = window["x2"].to_numpy()
    assert np.corrcoef(found.scores, x)[0, 1] > 0.7
    assert abs(np.average(x, weights=np.exp(-found.scores))) < 0.25
    assert found.effect == pytest.approx(0.76, abs=0.03)  # Phi(1 / sqrt 2)


def test_without_a_change_every_row_scores_about_the_same():
    rng = np.random.default_rng(5)
    found = Known(table(rng, 10_000)).compare(table(rng, 4_000))
    assert np.ptp(found.scores) < 0.5


def test_a_joint_profile_is_small_and_comes_back_from_json():
    rng = np.random.default_rng(6)
    known = Known(table(rng, 3_000, numbers=80, words=20))
    data = msgspec.json.encode(known.joint)
    assert len(data) < 60_000
    window = table(rng, 500, numbers=80, words=20)
    before = known.compare(window)
    known.joint = msgspec.json.decode(data, type=Joint)
    assert known.compare(window).p == before.p


def test_too_few_rows_or_columns_have_no_joint_profile():
    rng = np.random.default_rng(7)
    assert Known(table(rng, FEWEST - 1)).joint is None
    assert Known(table(rng, 1_000, numbers=3, words=0).select("x0")).joint is None


@pytest.mark.parametrize("rows", [0, 1])
def test_a_window_of_no_row_or_one_is_no_alarm(rows):
    rng = np.random.default_rng(8)
    known = Known(table(rng, 1_000))
    found = known.compare(table(rng, 5).head(rows))
    assert (found.p, found.effect, len(found.scores)) == (1.0, 0.5, rows)


def test_columns_that_are_all_constant_are_no_alarm():
    still = pl.DataFrame({"one": [1.0] * 300, "two": ["a"] * 300})
    found = Known(still).compare(still.head(50))
    assert (found.p, found.effect) == (1.0, 0.5)


def test_a_few_rare_rows_are_no_shift():
    """Two copies of a column whose bins differ in a hair, and what hardly ever happens."""

    def copies(rng, n):
        x = rng.normal(size=n)
        rare = {f"r{i}": (rng.random(n) < 0.003).astype(float) for i in range(5)}
        return pl.DataFrame({"a": x, "b": x, "c": -x, **rare})

    rng = np.random.default_rng(12)
    known = Known(copies(rng, 5_000))
    assert min(known.compare(copies(rng, 100)).p for _ in range(40)) > 1e-4


def test_columns_that_are_constant_or_missing_say_nothing():
    rng = np.random.default_rng(9)
    still = {"five": pl.lit(5.0), "none": pl.lit(None, pl.Float64), "word": pl.lit("a")}
    known = Known(table(rng, 2_000).with_columns(**still))
    assert known.compare(table(rng, 1_000).with_columns(**still)).p > 1e-3
