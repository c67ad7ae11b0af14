"""The smallest changes: how many answers flip is known, and so is what must change."""

from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
import polars as pl
import pytest
from operate_cases import make_case
from scipy.special import expit

from assay.evaluate.strain.adversarial import examine
from assay.evaluate.strain.moves import Asked, Column, Move
from assay.kernel.family import Predictions
from assay.records.base import from_json, to_json
from assay.records.report import Examination


def two(score):
    return Predictions(np.column_stack([1 - score, score]), ("no", "yes"))


def case_of(table, predict, **more):
    found = predict(table)
    truth = (found.values[:, -1] >= 0.5).astype(np.int64)
    case = make_case(truth, found.values, table, classes=found.classes, **more)
    return replace(case, predict=predict)


def even(n=1000, columns=("a", "b"), seed=0):
    rng = np.random.default_rng(seed)
    return pl.DataFrame({name: rng.random(n) for name in columns})


def test_a_step_goes_as_far_as_the_training_rows_say():
    column = Column.of(pl.Series("a", np.arange(100.0)))
    moved = column.stepped(pl.Series("a", [50.0, 98.0, 150.0, None]), 0.1)
    assert moved.to_list() == [60.0, 99.0, 150.0, None]
    assert column.stepped(pl.Series("a", [50.0, 1.0, -9.0]), -0.1).to_list() == [40.0, 0.0, -9.0]


def test_a_value_that_most_rows_share_does_not_move_and_whole_numbers_stay_whole():
    spiked = Column.of(pl.Series("a", [0.0] * 90 + [float(i) for i in range(100, 110)]))
    assert spiked.stepped(pl.Series("a", [0.0, 105.0]), 0.05).to_list() == [0.0, 109.0]
    days = [datetime(2024, 1, 1) + timedelta(days=i) for i in range(100)]
    dates = Column.of(pl.Series("d", days))
    assert dates.stepped(pl.Series("d", days[10:11]), 0.1)[0] == days[20]
    whole = Column.of(pl.Series("k", range(100)))
    assert whole.stepped(pl.Series("k", [10]), 0.1).to_list() == [20]
    assert not Column.of(pl.Series("k", [1, 1])).ordered


def test_the_share_of_flips_is_that_of_the_rows_near_the_border():
    def predict(frame):
        return two(expit(20 * (frame["a"].to_numpy() - 0.5)))

    found = examine(case_of(even(), predict))
    rate = found.numbers["flip_rate"]
    assert rate.low <= 0.2 <= rate.high  # a tenth of the rows on each side of the middle
    assert rate.value == pytest.approx(0.2, abs=0.08)
    (line,) = found.by_title["Columns that flip most"]
    assert line["Column"] == "a"
    assert "switch_rate" not in found.numbers
    assert from_json(to_json(found), Examination) == found
    assert found == examine(case_of(even(), predict))


def test_two_columns_flip_more_than_one():
    def predict(frame):
        return two(expit(20 * (frame["a"].to_numpy() + frame["b"].to_numpy() - 1)))

    found = examine(case_of(even(), predict))
    # |a + b - 1| ≤ 0.2 has the probability 0.36; one column alone would reach 0.19
    assert found.numbers["flip_rate"].low <= 0.36 <= found.numbers["flip_rate"].high
    assert found.concern == "look"


def test_examples_show_the_smallest_step_and_the_answer_it_gives():
    def predict(frame):
        return two(expit(20 * (frame["a"].to_numpy() - 0.5)))

    table = even()
    lines = examine(case_of(table, predict)).by_title["The smallest changes that were found"]
    assert len(lines) == 3
    for line in lines:
        name, _, change = line["Change"].partition(": ")
        before, after = (float(value) for value in change.split(" → "))
        assert name == "a"
        assert (before < 0.5) != (after < 0.5)
        assert abs(after - before) <= 0.04  # the smallest step of all is a fiftieth
        assert table["a"][line["Row"] - 1] == pytest.approx(before, rel=1e-5)
        assert line["Answer"].split(" ")[0] != line["New answer"].split(" ")[0]


