"""The worst examples: order, places in the file, kinds, odd rows."""

import numpy as np
import polars as pl
import pytest
from operate_cases import make_case, scores

from assay.evaluate.errors import examine


def case_of(n=400, seed=0, **changes):
    truth, values = scores(n, seed)
    rng = np.random.default_rng(seed)
    table = pl.DataFrame(
        {
            "noise": rng.normal(size=n),
            "tells": np.where(values.max(axis=1) > 0.8, "sure", "unsure"),
            "long": ["x" * 500] * n,
            "empty": pl.Series([None] * n, dtype=pl.Float64),
        }
    )
    return make_case(truth, values, table, **changes)


def test_the_worst_examples_come_first_with_their_row_in_the_file():
    case = case_of()
    found = examine(case)
    lines = found.by_title["The worst examples"]
    truth, values = case.test.truth, case.champion.values
    given = values[np.arange(400), truth]
    assert lines[0]["Row"] == int(given.argmin()) + 1
    shown = [float(line["Of the true"].rstrip("%")) for line in lines]
    assert shown == sorted(shown)
    assert all(line["True answer"] != line["Given answer"] for line in lines)
    assert "tells" in lines[0]
    assert lines[0]["empty"] == "(missing)"
    assert len(lines[0]["long"]) == 40


def test_kinds_of_errors_add_up():
    case = case_of()
    found = examine(case)
    wrong = int((case.champion.codes(1) != case.test.truth).sum())
    kinds = found.by_title["Kinds of errors"]
    assert sum(line["Wrong"] for line in kinds) == wrong
    assert sum(line["Answers"] for line in kinds) == 400
    mistaken = found.by_title["Which answers are mistaken for which"]
    assert sum(line["Rows"] for line in mistaken) == wrong
    sure = case.champion.values.max(axis=1) >= 0.9
    number = found.numbers["confidently_wrong"]
    assert number.n == sure.sum()
    assert number.low <= number.value <= number.high
    assert f"{wrong} of 400" in found.reading


def test_a_number_shows_its_largest_residuals_with_their_side():
    rng = np.random.default_rng(1)
    truth = rng.normal(50, 10, 300)
    guess = truth + rng.normal(0, 1, 300)
    guess[17], guess[40] = truth[17] + 30, truth[40] - 20
    found = examine(make_case(truth, guess, classes=()))
    lines = found.by_title["The worst examples"]
    assert [(line["Row"], line["Side"]) for line in lines[:2]] == [
        (18, "too high"),
        (41, "too low"),
    ]
    assert "30.00 too high" in found.reading
    assert "as many as chance allows" in found.reading
    assert sum(line["Rows"] for line in found.by_title["Errors by true value"]) == 300


def test_a_leaning_model_is_called_so():
    truth = np.arange(200.0)
    noise = np.random.default_rng(2).normal(size=200)
    found = examine(make_case(truth, truth + 1 + noise, classes=()))
    assert found.concern == "look"
    assert "leans to one side" in found.reading
    assert found.numbers["predicted_too_high"].low > 0.6


@pytest.mark.parametrize("n", [1, 30])
def test_perfect_answers_have_no_examples(n):
    truth = np.zeros(n, dtype=np.int64)
    found = examine(make_case(truth, np.tile([1.0, 0.0], (n, 1))))
    assert "The worst examples" not in found.by_title
    assert found.reading.startswith(f"Not one of the {n}")
    exact = examine(make_case(np.ones(n), np.ones(n), classes=()))
    assert "exactly" in exact.reading
    assert exact.numbers == {}


def test_fifty_classes_and_no_confidence():
    rng = np.random.default_rng(3)
    names = tuple(f"k{i}" for i in range(50))
    found = examine(
        make_case(rng.integers(0, 50, 200), rng.dirichlet(np.ones(50) * 20, 200), classes=names)
    )
    assert "never was" in found.reading
    assert found.numbers == {}
    assert all(len(lines) <= 20 for lines in found.by_title.values())
