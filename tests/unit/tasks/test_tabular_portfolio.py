"""What is tried: sized by the table, and only what can keep to the project file."""

from __future__ import annotations

import dataclasses

import msgspec
import numpy as np
import pytest
from tabular_cases import mixed_table, snapshot_of, spec_of, state

from assay.errors import Mistakes, SpecError
from assay.kernel.family import Rows
from assay.records.fitted import Candidate, Space
from assay.records.spec import FeaturesSection
from assay.tasks.tabular.family import FAMILY
from assay.tasks.tabular.portfolio.choose import baselines, candidates, spaces, student
from assay.tasks.tabular.portfolio.facts import Facts, facts_of
from assay.tasks.tabular.portfolio.trees import FOREST_BYTES, LEAVES, tree_spaces, trees

TABLES = [
    Facts(classes=2, rows=50, plain=1),
    Facts(classes=2, rows=5_000, plain=5, levels=(2, 4, 90)),
    Facts(classes=0, rows=2_000, plain=40, levels=(3,), skewed=True),
    Facts(classes=0, rows=30_000, plain=8, primary="mae"),
    Facts(classes=3, rows=20_000, plain=4, text=("t",)),
    Facts(classes=40, rows=9_000, plain=60),
    Facts(classes=2, rows=1_000_000, plain=30),
]


@pytest.mark.parametrize("facts", TABLES)
def test_names_are_unique_and_the_same_each_time(facts: Facts) -> None:
    found = candidates(facts)
    assert len({c.name for c in found}) == len(found) >= 6
    assert found == candidates(facts)
    assert len({c.kind for c in found[:6]}) >= 2
    for candidate in found:
        assert candidate.params["text"] == list(facts.text)
        assert candidate.stops_early or "rounds" not in candidate.params


def test_sizes_follow_the_table() -> None:
    def one(facts: Facts, name: str) -> Candidate:
        return next(c for c in candidates(facts) if c.name == name)

    few, many = (one(Facts(classes=2, rows=rows), "boosting").params for rows in (60, 10**6))
    assert few["num_leaves"] < many["num_leaves"]
    assert few["learning_rate"] < many["learning_rate"]
    assert few["rounds"] > many["rounds"]
    classes = one(Facts(classes=50, rows=9_000), "boosting").params
    assert classes["rounds"] < few["rounds"]
    named = one(Facts(classes=2, rows=900, levels=(30,)), "boosting").params
    assert named["categories"] == "native"
    assert few["categories"] == "codes"
    assert candidates(Facts(classes=50, rows=9_000))[0].kind != "boosting"
    assert candidates(Facts(classes=0, rows=500, text=("t",)))[0].kind == "linear"


def test_the_headline_chooses_the_loss_and_a_long_tail_the_scale() -> None:
    mae = Facts(classes=0, rows=900, primary="mae", skewed=True)
    found = {c.name: c.params for c in trees(mae)}
    assert found["boosting_l1"]["objective"] == "l1"
    assert found["boosting_log"]["target"] == "log"
    rmse = {c.name: c.params for c in trees(dataclasses.replace(mae, primary="rmse"))}
    assert rmse["boosting_log"]["target"] == "log_mean"
    assert "boosting_l1" not in rmse


def test_constraints_leave_only_what_can_keep_them() -> None:
    facts = Facts(classes=2, rows=900, monotone=True)
    everyone = (*baselines(facts), *candidates(facts))
    assert {c.kind for c in everyone} == {"constant", "boosting", "histogram"}
    assert {s.candidate.kind for s in spaces(facts)} == {"boosting", "histogram"}
    grouped = Facts(classes=2, rows=900, grouped=True)
    assert {c.kind for c in candidates(grouped)} <= {"boosting", "histogram", "linear", "spline"}


@pytest.mark.parametrize("target", ["sold", "grade", "price"])
def test_every_corner_of_a_space_can_be_fitted(target: str) -> None:
    problem, rows, columns = state(target, mixed_table(120))
    facts = facts_of(problem, columns, 120)
    for space in tree_spaces(facts):
        for corner in range(2):
            candidate = turned(space, corner)
            model = FAMILY.fit(candidate, problem, rows, None, 3, 0, 1)
            assert np.isfinite(model.predict(rows.frame).values).all()


def turned(space: Space, corner: int) -> Candidate:
    """Turn every knob to its lowest, or to its highest."""
    found = dict(space.candidate.params)
    for knob in space.knobs:
        value = (knob.low, knob.high)[corner]
        found[knob.name] = int(value) if knob.whole else value
        if knob.choices:
            found[knob.name] = knob.choices[-corner]
    return msgspec.structs.replace(space.candidate, params=found)


