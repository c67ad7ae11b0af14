"""The search for bad slices: chances, what it finds, what it leaves alone, odd tables."""

import datetime as dt

import numpy as np
import polars as pl
import pytest
from operate_cases import make_case
from scipy import stats
from scipy.special import expit

from assay.evaluate.search import _chances, column_parts, row_losses, search, smallest_slice
from assay.evaluate.worst import difference, examine
from assay.metrics.weighted import Rows


def two(positive):
    return np.column_stack([1 - positive, positive])


def made(n, seed, columns=6):
    """Return a table that tells nothing, and calibrated answers with their truth."""
    rng = np.random.default_rng(seed)
    table = pl.DataFrame(
        {f"n{i}": rng.normal(size=n) for i in range(columns)}
        | {f"c{i}": rng.choice(["a", "b", "c", "d"], n, p=[0.05, 0.2, 0.35, 0.4]) for i in range(3)}
    )
    chance = expit(3 * rng.normal(size=n))
    return table, (rng.random(n) < chance).astype(np.int64), chance


def flipped(truth, inside, share, seed=0):
    """Return the truth with a share of the answers inside turned round."""
    turn = inside & (np.random.default_rng(seed).random(len(truth)) < share)
    return np.where(turn, 1 - truth, truth)


def test_chances_far_out_are_those_of_the_exact_test():
    losses = np.r_[np.ones(4_000), np.zeros(16_000)]
    size, wrong = np.array([200, 60, 1_000]), np.array([80, 27, 260])
    exact = stats.hypergeom.sf(wrong - 1, 20_000, 4_000, size)
    middle = exact - stats.hypergeom.pmf(wrong, 20_000, 4_000, size) / 2
    found = _chances(size.astype(float), wrong.astype(float), losses)
    assert (found > middle / 2).all()
    assert (found < exact * 1.3).all()
    assert _chances(np.array([10.0]), np.array([0.0]), np.zeros(50)).tolist() == [1.0]


def test_chances_of_leaning_losses_are_those_of_draws():
    rng = np.random.default_rng(1)
    losses = rng.beta(0.5, 4, 3_000)
    means = np.array([losses[rng.permutation(3_000)[:80]].mean() for _ in range(20_000)])
    cut = np.quantile(means, [0.99, 0.999])
    found = _chances(np.full(2, 80.0), cut * 80, losses)
    assert found[0] == pytest.approx(0.01, rel=0.4)
    assert found[1] == pytest.approx(0.001, rel=0.8)


@pytest.mark.parametrize("kind", ["value", "tail", "pair"])
def test_a_planted_slice_is_found_and_named(kind):
    table, truth, chance = made(4_000, 3)
    inside, words = {
        "value": ((table["c0"] == "a").to_numpy(), {"c0 = a"}),
        "tail": ((table["n1"] > table["n1"].quantile(0.95)).to_numpy(), {"n1 > 1.6"}),
        "pair": (
            ((table["c1"] == "b") & (table["n2"] > table["n2"].quantile(0.75))).to_numpy(),
            {"c1 = b", "n2 > 0.6"},
        ),
    }[kind]
    rows = Rows(flipped(truth, inside, 0.25), two(chance), 1)
    found = search(table, row_losses(rows)).found
    assert len(found) == 1
    assert found[0].p_adjusted < 0.05
    overlap = (found[0].mask & inside).sum() / (found[0].mask | inside).sum()
    assert overlap > 0.9
    parts = found[0].words.split(" and ")
    assert len(parts) == len(words)
    assert all(any(part.startswith(word) for part in parts) for word in words)


def test_tables_without_a_bad_slice_are_left_alone():
    alarms = 0
    for seed in range(25):
        table, truth, chance = made(1_500, seed)
        alarms += bool(search(table, row_losses(Rows(truth, two(chance), 1))).found)
    assert alarms <= 3


def test_what_a_slice_found_explains_is_not_told_again():
    table, truth, chance = made(6_000, 4)
    inside = (table["c1"] == "b").to_numpy()
    table = table.with_columns(copy=pl.col("c1").replace({"b": "x"}))
    found = search(table, row_losses(Rows(flipped(truth, inside, 0.4), two(chance), 1))).found
    assert len(found) == 1


def test_numbers_are_searched_by_the_rank_of_their_errors():
    rng = np.random.default_rng(5)
    table, _, _ = made(3_000, 5)
    inside = (table["c0"] == "a").to_numpy()
    error = rng.standard_t(2, 3_000) * np.where(inside, 3, 1)
    error[~inside & (np.arange(3_000) == 7)] = 1e9  # one huge error makes no slice
    found = search(table, row_losses(Rows(error, np.zeros(3_000)))).found
    assert [one.words for one in found] == ["c0 = a"]


