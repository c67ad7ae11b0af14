"""One column against the profile: what is found, what is not, and the sentence."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
import pytest
from scipy.stats import binom

from assay.watch.columns.build import profile_columns
from assay.watch.columns.count import count
from assay.watch.columns.form import ColumnProfile
from assay.watch.drift.columns import Compared, compare
from assay.watch.drift.effect import distance


@dataclass(frozen=True)
class Field:
    name: str
    type: str


def profiled(before: pl.Series, kind: str) -> ColumnProfile:
    return profile_columns(pl.DataFrame({"x": before}), [Field("x", kind)])[0]


def compared(before: pl.Series, now: pl.Series, kind: str) -> Compared:
    """Compare the values of a window with those of training."""
    return against(profiled(before, kind), now)


def against(column: ColumnProfile, now: pl.Series) -> Compared:
    counts = count([column], pl.DataFrame({"x": now}))
    return compare(column, counts.cells["x"], counts.moments.get("x"))


def normal(rng, n, mean=50.0, sd=10.0) -> pl.Series:
    return pl.Series(rng.normal(mean, sd, n))


def words(rng, n, shares) -> pl.Series:
    return pl.Series(rng.choice(list(shares), n, p=list(shares.values())))


@pytest.mark.parametrize("kind", ["number", "category"])
@pytest.mark.parametrize("n", [100, 1_000, 5_000])
def test_nothing_changed_is_seldom_denied_by_all_tests_together(kind, n):
    rng = np.random.default_rng(n)
    draw = (
        normal
        if kind == "number"
        else lambda rng, n: words(rng, n, dict.fromkeys("abcdefg", 1 / 7))
    )
    p, draws = [], 300
    for _ in range(20):
        column = profiled(draw(rng, 2_000), kind)
        p += [against(column, draw(rng, n)).p for _ in range(draws // 20)]
    for level in (0.05, 0.01):
        assert np.mean(np.array(p) <= level) <= binom.ppf(0.9999, draws, level) / draws


def test_a_quarter_of_a_standard_deviation_is_found_in_a_thousand_rows():
    rng = np.random.default_rng(1)
    found = compared(normal(rng, 20_000), normal(rng, 1_000, mean=52.5), "number")
    assert found.p < 1e-6
    assert found.effect > 0.08
    assert found.reading.startswith("mean 52.")
    assert "(+0.2" in found.reading


def test_a_wider_spread_is_found():
    rng = np.random.default_rng(2)
    found = compared(normal(rng, 20_000), normal(rng, 1_000, sd=13.0), "number")
    assert found.p < 1e-6
    assert found.reading.startswith("standard deviation 1")


def test_a_part_in_another_unit_is_found_and_said():
    rng = np.random.default_rng(3)
    now = normal(rng, 1_000).to_numpy().copy()
    now[:50] *= 1000
    found = compared(normal(rng, 20_000), pl.Series(now), "number")
    assert found.p < 1e-20
    assert found.effect > 0.1
    assert found.reading == (
        "5% lie outside of what training saw: about 1,000 times larger, another unit?"
    )


def test_a_share_that_doubles_is_found_and_said():
    rng = np.random.default_rng(4)
    before = words(rng, 20_000, {"west": 0.15, "east": 0.5, "north": 0.35})
    found = compared(
        before, words(rng, 1_000, {"west": 0.3, "east": 0.4, "north": 0.3}), "category"
    )
    assert found.p < 1e-20
    assert found.reading.startswith("share of west 3")
    assert found.reading.endswith("instead of 15%")


def test_missing_values_are_found_and_said():
    rng = np.random.default_rng(5)
    before = normal(rng, 20_000).set(pl.Series(rng.random(20_000) < 0.01), None)
    now = normal(rng, 1_000).set(pl.Series(rng.random(1_000) < 0.06), None)
    found = compared(before, now, "number")
    assert found.p < 1e-12
    assert "missing instead of " in found.reading


def test_a_category_that_was_never_seen_is_found_and_said():
    rng = np.random.default_rng(6)
    before = words(rng, 20_000, {"a": 0.5, "b": 0.5})
    found = compared(before, words(rng, 1_000, {"a": 0.5, "b": 0.45, "new": 0.05}), "category")
    assert found.p < 1e-20
    assert found.reading.startswith("never seen")


def test_infinite_numbers_are_found_and_said():
    rng = np.random.default_rng(7)
    now = normal(rng, 1_000).to_numpy().copy()
    now[:40] = np.inf
    found = compared(normal(rng, 5_000), pl.Series(now), "number")
    assert found.p < 1e-12
    assert found.reading == "4% not finite instead of 0%"


def test_a_trifle_in_a_million_rows_is_certain_but_small():
    rng = np.random.default_rng(8)
    found = compared(normal(rng, 200_000), normal(rng, 1_000_000, mean=50.3), "number")
    assert found.p < 1e-6
    assert found.effect < 0.05


@pytest.mark.parametrize("k", [2, 40, 400])
@pytest.mark.parametrize(("n", "m"), [(20_000, 1_000), (500, 100_000), (300, 300)])
def test_chance_is_taken_off_the_distance(k, n, m):
    rng, law = np.random.default_rng(k + n), np.full(k, 1 / k)
    found = [distance(rng.multinomial(n, law), rng.multinomial(m, law)) ** 2 for _ in range(200)]
    noise = np.sqrt(2 * k) * (1 / n + 1 / m) / (8 * np.log(2))
    assert np.mean(found) < noise


def test_the_distance_is_one_where_nothing_is_shared():
    assert distance(np.array([10_000, 0]), np.array([0, 10_000])) == pytest.approx(1.0, abs=0.001)


EMPTY = pl.Series([None] * 300, dtype=pl.Float64)


@pytest.mark.parametrize(
    ("before", "now", "kind"),
    [
        (pl.Series([5.0] * 300), pl.Series([5.0] * 100), "number"),
        (EMPTY, EMPTY[:9], "number"),
        (pl.Series(["a"] * 300), pl.Series(["a"] * 100), "category"),
        (pl.Series([1.0, 2.0] * 150), pl.Series([], dtype=pl.Float64), "number"),
        (pl.Series(["a", "b"] * 150), pl.Series([], dtype=pl.String), "category"),
        (pl.Series([1.0, 2.0, 3.0] * 100), pl.Series([2.0]), "number"),
        (pl.Series(["a", "b", "c"] * 100), pl.Series(["b"]), "category"),
    ],
    ids=["constant", "all missing", "one category", "no numbers", "no words", "a number", "a word"],
)  # fmt: skip
def test_a_column_that_says_nothing_is_no_alarm(before, now, kind):
    found = compared(before, now, kind)
    assert found.p > 0.05
    assert found.effect <= 0.6
    assert found.reading


@pytest.mark.parametrize(
    ("before", "now", "kind"),
    [
        (pl.Series([5.0] * 300), pl.Series([6.0] * 100), "number"),
        (pl.Series([1.0, 2.0] * 150), EMPTY[:100], "number"),
        (EMPTY, pl.Series([1.0] * 100), "number"),
        (pl.Series(["a"] * 300), pl.Series(["b"] * 100), "category"),
    ],
    ids=["another constant", "now missing", "now there", "another category"],
)
def test_a_column_that_is_another_one_is_an_alarm(before, now, kind):
    found = compared(before, now, kind)
    assert found.p < 1e-12
    assert found.effect > 0.9
