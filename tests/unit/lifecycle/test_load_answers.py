"""Whether an answer is right: what counts as wrong, and what as unknown."""

from __future__ import annotations

import json

import pytest

from assay.lifecycle.load_testing import gate
from assay.lifecycle.load_testing.questions import Checker, _Prediction
from assay.records.decision import Decision, GateResult

RIGHT = {
    "m@1": [
        [_Prediction(label="no", probabilities={"no": 0.7, "yes": 0.3})],
        [_Prediction(label="yes", probabilities={"no": 0.1, "yes": 0.9})],
    ],
    "n@1": [[_Prediction(value=2.5), _Prediction(value=-1.0)]],
}


def answer(model: str, *predictions: dict) -> bytes:
    said = {"model": model, "request": "r-1", "predictions": predictions, "warnings": []}
    return json.dumps(said).encode()


NO = {"label": "no", "probabilities": {"no": 0.7, "yes": 0.3}}
YES = {"label": "yes", "probabilities": {"no": 0.1, "yes": 0.9}}


def test_right_answers_count_by_version() -> None:
    checker = Checker(RIGHT)
    for number in range(6):
        checker(number, 200, answer("m@1", YES if number % 2 else NO))
    checker(0, 200, answer("n@1", {"value": 2.5}, {"value": -1.0 + 1e-12}))
    assert (checker.wrong, checker.versions) == (0, {"m@1": 6, "n@1": 1})


@pytest.mark.parametrize(
    "body",
    [
        answer("m@1", YES),  # the answer to another row
        answer("m@1", {**NO, "label": "yes"}),
        answer("m@1", {**NO, "probabilities": {"no": 0.7 + 1e-6, "yes": 0.3}}),
        answer("m@1", {**NO, "probabilities": {"no": 0.7}}),
        answer("m@1"),
        answer("m@1", NO, NO),
        answer("n@1", {"value": 2.5}),
        answer("n@1", {"value": 2.5}, {"value": -1.1}),
        answer("n@1", {"value": 2.5}, {"label": "no"}),
        b"{}",
        b"<html>",
    ],
)
def test_wrong_answers(body: bytes) -> None:
    checker = Checker(RIGHT)
    checker(0, 200, body)
    assert (checker.wrong, checker.versions) == (1, {})


def test_what_is_no_2xx_claims_nothing() -> None:
    checker = Checker(RIGHT)
    checker(0, 503, b"busy")
    assert (checker.wrong, checker.versions) == (0, {})


def test_versions_that_were_not_known_are_compared_in_the_end() -> None:
    told: list[tuple[str, str]] = []
    checker = Checker({}, told=lambda *said: told.append(said))
    checker(0, 200, answer("m@1", NO))
    checker(1, 200, answer("m@1", NO))
    checker(2, 200, answer("who@1", NO))
    assert (checker.wrong, len(checker.unknown)) == (0, 3)
    checker.settle(RIGHT.get)
    assert (checker.wrong, checker.versions) == (2, {"m@1": 1})
    assert told == [("m@1", "r-1")] * 2 + [("who@1", "r-1")]


def decision(*verdicts: str) -> Decision:
    numbers = {"value": 1.0, "low": 1.0, "high": 1.0, "threshold": 1.0}
    gates = tuple(
        GateResult(name="gate", metric="latency_p99", verdict=verdict, **numbers)
        for verdict in verdicts
    )
    return Decision(verdict="rejected", seal="s", gates=gates)


def test_a_late_generator_can_accept_and_not_reject() -> None:
    found = gate._doubted(decision("rejected", "accepted"))
    assert found.verdict == "inconclusive"
    assert [g.verdict for g in found.gates] == ["inconclusive", "accepted"]
    assert "generator" in found.gates[0].reason
    assert found.gates[1] == decision("rejected", "accepted").gates[1]
