"""Slices: labels of numbers, rare and missing values, notes instead of numbers."""

import datetime as dt

import numpy as np
import polars as pl
import pytest

from assay.evaluate import bins, estimates, slice_results
from assay.metrics import get


def test_numbers_are_cut_at_their_quartiles():
    labels = bins(pl.Series([*map(float, range(1, 101)), None, float("nan")]))
    assert labels[0] == "≤ 25"
    assert labels[30] == "25 to 50"
    assert labels[99] == "> 75"
    assert labels[-2:] == [None, None]
    assert [labels.count(name) for name in dict.fromkeys(labels[:100])] == [25] * 4


def test_one_value_that_fills_every_quantile_is_a_slice_of_its_own():
    labels = bins(pl.Series([*range(10), *[50] * 200]))
    assert set(labels) == {"≤ 9", "> 9"}
    assert labels.count("> 9") == 200


def test_few_numbers_and_words_stay_as_they_are():
    assert bins(pl.Series([0, 1, None])) == ["0", "1", None]
    assert bins(pl.Series([1.0, 2.5, float("nan")])) == ["1", "2.5", None]
    assert bins(pl.Series([True, False])) == ["True", "False"]
    assert bins(pl.Series(["a", "<b>"])) == ["a", "<b>"]
    assert bins(pl.Series([None, None], dtype=pl.Float64)) == [None, None]
    assert bins(pl.Series([str(i) for i in range(20)]))[3] == "3"


@pytest.mark.parametrize("kind", [pl.Date, pl.Datetime("us")])
def test_dates_are_cut_and_written_as_dates(kind):
    days = pl.Series([dt.date(2024, 1, 1) + dt.timedelta(days=i) for i in range(100)]).cast(kind)
    labels = bins(days)
    assert labels[0].startswith("≤ 2024-01-25")
    assert len(set(labels)) == 4


def test_each_value_is_measured_on_its_own_rows(binary):
    truth, answers = binary(600)
    column = ["a", "b", None] * 200
    found = slice_results({"c": column}, [get("accuracy")], truth, answers, positive_code=1)
    assert [(s.value, s.rows) for s in found] == [("(missing)", 200), ("a", 200), ("b", 200)]
    assert found[1].metrics["accuracy"].value == pytest.approx(
        float((answers.codes(1) == truth)[0::3].mean())
    )


def test_rare_values_are_taken_together_and_small_slices_are_not_measured(binary):
    truth, answers = binary(400)
    column = [f"v{i % 30:02d}" for i in range(380)] + ["solo"] * 20
    found = slice_results({"c": column}, [get("accuracy")], truth, answers, max_values=5)
    assert [s.value for s in found] == ["solo", "v00", "v01", "v02", "(other)"]
    assert sum(s.rows for s in found) == 400
    assert found[0].metrics
    assert found[1].metrics == {}
    assert "too few" in found[1].note
    named = slice_results(
        {"c": column},
        [get("accuracy")],
        truth,
        answers,
        max_values=5,
        asked=[("c", "v29"), ("d", "v28")],
    )
    assert [s.value for s in named] == ["solo", "v00", "v01", "v02", "v29", "(other)"]
    assert sum(s.rows for s in named) == 400


def test_a_metric_without_meaning_in_a_slice_is_named(binary):
    truth, answers = binary(200)
    column = ["one class" if code else "other" for code in truth]
    metrics = [get("roc_auc"), get("accuracy")]
    for found in slice_results({"c": column}, metrics, truth, answers, positive_code=1):
        assert set(found.metrics) == {"accuracy"}
        assert found.note == "no ROC-AUC: only one class occurs"


def test_a_slice_of_one_group_has_no_interval(binary):
    truth, answers = binary(100)
    groups = np.array(["g"] * 50 + ["h", "i"] * 25)
    column = ["x"] * 50 + ["y"] * 50
    found = slice_results({"c": column}, [get("accuracy")], truth, answers, groups=groups)
    assert found[0].metrics == {}
    assert "one group" in found[0].note
    assert found[1].metrics["accuracy"].method == "wilson, by group"


def test_a_slice_of_everything_is_the_headline(number):
    truth, answers = number(100)
    whole = slice_results({"c": ["all"] * 100}, [get("median_ae")], truth, answers)[0]
    assert whole.metrics == estimates([get("median_ae")], truth, answers)


def test_no_columns_give_no_slices(number):
    assert slice_results({}, [get("mae")], *number(30)) == ()
