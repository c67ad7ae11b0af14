from __future__ import annotations

import tomllib
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.metrics import default_also
from assay.records.snapshot import Column, DataSnapshot, Problem
from assay.records.spec import GateSpec, ProjectSpec, SplitSection
from assay.spec.load import load
from assay.spec.propose import WIDTH, Proposal, propose, valid_name
from assay.spec.toml import comment, quote, render


def table(target: str, kind: str = "category", rows: int = 1000) -> DataSnapshot:
    top = (("No", 735), ("Yes", 265)) if kind == "category" else ()
    goal = Column(name=target, type=kind, rows=rows, unique=2, top=top)
    plan = Column(name="plan", type="number", rows=rows, unique=3)
    return DataSnapshot(source="d", content="c", table="t", rows=rows, columns=(goal, plan))


def binary(target: str, positive: str = "Yes") -> Problem:
    return Problem(
        family="tabular",
        task="binary",
        target=target,
        classes=("No", "Yes"),
        positive=positive,
        primary="roc_auc",
        also=default_also("binary", "roc_auc"),
        reason="it scores the ranking",
    )


GATES = (
    GateSpec(metric="roc_auc", beats="baseline"),
    GateSpec(metric="recall", at_least=0.8),
    GateSpec(metric="latency_p99", at_most=10.0),
    GateSpec(metric="package_bytes", at_most=5e6),
)


def read_back(proposal: Proposal) -> ProjectSpec:
    """Load a proposal, and check that every key says what the proposal says it says."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "assay.toml"
        path.write_text(proposal.text, encoding="utf-8", newline="")
        spec = load(path, proposals=proposal.values)
    written = {choice.path: choice for choice in spec.choices if choice.agency != "default"}
    assert {path: choice.value for path, choice in written.items()} == proposal.values
    assert {choice.agency for choice in written.values()} == {"accepted"}
    return spec


def test_a_file_that_a_person_would_be_glad_to_have() -> None:
    proposal = propose(
        "telco-churn",
        "telco_churn.csv",
        table("Churn"),
        binary("Churn"),
        GATES,
        split=SplitSection(seed=7),
        drop=[("customerID", "id: 1,000 different values"), ("x" * 60, "constant: always 1")],
        notes=[("signup", "a date")],
        suggest={"split.time_on": "signup", "split.group_on": "house", "slices.0.column": "sex"},
        reasons={"gates.1": "a missed customer costs most"},
        missing_target_rows=3,
    )
    lines = proposal.text.split("\n")
    for wanted in (
        'source = "telco_churn.csv"       # 1,000 rows, 2 columns',
        'target = "Churn"                 # No: 735, Yes: 265',
        '  "customerID",                  # id: 1,000 different values',
        '# time_on = "signup"  # if later rows are to be answered from earlier ones',
        '# group_on = "house"  # if the model will meet new ones of these',
        'primary = "roc_auc"  # it scores the ranking',
        "[[gates]]  # proposal: a missed customer costs most",
        'at_most = "10ms"',
        'at_most = "5MB"',
        'missing_target = "drop"          # 3 rows have no target',
        "  # constant: always 1",
        '# column = "sex"',
    ):
        assert wanted in lines, proposal.text
    assert max(map(len, lines)) <= WIDTH
    assert len(lines) < 70
    spec = read_back(proposal)
    assert spec.gates == GATES
    assert spec.data.missing_target == "drop"
    assert spec.split == SplitSection(seed=7)


def test_what_is_suggested_works_when_uncommented() -> None:
    proposal = propose(
        "p", "d.csv", table("y"), binary("y"), (), split=SplitSection(),
        suggest={"split.time_on": "a # b", "slices.0.column": 'say "x"'},
    )  # fmt: skip
    lines = proposal.text.split("\n")
    starts = ("# time_on", "# [[", "# column", "# types", "# missing")
    text = "\n".join(line[2:] if line.startswith(starts) else line for line in lines)
    tree = tomllib.loads(text)
    assert tree["split"]["time_on"] == "a # b"
    assert tree["slices"] == [{"column": 'say "x"'}]
    assert tree["data"]["types"] == {"plan": "category"}
    assert tree["data"]["missing"] == ["-999"]


@pytest.mark.parametrize("task", ["multiclass", "regression"])
def test_other_tasks(task: str) -> None:
    primary = {"multiclass": "accuracy", "regression": "rmse"}[task]
    problem = Problem(family="tabular@1", task=task, target="y", classes=(), primary=primary)
    spec = read_back(
        propose("p", "d.csv", table("y", "number"), problem,
                [GateSpec(metric=primary, beats="baseline")], split=SplitSection())
    )  # fmt: skip
    assert spec.project.task == task
    assert spec.data.positive is None
    assert spec.project.question
    assert spec.project.family == "tabular"


@pytest.mark.parametrize(
    "split",
    [
        SplitSection(predefined_on="split", test_values=("test", "TEST")),
        SplitSection(predefined_on="split"),
        SplitSection(time_on="when", test=0.3),
        SplitSection(group_time_on=("who", "when"), folds=3),
        SplitSection(stratify_on="y", seed=12),
    ],
)
def test_every_split_comes_back(split: SplitSection) -> None:
    proposal = propose("p", "d.csv", table("y"), binary("y"), (), split=split)
    assert read_back(proposal).split == split


@pytest.mark.parametrize(
    ("metric", "value", "shown"),
    [
        ("latency_p99", 10.0, '"10ms"'),
        ("latency_p99", 1500.0, '"1.5s"'),
        ("latency_p99", 0.25, '"250us"'),
        ("latency_p99", 1e-5, "1e-05"),
        ("latency_p99", 10.123456789, "10.123456789"),
        ("package_bytes", 2.5e9, '"2.5GB"'),
        ("package_bytes", 1234567.0, "1234567"),
        ("rmse", 50000.0, "50000"),
        ("r2", -0.5, "-0.5"),
    ],
)
def test_thresholds_are_short_and_exact(metric: str, value: float, shown: str) -> None:
    task = "binary" if metric.startswith(("latency", "package")) else "regression"
    problem = Problem(family="tabular", task=task, target="y", primary="rmse")
    if task == "binary":
        problem = binary("y")
    gate = GateSpec(metric=metric, at_most=value)
    proposal = propose("p", "d.csv", table("y"), problem, [gate], split=SplitSection())
    assert f"at_most = {shown}\n" in proposal.text
    assert read_back(proposal).gates == (gate,)


NAMES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1)
HOSTILE = st.one_of(
    NAMES,
    st.sampled_from(
        ['"', "a\nb = 1", '"""', "'''", "# no", "]", "\\", "\u202eevil", "\x7f", "<b>"]
    ),
)


