"""The answers to the test rows, written and read back to the last bit."""

from __future__ import annotations

import numpy as np
import pytest

from assay.errors import Tampered
from assay.kernel.family import Predictions
from assay.lifecycle.answered import Answered, read_answers, write_answers

CHANCES = np.array([[0.25, 0.75], [1 / 3, 2 / 3], [1.0, 0.0]])


@pytest.mark.parametrize("threshold", [0.4, np.array([0.1, 0.7, 0.5])], ids=["one", "each"])
def test_classes_keep_their_thresholds(threshold):
    given = Answered(Predictions(CHANCES, ("a", "b"), threshold), np.array([0, 1, 1]))
    found = read_answers(write_answers(given), ("a", "b"))
    assert np.array_equal(found.answers.values, CHANCES)
    assert np.array_equal(found.answers.threshold, threshold)
    assert found.answers.codes(1).tolist() == given.answers.codes(1).tolist()
    assert found.truth.tolist() == [0, 1, 1]


def test_numbers_are_kept():
    given = Answered(Predictions(np.array([0.1, -7.0])), np.array([0.2, 1e300]))
    found = read_answers(write_answers(given), ())
    assert np.array_equal(found.answers.values, given.answers.values)
    assert np.array_equal(found.truth, given.truth)


@pytest.mark.parametrize("data", [b"", b"ARROW1 and no more"])
def test_other_bytes_are_refused(data):
    with pytest.raises(Tampered) as caught:
        read_answers(data, ("a", "b"))
    assert caught.value.code == "ANSWERS-UNREADABLE"
    numbers = write_answers(Answered(Predictions(np.array([0.1])), np.array([0.2])))
    with pytest.raises(Tampered, match="ANSWERS-UNREADABLE"):
        read_answers(numbers, ("a", "b"))
