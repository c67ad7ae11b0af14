"""Task, classes, positive class, features and metrics are inferred, and mistakes are told."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import numpy as np
import polars as pl
import pytest
from tabular_cases import snapshot_of

from assay.errors import AssayError, DataError, Mistakes, SpecError
from assay.records.snapshot import Column, DataSnapshot, Problem
from assay.records.spec import (
    DataSection,
    GateSpec,
    MetricSection,
    ProjectSection,
    ProjectSpec,
    SplitSection,
)
from assay.tasks.tabular.family import FAMILY


def ask(
    values: Any, *, task: str | None = None, positive: str | None = None, **sections: Any
) -> Problem:
    target = pl.Series("y", values)
    target = target.cast(pl.Float64) if target.dtype.is_numeric() else target
    table = pl.DataFrame({"x": np.arange(len(target), dtype=float), "y": target})
    spec = ProjectSpec(
        project=ProjectSection(name="p", task=task),
        data=DataSection(target="y", positive=positive),
        **sections,
    )
    kind = {pl.Datetime: ()}.get(type(target.dtype), ())
    return FAMILY.problem(spec, snapshot_of(table, kind), table["y"])


@pytest.mark.parametrize(
    ("values", "task"),
    [
        ([0, 1] * 10, "binary"),
        ([0.5, 1.5] * 10, "binary"),
        (["a", "b"] * 10, "binary"),
        ([True, False] * 10, "binary"),
        (["a", "b", "c"] * 10, "multiclass"),
        (list(range(10)) * 5, "multiclass"),  # digits
        ([1] * 50 + [2] * 9 + [3], "multiclass"),  # fewer than five values
        ([3] * 2 + [4] * 20 + [5] * 90 + [6] * 99 + [7] * 40 + [8] * 9, "regression"),  # wine
        (list(range(30)), "regression"),
        ([0.5, 1.5, 2.5] * 10, "regression"),
    ],
)
def test_infers_the_task(values: list[Any], task: str) -> None:
    problem = ask(values)
    assert problem.task == task
    assert problem.reason.startswith("y ")
    assert (problem.positive is not None) == (task == "binary")
    assert bool(problem.classes) == (task != "regression")


def test_a_metric_decides_between_classes_and_numbers() -> None:
    wine = [3] * 2 + [4] * 20 + [5] * 90 + [6] * 99 + [7] * 40
    assert ask(wine, metric=MetricSection(primary="f1_macro")).task == "multiclass"
    assert ask(list(range(10)) * 5, metric=MetricSection(primary="mae")).task == "regression"


@pytest.mark.parametrize(
    "values", [[0, 1] * 10, ["a", "b", "c"] * 10, list(range(10)) * 5, [0.5, 1.5, 2.5] * 10]
)
def test_what_is_written_as_it_would_be_inferred_keeps_its_reason(values: list[Any]) -> None:
    inferred = ask(values)
    metric = MetricSection(primary=inferred.primary)
    assert ask(values, task=inferred.task, metric=metric).reason == inferred.reason
    assert "says so" not in inferred.reason


def test_what_is_written_otherwise_is_its_own_reason() -> None:
    task, _, metric = ask(list(range(10)) * 5, task="regression").reason.partition("; metric ")
    assert task == "the project file says so"
    assert "says so" not in metric
    reason = ask([0, 1] * 10, metric=MetricSection(primary="mcc")).reason
    assert reason == "y has two values; metric mcc: the project file says so"


@pytest.mark.parametrize(
    ("values", "positive"),
    [
        (["no"] * 5 + ["Yes"] * 9, "Yes"),
        ([0] * 3 + [1] * 9, "1"),
        (["ham"] * 9 + ["spam"] * 4, "spam"),
        (["malignant"] * 5 + ["benign"] * 9, "malignant"),
    ],
)
def test_finds_the_positive_class(values: list[Any], positive: str) -> None:
    assert ask(values).positive == positive


def test_the_file_names_the_positive_class() -> None:
    assert ask(["no", "yes"] * 9, positive="no").positive == "no"


def test_features_leave_out_target_ids_drops_and_split_columns() -> None:
    names = ("y", "id", "x", "when", "who", "part", "gone")
    kinds = ("category", "id", "number", "datetime", "category", "category", "number")
    columns = tuple(Column(name=n, type=k, rows=20) for n, k in zip(names, kinds, strict=True))
    snapshot = DataSnapshot(source="", content="", table="", rows=20, columns=columns)
    target = pl.Series("y", ["a", "b"] * 10)
    for split in (
        SplitSection(group_time_on=("who", "when"), predefined_on="part"),
        SplitSection(group_on="who", time_on="when", predefined_on="part"),
    ):
        spec = ProjectSpec(
            project=ProjectSection(name="p"),
            data=DataSection(target="y", drop=("gone",)),
            split=split,
        )
        assert FAMILY.problem(spec, snapshot, target).features == ("x",)


@pytest.mark.parametrize(
    ("kind", "code", "arguments"),
    [
        (DataError, "DATA-ONE-CLASS", {"values": ["a"] * 20}),
        (DataError, "DATA-TOO-FEW-ROWS", {"values": ["a", "b"] * 4}),
        (DataError, "DATA-TOO-FEW-ROWS", {"values": [1.0, 2.0, None, float("nan")] * 4}),
        (DataError, "DATA-TARGET-TEXT", {"values": ["a", "b"] * 9, "task": "regression"}),
        (DataError, "DATA-TARGET-DATE", {"values": [datetime(2020, 1, d) for d in range(1, 20)]}),
        (DataError, "DATA-TOO-MANY-CLASSES", {"values": [f"c{i}" for i in range(101)] * 2}),
        (DataError, "DATA-TOO-MANY-CLASSES", {"values": list(range(200)), "task": "multiclass"}),
        (DataError, "DATA-NOT-BINARY", {"values": ["a", "b", "c"] * 9, "task": "binary"}),
        (SpecError, "SPEC-TASK", {"values": ["a", "b"] * 9, "task": "ranking"}),
        (SpecError, "SPEC-POSITIVE", {"values": ["a", "b"] * 9, "positive": "c"}),
        (SpecError, "SPEC-POSITIVE", {"values": list(range(30)), "positive": "7"}),
        (
            SpecError,
            "METRIC-TASK",
            {"values": ["a", "b"] * 9, "metric": MetricSection(primary="rmse")},
        ),
    ],
)
def test_refuses(kind: type[AssayError], code: str, arguments: dict[str, Any]) -> None:
    with pytest.raises(kind) as caught:
        ask(**arguments)
    assert caught.value.code == code
    assert caught.value.where
    assert caught.value.exit_code == 2


def test_says_what_positive_could_be() -> None:
    with pytest.raises(SpecError) as caught:
        ask(["a", "b"] * 9, positive="c")
    assert caught.value.allowed == ("a", "b")


def test_no_feature_left() -> None:
    column = Column(name="y", type="category", rows=20)
    snapshot = DataSnapshot(source="", content="", table="", rows=20, columns=(column,))
    spec = ProjectSpec(project=ProjectSection(name="p"), data=DataSection(target="y"))
    with pytest.raises(DataError) as caught:
        FAMILY.problem(spec, snapshot, pl.Series("y", ["a", "b"] * 10))
    assert caught.value.code == "DATA-NO-FEATURES"


def test_every_metric_mistake_is_told_at_once() -> None:
    gates = (GateSpec(metric="r2", at_least=0.1), GateSpec(metric="latency_p99", at_most=10.0))
    metric = MetricSection(primary="rmse", also=("accuracy", "no_such"))
    with pytest.raises(Mistakes) as caught:
        ask(["a", "b"] * 9, metric=metric, gates=gates)
    told = [(e.code, e.where) for e in caught.value.errors]
    assert told == [
        ("METRIC-TASK", "metric.primary"),
        ("METRIC-UNKNOWN", "metric.also.1"),
        ("METRIC-TASK", "gates.0.metric"),
    ]


def test_stratifies_classes_unless_told_otherwise() -> None:
    classes, number = ask(["a", "b"] * 9), ask(list(range(30)))
    assert FAMILY.split_policy(SplitSection(), classes).stratify_on == "y"
    assert FAMILY.split_policy(SplitSection(), number).stratify_on is None
    grouped = SplitSection(group_on="x")
    assert FAMILY.split_policy(grouped, classes) == grouped


def test_notes_more_columns_than_rows() -> None:
    columns = tuple(Column(name=f"x{i}", type="number", rows=20) for i in range(30))
    snapshot = DataSnapshot(source="", content="", table="", rows=20, columns=columns)
    spec = ProjectSpec(project=ProjectSection(name="p"), data=DataSection(target="y"))
    problem = FAMILY.problem(spec, snapshot, pl.Series("y", ["a", "b"] * 10))
    found = FAMILY.profile(problem, snapshot)
    assert [(f.code, f.evidence) for f in found] == [
        ("MORE-COLUMNS-THAN-ROWS", {"columns": 30, "rows": 20})
    ]
