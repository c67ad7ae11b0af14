from __future__ import annotations

import msgspec
import numpy as np
import pytest
from operate_cases import make_case, scores

from assay.evaluate.answers.calibration import binned, examine, murphy
from assay.metrics import get
from assay.records.fitted import Operating


def test_the_parts_of_murphy_add_up_to_the_brier_score_of_binned_probabilities():
    truth, values = scores(3_000, slope=2.0)
    bins = binned(values[:, 1], truth == 1)
    yes = bins.observed * bins.count
    reliability, resolution, uncertainty = murphy(bins.predicted, bins.count - yes, yes)
    flat = bins.predicted[bins.place]
    brier = np.mean((flat - truth) ** 2)
    assert reliability - resolution + uncertainty == pytest.approx(brier)
    assert uncertainty == pytest.approx(truth.mean() * (1 - truth.mean()))


def test_right_probabilities_are_of_no_concern():
    found = examine(make_case(*scores(5_000)))
    assert found.concern == "none"
    ece = found.numbers["ece"]
    assert ece.low < 0.005 < ece.high < 0.04
    assert found.numbers["ece_before"].value == ece.value
    assert [curve.title for curve in found.curves] == ["Calibration as served"]


def test_wrong_probabilities_are_serious_and_the_reading_says_by_how_much():
    truth, values = scores(5_000, shift=1.2)
    found = examine(make_case(truth, values))
    assert found.concern == "serious"
    expected = get("ece").compute(truth, make_case(truth, values).champion, 1)
    assert found.numbers["ece"].value == pytest.approx(expected)
    assert f"{100 * expected:.1f} points" in found.reading
    assert "too high" in found.reading
    assert "answers.calibrate" in found.advice


def test_a_repair_is_shown_before_and_after():
    truth, values = scores(6_000, slope=3.0)
    found = examine(
        make_case(truth, values, operating=Operating(calibration="temperature", params=(3.0,)))
    )
    assert found.numbers["ece"].value < found.numbers["ece_before"].value / 2
    assert found.numbers["reliability"].value < 0.002
    assert len(found.curves) == 2
    assert "repaired (temperature)" in found.reading
    msgspec.json.encode(found)


def test_many_classes_are_judged_by_the_class_that_is_answered():
    rng = np.random.default_rng(0)
    values = rng.dirichlet([1, 1, 1], 4_000)
    truth = np.array([rng.choice(3, p=row) for row in values])
    names = ("a", "b", "c")
    assert examine(make_case(truth, values, classes=names)).concern == "none"
    sure = values**4 / (values**4).sum(axis=1, keepdims=True)
    assert examine(make_case(truth, sure, classes=names)).concern == "serious"


@pytest.mark.parametrize(
    ("truth", "values", "classes"),
    [
        (np.zeros(30, dtype=np.int64), np.full((30, 2), 0.5), ("no", "yes")),
        (np.arange(30) % 2, np.eye(2)[np.arange(30) % 2], ("no", "yes")),
        (np.arange(60) % 50, np.full((60, 50), 0.02), tuple(f"c{i:02}" for i in range(50))),
    ],
    ids=["one class", "certain", "fifty classes"],
)
def test_odd_rows_give_an_answer(truth, values, classes):
    found = examine(make_case(truth, values, classes=classes))
    assert found is not None
    assert b"NaN" not in msgspec.json.encode(found)


def test_numbers_and_a_handful_of_rows_have_none():
    assert examine(make_case(np.arange(50.0), np.arange(50.0), classes=())) is None
    assert examine(make_case(np.array([0, 1]), np.full((2, 2), 0.5))) is None


def test_rows_that_hang_together_widen_the_interval():
    truth, values = scores(600)
    alone = examine(make_case(truth, values)).numbers["resolution"]
    copies = np.repeat(np.arange(600), 5)
    together = examine(make_case(truth[copies], values[copies], groups=copies))
    wide = together.numbers["resolution"]
    assert wide.high - wide.low == pytest.approx(alone.high - alone.low, rel=0.25)