@pytest.mark.parametrize("target", ["sold", "grade", "price"])
def test_the_student_can_be_taught(target: str) -> None:
    problem, rows, columns = state(target, mixed_table(200))
    candidate = student(facts_of(problem, columns[:-3], 200))
    assert candidate is None  # the table has text
    candidate = student(Facts(classes=len(problem.classes), rows=200, plain=4))
    assert candidate is not None
    soft = rows.truth
    if problem.classes:
        soft = np.full((200, len(problem.classes)), 0.1)
        soft[np.arange(200), rows.truth] = 1.1 - 0.1 * len(problem.classes)
    taught = Rows(rows.frame, soft)
    model = FAMILY.fit(candidate, problem, taught, taught, None, 0, 1)
    assert model.rounds is not None
    found = model.predict(rows.frame)
    if problem.classes:
        assert (found.codes() == rows.truth).mean() > 0.7


def asked(target: str, monotone: dict[str, str], interactions: tuple = ()) -> object:
    table = mixed_table(120)
    spec = spec_of(target, table)
    section = FeaturesSection(monotone=monotone, interactions=interactions)  # type: ignore[arg-type]
    spec = msgspec.structs.replace(spec, features=section)
    return FAMILY.problem(spec, snapshot_of(table), table[target])


def test_constraints_of_the_file_reach_the_model() -> None:
    table = mixed_table(300)
    for target, sign in (("price", 1), ("sold", -1)):
        problem = asked(target, {"number": "increasing"})
        problem = msgspec.structs.replace(problem, positive="no" if target == "sold" else None)
        _, rows, columns = state(target, table)
        for candidate in FAMILY.candidates(problem, columns, 300)[:2]:
            model = FAMILY.fit(candidate, problem, rows, None, 20, 0, 1)
            line = rows.frame[:1].select(c for c in rows.frame.columns if c != "number")
            line = line.join(
                rows.frame.select("number").drop_nulls().sort("number"), how="cross"
            ).select(rows.frame.columns)
            values = model.predict(line).values
            values = values[:, 0] if values.ndim == 2 else values  # the positive class is "no"
            assert (np.diff(values) >= -1e-12).all(), (sign, candidate.name)


@pytest.mark.parametrize(
    ("target", "monotone", "interactions", "codes"),
    [
        ("price", {"nothing": "increasing"}, (), ["SPEC-FEATURE-UNKNOWN"]),
        ("price", {"city": "increasing"}, (), ["SPEC-MONOTONE-TYPE"]),
        ("grade", {"number": "increasing"}, (), ["SPEC-MONOTONE-CLASSES"]),
        ("price", {}, (("number", "sold"),), ["SPEC-FEATURE-UNKNOWN"]),
        ("price", {"a": "increasing", "since": "decreasing"}, (("b",),),
         ["SPEC-FEATURE-UNKNOWN", "SPEC-MONOTONE-TYPE", "SPEC-FEATURE-UNKNOWN"]),
    ],
)  # fmt: skip
def test_constraints_that_cannot_be_kept_are_told(
    target: str, monotone: dict[str, str], interactions: tuple, codes: list[str]
) -> None:
    with pytest.raises((SpecError, Mistakes)) as caught:
        asked(target, monotone, interactions)
    errors = caught.value.errors if isinstance(caught.value, Mistakes) else [caught.value]
    assert [error.code for error in errors] == codes
    assert all(error.where.startswith("features.") and error.hint for error in errors)


def test_groups_are_stated_once() -> None:
    problem = asked("price", {}, (("number", "city", "number"), (), ("income",)))
    assert problem.interactions == (("number", "city"), ("income",))  # type: ignore[attr-defined]


@pytest.mark.parametrize("classes", [0, 2, 19, 20, 100, 1_000, 100_000])
def test_a_forest_of_many_classes_stays_small(classes: int) -> None:
    for facts in (Facts(classes=classes, rows=50_000), Facts(classes=classes, rows=900, plain=3)):
        for candidate in (c for c in candidates(facts) if c.kind == "forest"):
            leaves, count = candidate.params["leaves"], candidate.params["trees"]
            assert 2 <= leaves <= LEAVES
            if classes < 20:
                assert (leaves, count) == (LEAVES, 100)
            elif classes <= 1_000:
                assert 8 * classes * leaves * count <= FOREST_BYTES
