from __future__ import annotations

import msgspec
import numpy as np
import polars as pl
import pytest
from operate_cases import grouped, make_case

from assay.evaluate.fairness.groups import examine, rates_of
from assay.metrics.operate import two_classes
from assay.records.spec import FairnessSection

SEX = FairnessSection(columns=("sex",))
GAPS = ("demographic_parity", "equal_opportunity", "equalized_odds", "average_odds")


def looked_at(n=4_000, fairness=SEX, table=None, **wrong):
    truth, values, groups = grouped(n, **wrong)
    return examine(make_case(truth, values, groups if table is None else table, fairness=fairness))


def test_the_differences_are_those_of_fairlearn():
    metrics = pytest.importorskip("fairlearn.metrics", reason="the oracle fairlearn is not there")
    truth, values, table = grouped(3_000, help_b=-0.8)
    table = table.with_columns(sex=pl.Series(np.arange(3_000) % 7 == 0).replace_strict(
        {True: "c", False: None}, return_dtype=pl.String).fill_null(table["sex"]))  # fmt: skip
    found = examine(make_case(truth, values, table, fairness=SEX)).numbers
    called = (values[:, 1].round(9) >= 0.5).astype(int)
    given = {"y_true": truth, "y_pred": called, "sensitive_features": table["sex"].to_numpy()}
    oracle = {
        "demographic_parity": metrics.demographic_parity_difference(**given),
        "equal_opportunity": metrics.equal_opportunity_difference(**given),
        "equalized_odds": metrics.equalized_odds_difference(**given),
        "average_odds": metrics.equalized_odds_difference(**given, agg="mean"),
    }
    for name, value in oracle.items():
        assert found[f"{name}_difference"].value == pytest.approx(value), name


def test_the_rates_of_a_group_are_counted_by_hand():
    counts = np.array([[[6.0, 2.0], [1.0, 3.0]]])  # negatives: 2 of 8 called; positives: 3 of 4
    assert rates_of(counts)[:, 0].tolist() == [3 / 4, 2 / 8, 5 / 12]


def test_groups_treated_alike_are_of_no_concern():
    found = looked_at(20_000)
    assert found.concern == "none"
    assert set(found.numbers) == {f"{name}_difference" for name in GAPS}
    assert all(number.low < 0.01 for number in found.numbers.values())


def test_a_group_that_is_passed_over_is_serious_and_named():
    found = looked_at(help_b=-1.5)
    assert found.concern == "serious"
    assert found.numbers["average_odds_difference"].low > 0.1
    assert "among a" in found.reading
    assert "fairness.mitigate" in found.advice
    msgspec.json.encode(found)


def test_intervals_hold_the_true_difference():
    truth, values, table = grouped(600_000, seed=99, help_b=-0.6)
    real = examine(make_case(truth, values, table, fairness=SEX)).numbers
    held = dict.fromkeys(real, 0)
    for seed in range(100):
        found = looked_at(1_200, seed=seed, help_b=-0.6).numbers
        for name in held:
            held[name] += found[name].low <= real[name].value <= found[name].high
    assert all(88 <= count <= 100 for count in held.values()), held


def test_no_difference_is_seldom_taken_for_one():
    false = sum(
        looked_at(800, seed=seed).numbers["average_odds_difference"].low > 0 for seed in range(100)
    )
    assert false <= 10


def test_small_groups_are_named_and_not_scored():
    truth, values, table = grouped(2_000, help_b=0.0)
    few = np.arange(2_000) < 20
    table = table.with_columns(
        sex=pl.when(pl.Series(few)).then(pl.lit("z")).otherwise(pl.col("sex"))
    )
    values = values.copy()
    values[few] = (0.0, 1.0)
    found = examine(make_case(truth, values, table, fairness=SEX))
    line = next(line for line in found.by_title["By sex"] if line["group"] == "z")
    assert line == {"group": "z", "rows": 20, "note": "too few rows to score"}
    assert "One group is too small" in found.reading
    assert found.numbers["demographic_parity_difference"].value < 0.1


def test_intersections_missing_values_and_numbers_are_groups():
    truth, values, table = grouped(4_000)
    rng = np.random.default_rng(0)
    age = pl.Series("age", rng.normal(40, 10, 4_000)).set(pl.Series(rng.random(4_000) < 0.2), None)
    table = table.with_columns(age, region=pl.Series(rng.choice(["n", "s"], 4_000)))
    fairness = FairnessSection(columns=("sex", "age", "region"))
    found = examine(make_case(truth, values, table, fairness=fairness))
    names = {title for title in found.by_title if title.startswith("By ")}
    assert names == {
        "By sex", "By age", "By region", "By sex × age", "By sex × region", "By age × region",
        "By sex × age × region",
    }  # fmt: skip
    assert "(missing)" in {line["group"] for line in found.by_title["By age"]}
    assert len(found.by_title["By age"]) == 5
    assert all(len(lines) <= 20 for lines in found.by_title.values())


def test_a_gap_between_intersections_alone_is_seen():
    rng = np.random.default_rng(0)
    n = 8_000
    one, two = rng.choice(["a", "b"], n), rng.choice(["c", "d"], n)
    truth = (rng.random(n) < 0.5).astype(np.int64)
    odd = (one == "a") == (two == "c")
    score = np.clip(0.5 + 0.3 * (2 * truth - 1) + rng.normal(0, 0.2, n) + 0.2 * odd, 0, 1)
    table = pl.DataFrame({"one": one, "two": two})
    fairness = FairnessSection(columns=("one", "two"))
    found = examine(make_case(truth, two_classes(score, 1), table, fairness=fairness))
    assert "one × two differ most" in found.reading
    lines = {(line["groups"], line["definition"]): line for line in found.by_title["Differences"]}
    apart = lines["one × two", "demographic parity"]["difference"]
    assert apart > 5 * lines["one", "demographic parity"]["difference"]
    assert found.numbers["demographic_parity_difference"].value == pytest.approx(apart, abs=1e-4)


@pytest.mark.parametrize("kind", ["one class", "all missing", "one group", "few rows"])
def test_odd_rows_give_a_smaller_answer(kind):
    truth, values, table = grouped(200)
    if kind == "one class":
        truth = np.zeros(200, dtype=np.int64)
    elif kind == "all missing":
        table = pl.DataFrame({"sex": pl.Series([None] * 200, dtype=pl.Float64)})
    elif kind == "one group":
        table = pl.DataFrame({"sex": ["a"] * 200})
    else:
        truth, values, table = truth[:30], values[:30], table[:30]
    found = examine(make_case(truth, values, table, fairness=SEX))
    assert found.numbers == {}
    assert found.concern == "look"
    assert "No two groups have rows enough" in found.reading


def test_rows_that_hang_together_widen_the_interval():
    truth, values, table = grouped(600, help_b=-1.0)
    copies = np.repeat(np.arange(600), 6)
    many = (truth[copies], values[copies], table[copies])
    apart = [
        examine(make_case(*many, fairness=SEX, groups=groups)).numbers["average_odds_difference"]
        for groups in (None, copies)
    ]
    assert apart[1].high - apart[1].low > 1.8 * (apart[0].high - apart[0].low)


def test_no_columns_and_no_yes_or_no_give_none():
    assert looked_at(200, fairness=FairnessSection()) is None
    many = np.full((9, 3), 1 / 3)
    table = pl.DataFrame({"sex": ["a"] * 9})
    case = make_case(np.arange(9) % 3, many, table, classes=("a", "b", "c"), fairness=SEX)
    assert examine(case) is None