def test_another_category_is_counted_apart():
    def predict(frame):
        return two(np.where(frame["city"] == "Rome", 0.9, 0.2))

    rng = np.random.default_rng(0)
    table = pl.DataFrame({"city": rng.choice(["Rome", "Oslo", "rare"], 500, p=[0.5, 0.48, 0.02])})
    found = examine(case_of(table, predict))
    assert found.numbers["switch_rate"].value == 1
    assert "flip_rate" not in found.numbers
    assert all("rare" not in line["Change"].split("→")[1] for line in
               found.by_title["What would have to be different"])  # fmt: skip


def test_a_counterfactual_holds_nothing_that_is_not_needed():
    def predict(frame):
        a, b, c = (frame[name].to_numpy() for name in "abc")
        return two(expit(30 * ((a > 0.5) & (b > 0.5)) + 0.1 * c - 15))

    case = case_of(even(columns=("a", "b", "c")), predict)
    lines = examine(case).by_title["What would have to be different"]
    assert lines
    for line in lines:
        changed = {part.split(":")[0] for part in line["Change"].split("; ")}
        assert changed <= {"a", "b"}
        row = case.features[line["Row"] - 1]
        yes = row["a"][0] > 0.5 and row["b"][0] > 0.5
        both = row["a"][0] <= 0.5 and row["b"][0] <= 0.5
        assert len(changed) == (1 if yes or not both else 2)


def test_many_classes_flip_to_any_other():
    def predict(frame):
        near = np.exp(-40 * (frame["a"].to_numpy()[:, None] - np.linspace(0, 1, 50)) ** 2)
        names = tuple(f"c{i:02}" for i in range(50))
        return Predictions(near / near.sum(axis=1, keepdims=True), names)

    found = examine(case_of(even(), predict))
    assert found.numbers["flip_rate"].value == 1  # a class is a fiftieth wide


def test_margins_turn_negative_exactly_where_the_answer_flips():
    answers = two(np.array([0.5, 0.7, 0.3]))
    asked = Asked(lambda frame: answers, 1)
    assert (asked.kept(answers, np.array([1, 1, 1])) > 0).tolist() == [False, True, False]
    assert (asked.kept(answers, np.array([0, 0, 0])) > 0).tolist() == [False, False, True]
    lower = Predictions(answers.values, answers.classes, 0.2)
    assert (asked.kept(lower, np.array([1, 1, 1])) > 0).all()


def test_odd_tables():
    def half(frame):
        return two(np.full(frame.height, 0.4))

    still = pl.DataFrame(
        {"a": [1.0] * 30, "b": [None] * 30}, schema={"a": pl.Float64, "b": pl.String}
    )
    assert examine(case_of(still, half)) is None
    table = even(30).with_columns(pl.lit(None, pl.Float64).alias("gone"))
    found = examine(case_of(table, half))
    assert found.numbers["flip_rate"].value == 0
    assert "What would have to be different" not in found.by_title
    numbers = make_case(np.zeros(30), np.zeros(30), table, classes=())
    assert examine(numbers) is None


def test_moves_keep_the_type_of_the_column():
    table = pl.DataFrame({"yes": [True, False] * 20, "k": range(40)})
    columns = [Column.of(table[name]) for name in table.columns]
    moves = [Move(columns[0], value=True), Move(columns[1], value=columns[1].at(0.5))]
    for move in moves:
        assert move.apply(table[move.column.name]).dtype == table[move.column.name].dtype


def test_of_many_columns_those_that_matter_are_changed():
    def predict(frame):
        return two(expit(20 * (frame["x90"].to_numpy() - 0.5)))

    wide = even(200, tuple(f"x{i}" for i in range(100)))
    found = examine(case_of(wide, predict))
    assert found.numbers["flip_rate"].value > 0.05
    assert [line["Column"] for line in found.by_title["Columns that flip most"]] == ["x90"]
