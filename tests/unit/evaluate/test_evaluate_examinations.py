"""Which examinations a run that is late goes without."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import numpy as np
import pytest
from operate_cases import make_case, scores

from assay.evaluate.examinations import EXAMINATIONS, LATE, OPTIONAL, examine
from assay.records.spec import GateSpec


@pytest.fixture(scope="module")
def case():
    truth, values = scores(300)
    return make_case(truth, values)


def looked_at(case, left):
    names = []
    found = list(examine(case, names.append, lambda: left))
    return names, {one.name: one for one in found}


def test_a_run_in_time_looks_at_everything(case, monkeypatch):
    quick = [one for one in EXAMINATIONS if one[0] not in ("robustness", "smallest changes")]
    monkeypatch.setattr("assay.evaluate.examinations.EXAMINATIONS", quick)
    names, found = looked_at(case, 0.0)
    assert names == [name for name, _ in quick]
    assert "left_out" not in found


def test_a_late_run_says_what_it_left_out(case):
    names, found = looked_at(case, LATE - 1)
    assert not set(names) & set(OPTIONAL)
    assert all(name in found["left_out"].reading for name in OPTIONAL)
    assert "calibration" in names


def test_what_a_gate_asks_for_is_never_left_out(case, monkeypatch):
    asked = GateSpec(metric="flip_rate", at_most=0.5)
    gated = msgspec.structs.replace(case.seal, gates=(asked,))
    one = [pair for pair in EXAMINATIONS if pair[0] in OPTIONAL]
    monkeypatch.setattr("assay.evaluate.examinations.EXAMINATIONS", one)
    monkeypatch.setattr("assay.evaluate.examinations.load", lambda _: lambda _: None)
    names = looked_at(replace(case, seal=gated), -np.inf)[0]
    assert names == ["smallest changes"]