@settings(max_examples=60, deadline=None)
@given(
    name=st.text(st.characters(exclude_categories=["Cs"])),
    columns=st.lists(HOSTILE, min_size=4, max_size=6, unique=True),
    positive=HOSTILE,
    notes=st.lists(st.tuples(HOSTILE, st.text()), max_size=10),
    reason=st.text(),
    data=st.data(),
)
def test_any_name_comes_back_as_it_was(
    name: str,
    columns: list[str],
    positive: str,
    notes: list[tuple[str, str]],
    reason: str,
    data: st.DataObject,
) -> None:
    target, time, *drop = columns
    thresholds = st.floats(0, 1e9)
    gates = [GateSpec(metric="latency_p99", at_most=data.draw(thresholds)), GATES[0]]
    proposal = propose(
        name,
        data.draw(NAMES.filter(lambda text: bool(text.strip()) and "://" not in text)),
        table(target),
        binary(target, positive),
        gates,
        split=SplitSection(time_on=time),
        drop=[(column, reason) for column in drop],
        notes=notes,
        suggest={"slices.0.column": time, "split.group_on": target},
        reasons={"data.target": reason, "split": reason, "gates.0": reason},
        missing_target_rows=1,
    )
    spec = read_back(proposal)
    assert spec.data.target == target
    assert spec.data.positive == positive
    assert spec.data.drop == tuple(drop)
    assert spec.split.time_on == time
    assert spec.gates[0] == gates[0]


PLAIN: st.SearchStrategy[Any] = st.recursive(
    st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner)
    ),
    max_leaves=8,
)


@given(PLAIN)
def test_any_value_comes_back_from_toml(value: Any) -> None:
    assert tomllib.loads(f"value = {render(value)}") == {"value": value}


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_nothing_hides_in_text_or_comments(text: str) -> None:
    assert quote(text).isprintable()
    assert tomllib.loads(f"a = 1 # {comment(text)}\nb = 2") == {"a": 1, "b": 2}


@pytest.mark.parametrize(
    ("given_name", "name"),
    [
        ("telco", "telco"),
        ("../up/x", "up-x"),
        ("", "project"),
        ("@@", "project"),
        (" a\nb ", "a-b"),
    ],
)
def test_names(given_name: str, name: str) -> None:
    assert valid_name(given_name) == name


def test_the_same_records_give_the_same_text(snapshot_of: Callable[..., DataSnapshot]) -> None:
    first, second = (
        propose("p", "d", table("y"), binary("y"), GATES, split=SplitSection()) for _ in range(2)
    )
    assert first == second


def test_a_column_that_goes_is_neither_noted_nor_suggested() -> None:
    text = propose(
        "p", "d.csv", table("Churn"), binary("Churn"), GATES,
        split=SplitSection(),
        drop=[("plan", "an id"), ("when", "always the same")],
        notes=[("plan", "a code"), ("when", "a date"), ("kept", "a date")],
        suggest={"split.time_on": "when", "split.group_on": "plan", "slices.0.column": "plan"},
    ).text  # fmt: skip
    assert '"kept" stays' in text
    for line in ('"plan" stays', '"when" stays', "time_on", "group_on", "slices", "types ="):
        assert line not in text