def test_rows_of_one_group_are_not_many_witnesses():
    rng = np.random.default_rng(6)
    groups = np.repeat(np.arange(40), 50)
    table = pl.DataFrame({"c": np.where(groups < 4, "a", "b"), "n": rng.normal(size=2_000)})
    bad = np.isin(groups, [0, 10, 20, 30])
    losses = (rng.random(2_000) < np.where(bad, 0.9, 0.1)).astype(float)
    assert search(table, losses).found
    assert not search(table, losses, groups=groups).found


@pytest.mark.parametrize(
    "series",
    [
        pl.Series("x", [None] * 100, dtype=pl.Float64),
        pl.Series("x", [1.0] * 100),
        pl.Series("x", [float("nan")] * 50 + [1.0] * 50),
        pl.Series("x", [[1]] * 100),
        pl.Series("x", [f"id{i}" for i in range(100)]),
        pl.Series("x", [dt.date(2024, 1, 1) + dt.timedelta(days=i) for i in range(100)]),
        pl.Series("x", [True, None] * 50),
        pl.Series("x", ["a", "b"] * 50, dtype=pl.Categorical),
        pl.Series("x", [float("inf")] * 40 + list(range(60)), strict=False),
    ],
)
def test_any_column_has_parts_of_enough_rows(series):
    for part in column_parts(series, 20):
        assert part.mask.dtype == bool
        assert 20 <= part.mask.sum() <= 100
        assert part.words.startswith("x") or " < x" in part.words


def test_the_examination_says_what_was_found_in_words():
    table, truth, chance = made(4_000, 7)
    inside = (table["c0"] == "a").to_numpy()
    case = make_case(flipped(truth, inside, 0.35), two(chance), table)
    found = examine(case)
    assert found is not None
    assert found.concern == "serious"
    assert "c0 = a" in found.reading
    line = next(iter(found.by_title.values()))[0]
    assert line["Slice"] == "c0 = a"
    assert line["Rows"] == inside.sum()
    worst = found.numbers["worst_slice"]
    assert worst == found.numbers["roc_auc"]
    assert worst.n == inside.sum()
    assert found == examine(case)


def test_worse_probabilities_without_more_wrong_answers_are_told_as_that():
    table, truth, chance = made(6_000, 7)
    inside = (table["c0"] == "a").to_numpy()
    loud = np.where(inside, np.where(chance > 0.5, 0.995, 0.005), chance)
    found = examine(make_case(truth, two(loud), table.select("c0")))
    assert found is not None
    (line,) = next(iter(found.by_title.values()))
    assert line["Slice"] == "c0 = a"
    assert "which may be chance; but its probabilities are clearly further" in found.reading
    assert "points more" not in found.reading


def test_without_a_find_the_number_allows_for_every_slice_looked_at():
    table, truth, chance = made(4_000, 8)
    found = examine(make_case(truth, two(chance), table))
    assert found is not None
    assert (found.concern, found.by_title, found.advice) == ("none", {}, "")
    assert found.reading.startswith("None of")
    worst = found.numbers["worst_slice"]
    plain = 1.96 * np.sqrt(worst.value * (1 - worst.value) / worst.n)
    assert worst.high - worst.low > plain


def test_a_number_gives_sentences_about_its_error():
    table, _, _ = made(2_000, 9)
    rng = np.random.default_rng(9)
    inside = (table["c1"] == "b").to_numpy()
    truth = rng.normal(size=2_000) * np.where(inside, 4, 1)
    found = examine(make_case(truth, np.zeros(2_000), table, classes=()))
    assert found is not None
    assert "c1 = b" in found.reading
    assert "mean error" in found.reading
    assert found.numbers["worst_slice"].value > 3


@pytest.mark.parametrize("classes", [2, 50])
def test_odd_cases_give_a_smaller_answer(classes):
    rng = np.random.default_rng(10)
    names = tuple(f"k{i}" for i in range(classes)) if classes > 2 else ("no", "yes")
    values = rng.dirichlet(np.ones(classes), 300)
    table = pl.DataFrame({"x": [None] * 300, "z": rng.normal(size=300)})
    one_class = np.zeros(300, dtype=np.int64)
    found = examine(make_case(one_class, values, table, classes=names))
    assert found is not None
    few = make_case(one_class[:20], values[:20], table[:20], classes=names)
    assert examine(few) is None


def test_the_difference_is_welchs():
    rng = np.random.default_rng(11)
    cost, inside = rng.exponential(size=400), np.arange(400) < 100
    found = difference(cost, inside)
    test = stats.ttest_ind(cost[inside], cost[~inside], equal_var=False)
    low, high = test.confidence_interval()
    assert (found.low, found.high) == pytest.approx((low, high), rel=0.15)


def test_the_smallest_slice_is_two_in_a_hundred():
    assert [smallest_slice(n) for n in (100, 4_000, 100_000)] == [30, 80, 500]
