from __future__ import annotations

from collections.abc import Callable

import pytest

from assay.errors import AssayError
from assay.records.spec import ProjectSpec

HEAD = "[project]\nname = 'p'\n"
DATA = HEAD + "[data]\nsource = 'd.csv'\ntarget = 'y'\n"


@pytest.mark.parametrize(
    ("text", "code", "where"),
    [
        (HEAD + "[data]\ntarget = 'y'", "SPEC-MISSING-KEY", "assay.toml:3 data.source"),
        (HEAD + "[data]\ntarget = 'y'\nsql = 's'", "SPEC-MISSING-KEY", "assay.toml:3 data.source"),
        (HEAD + "[data]\ntarget = 'y'\nconnection = '$A'", "SPEC-CONFLICT",
         "assay.toml:5 data.connection"),
        (DATA + "connection = '$A'", "SPEC-CONFLICT", "assay.toml:6 data.connection"),
        (DATA + "connection = '$A'\nsql = 's'", "SPEC-CONFLICT", "assay.toml:6 data.connection"),
        (DATA + "drop = ['x', 'y']", "SPEC-CONFLICT", "assay.toml:5 data.target"),
        (DATA + "drop = ['g']\n[split]\ngroup_time_on = ['g', 't']", "SPEC-CONFLICT",
         "assay.toml:8 split.group_time_on"),
        (DATA + "drop = ['s']\n[[slices]]\ncolumn = 's'", "SPEC-CONFLICT",
         "assay.toml:8 slices.0.column"),
        (DATA + "[split]\ngroup_on = 'a'\ntime_on = 'b'", "SPEC-CONFLICT",
         "assay.toml:8 split.time_on"),
        (DATA + "[split]\ntest_values = ['a']", "SPEC-CONFLICT", "assay.toml:7 split.test_values"),
        (DATA + "[split]\npredefined_on = 's'\ntest_values = []", "SPEC-BAD-VALUE",
         "assay.toml:8 split.test_values"),
        (HEAD + "family = 'forest'\n[data]\nsource = 'd'\ntarget = 'y'", "FAMILY-UNKNOWN",
         "assay.toml:3 project.family"),
        (HEAD + "task = 'regression'\n[data]\nsource = 'd'\ntarget = 'y'\npositive = 'a'",
         "SPEC-CONFLICT", "assay.toml:7 data.positive"),
        (HEAD + "task = 'regression'\n[data]\nsource = 'd'\ntarget = 'y'\n[metric]\n"
         "primary = 'roc_auc'", "METRIC-TASK", "assay.toml:8 metric.primary"),
        (DATA + "[metric]\nalso = ['accuracy', 'acuracy']", "METRIC-UNKNOWN",
         "assay.toml:7 metric.also"),
        (DATA + "[[gates]]\nmetric = 'aucc'\nat_least = 1", "METRIC-UNKNOWN",
         "assay.toml:7 gates.0.metric"),
        (DATA + "[[gates]]\nmetric = 'accuracy'", "SPEC-CONFLICT", "assay.toml:6 gates.0"),
        (DATA + "[[gates]]\nmetric = 'accuracy'\nat_least = 0.1\nbeats = 'baseline'",
         "SPEC-CONFLICT", "assay.toml:6 gates.0"),
        (DATA + "[[gates]]\nmetric = 'accuracy'\nat_least = '10ms'", "SPEC-BAD-VALUE",
         "assay.toml:8 gates.0.at_least"),
        (DATA + "[[gates]]\nmetric = 'accuracy'\nat_least = 1.01", "SPEC-BAD-VALUE",
         "assay.toml:8 gates.0.at_least"),
        (DATA + "[[gates]]\nmetric = 'latency_p99'\nat_most = '5MB'", "SPEC-BAD-VALUE",
         "assay.toml:8 gates.0.at_most"),
        (DATA + "[[gates]]\nmetric = 'latency_p99'\nat_most = -1", "SPEC-BAD-VALUE",
         "assay.toml:8 gates.0.at_most"),
        (DATA + "[answers]\ncapacity = 0.1\nrecall = 0.9", "SPEC-CONFLICT",
         "assay.toml:8 answers.recall"),
        (DATA + "[answers]\ncosts = { false_positive = 1 }", "SPEC-BAD-VALUE",
         "assay.toml:7 answers.costs"),
        (DATA + "[answers]\ncosts = { false_positive = 1, miss = 2 }", "SPEC-BAD-VALUE",
         "assay.toml:7 answers.costs"),
        (DATA + "[answers]\ncosts = { false_positive = 0, false_negative = 0 }", "SPEC-BAD-VALUE",
         "assay.toml:7 answers.costs"),
        (DATA + "[fairness]\nmitigate = 'reweigh'", "SPEC-CONFLICT",
         "assay.toml:7 fairness.mitigate"),
        (DATA + "[fairness]\nmitigate = 'thresholds'\ncolumns = ['a', 'b']", "SPEC-CONFLICT",
         "assay.toml:8 fairness.columns"),
        (DATA + "[fairness]\ncolumns = ['a', 'y']", "SPEC-CONFLICT",
         "assay.toml:7 fairness.columns"),
        (DATA + "drop = ['a']\n[features]\nmonotone = { a = 'increasing' }", "SPEC-CONFLICT",
         "assay.toml:8 features.monotone"),
        (DATA + "drop = ['a']\n[features]\ninteractions = [['b'], ['c', 'a']]", "SPEC-CONFLICT",
         "assay.toml:8 features.interactions"),
        (DATA + "drop = ['a']\n[fairness]\ncolumns = ['a']", "SPEC-CONFLICT",
         "assay.toml:8 fairness.columns"),
    ],
)  # fmt: skip
def test_contradictions(
    text: str, code: str, where: str, errors: Callable[..., list[AssayError]]
) -> None:
    (error,) = errors(text)
    assert (error.code, error.where) == (code, where)
    assert error.hint


@pytest.mark.parametrize(
    "text",
    [
        HEAD + "[data]\ntarget = 'y'\nsql = 's'\nconnection = '$A'",
        DATA + "sql = 'select * from d'",
        DATA + "[split]\nstratify_on = 'y'",
        DATA + "[split]\ngroup_time_on = ['g', 't']",
        DATA + "[[gates]]\nmetric = 'r2'\nat_least = -0.5",
        DATA + "[audit]\naccept = [{ code = 'ID-LIKE', reason = 'known', where = 'x' }]",
        DATA + "[[audit.accept]]\ncode = 'ID-LIKE'\nreason = 'known'",
        DATA + "[answers]\ncosts = { false_positive = 1, false_negative = 5 }\ncoverage = 0.8",
        DATA + "[fairness]\ncolumns = ['a', 'b']\nmitigate = 'reweigh'",
        "gates = []\n" + DATA,
    ],
)
def test_what_may_stand_together(text: str, read: Callable[..., ProjectSpec]) -> None:
    assert read(text).project.name == "p"


def test_the_wrong_value_of_a_key_counts_as_written(
    errors: Callable[..., list[AssayError]],
) -> None:
    found = errors(HEAD + "[data]\ntarget = 'y'\nsource = 3\n[[gates]]\nmetric = 'r2'\nbeats = 1")
    assert [error.where for error in found] == [
        "assay.toml:5 data.source",
        "assay.toml:8 gates.0.beats",
    ]
