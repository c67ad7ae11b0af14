from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.errors import AssayError, Mistakes, SpecError, UsageError, all_errors
from assay.records.base import from_json, to_json
from assay.records.spec import Choice, GateSpec, ProjectSpec
from assay.spec.load import LARGEST, load, template_digest

Read = Callable[..., ProjectSpec]
Errors = Callable[..., list[AssayError]]

DESIGN = """
[project]
name = "telco-churn"
question = "Which customers will leave within a month, so that the retention team can call them?"
decision = "Call the 10% with the highest score"

[data]
source = "telco_churn.csv"        # csv, parquet, json, a folder, a glob, or sql = "…"
target = "Churn"
positive = "Yes"
drop = ["customerID"]

[split]                            # stratify_on | group_on | time_on | group_time_on
test = 0.2
seed = 7

[metric]
primary = "roc_auc"
also = ["average_precision", "brier"]

[[slices]]
column = "SeniorCitizen"

[[gates]]
metric = "roc_auc"
at_least = 0.80
[[gates]]
metric = "roc_auc"
beats = "baseline"
[[gates]]
metric = "latency_p99"
at_most = "10ms"

[budget]
time = "60s"
"""


def agencies(spec: ProjectSpec) -> dict[str, str]:
    return {choice.path: choice.agency for choice in spec.choices}


def test_the_example_of_the_design(read: Read) -> None:
    spec = read(DESIGN)
    assert spec.project.name == "telco-churn"
    assert spec.data.drop == ("customerID",)
    assert (spec.split.test, spec.split.seed, spec.split.folds) == (0.2, 7, 5)
    assert spec.metric.also == ("average_precision", "brier")
    assert spec.slices[0].column == "SeniorCitizen"
    assert spec.gates == (
        GateSpec(metric="roc_auc", at_least=0.8),
        GateSpec(metric="roc_auc", beats="baseline"),
        GateSpec(metric="latency_p99", at_most=10.0),
    )
    assert spec.budget.time == 60.0
    assert from_json(to_json(spec), ProjectSpec) == spec


def test_the_file_itself_a_byte_order_mark_and_windows_line_ends(tmp_path: Path) -> None:
    path = tmp_path / "other.toml"
    path.write_bytes(b"\xef\xbb\xbf" + DESIGN.replace("\n", "\r\n").encode())
    assert load(path).project.name == "telco-churn"


def test_values_are_read_into_their_units(read: Read, minimal: str) -> None:
    spec = read(
        minimal + "positive = true\nmissing = [-999, 0.5, '?', '']\n"
        "[split]\npredefined_on = 's'\ntest_values = [1, 2.0]\n[budget]\ntime = '1h'\n"
        "[[gates]]\nmetric = 'package_bytes'\nat_most = '5MB'\n"
        "[[gates]]\nmetric = 'rmse'\nat_most = 50_000\n"
    )
    assert spec.data.positive == "true"
    assert spec.data.missing == ("-999", "0.5", "?", "")
    assert spec.split.test_values == ("1", "2")
    assert spec.budget.time == 3600.0
    assert [gate.at_most for gate in spec.gates] == [5e6, 50_000.0]


def test_all_mistakes_at_once_each_with_its_line(errors: Errors) -> None:
    found = errors(
        '[project]\nnam = "x"\n[data]\nsource = "a.csv"\ntarget = 3\n[split]\ntest = 1.5\n'
        '[metric]\nprimry = "roc_auc"\n[metrics]\na = 1\n[budget]\ntime = -5\n'
    )
    assert [(error.code, error.where) for error in found] == [
        ("SPEC-UNKNOWN-KEY", "assay.toml:2 project.nam"),
        ("SPEC-BAD-VALUE", "assay.toml:5 data.target"),
        ("SPEC-BAD-VALUE", "assay.toml:7 split.test"),
        ("SPEC-UNKNOWN-KEY", "assay.toml:9 metric.primry"),
        ("SPEC-UNKNOWN-KEY", "assay.toml:10 metrics"),
        ("SPEC-BAD-VALUE", "assay.toml:13 budget.time"),
    ]
    assert found[3].hint == "did you mean metric.primary?"
    assert found[3].got == "roc_auc"
    assert found[3].allowed == ("primary", "also")
    assert found[4].hint == "did you mean metric?"


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("[project]\ntarget = 'y'", "did you mean data.target?"),
        ("[data]\ndrop = 'id'", 'put it in a list: drop = ["id"]'),
        ("[split]\ntest = '0.2'", "write the number without quotes: test = 0.2"),
        ("[split]\nseed = '7'", "write the number without quotes: seed = 7"),
        ("[data]\nmissing_target = 'dropp'", "did you mean drop?"),
        ("[project]\ntask = 'Regresion'", "did you mean regression?"),
        ("[metric]\nprimary = 'roc-auc'", "roc_auc"),
        ("[[gates]]\nmetric = 'accuracy'\nat_least = 80", "write 0.8 for 80 %"),
        ("gates = 3", "write [[gates]] on a line of its own and its keys below"),
        ("[[split]]\ntest = 0.2", "write [split] on a line of its own and its keys below"),
        ("[project]\ncolour = 1", "remove it, or use one of the allowed keys"),
    ],
)
def test_hints_say_what_was_probably_meant(line: str, hint: str, errors: Errors) -> None:
    assert any(hint in error.hint for error in errors(line))


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("[budget]\ntime = -5", "change budget.time, or remove it, which leaves the default"),
        ("[project]\nname = '/'", "change project.name, or give it an allowed value"),
        ("[[gates]]\nmetric = 'accuracy'\nat_least = -4", "write a threshold on the scale of"),
    ],
)
def test_a_hint_is_something_to_do(line: str, hint: str, errors: Errors) -> None:
    assert any(hint in error.hint for error in errors(line))


def test_a_list_is_shown_in_plain_text(errors: Errors) -> None:
    found = errors("[split]\nstratify_on = 'a'\ntime_on = 'b'\n[data]\ntarget = ['x', 'y']")
    assert {"stratify_on, time_on", "x, y"} <= {error.got for error in found}


@pytest.mark.parametrize(
    ("text", "where", "got"),
    [
        ("a = 1\nb =\n", "assay.toml:2:4", "b ="),
        ("a = 'x", "assay.toml:1:7", "a = 'x"),
        ("[t]\n[t]\n", "assay.toml:2:3", "[t]"),
        ("name: churn", "assay.toml:1:5", "name: churn"),
        ("a = 1\na = 2", "assay.toml:2:6", "a = 2"),
        ("a = \x00", "assay.toml:1:5", "a = \x00"),
        ("a = " + "9" * 5000, "assay.toml", None),
        ("a = " + "[" * 5000, "assay.toml", None),
        ("connection = postgresql://ann:hunter2@db", "assay.toml:1:14", None),
    ],
)
def test_what_is_not_toml(text: str, where: str, got: str | None, errors: Errors) -> None:
    (error,) = errors(text)
    assert error.code == "SPEC-NOT-TOML"
    assert error.where == where
    assert got is None or error.got == got
    assert "hunter2" not in str(error)


def test_files_that_are_no_project_file(tmp_path: Path, errors: Errors) -> None:
    with pytest.raises(SpecError, match="there is no") as caught:
        load(tmp_path)
    assert caught.value.code == "SPEC-NOT-FOUND"
    assert "assay init" in caught.value.hint
    with pytest.raises(SpecError) as caught:
        load(tmp_path / "assay.toml" / "deeper")
    assert caught.value.code == "SPEC-NOT-FOUND"
    (tmp_path / "folder" / "assay.toml").mkdir(parents=True)
    with pytest.raises(SpecError) as caught:
        load(tmp_path / "folder")
    assert caught.value.code == "SPEC-UNREADABLE"
    with pytest.raises(SpecError) as caught:
        load(Path("nul\0byte"))
    assert caught.value.code == "SPEC-UNREADABLE"
    assert [e.code for e in errors(b"#" * (LARGEST + 1))] == ["SPEC-TOO-LARGE"]
    (error,) = errors("[project]\nname = 'café'".encode("latin-1"))
    assert (error.code, error.where, error.got) == ("SPEC-NOT-UTF8", "assay.toml:2", "byte 0xe9")
    assert {e.code for e in errors(b"")} == {"SPEC-MISSING-KEY"}


def test_overrides(read: Read) -> None:
    spec = read(
        DESIGN,
        "split.seed=11",
        "gates.0.at_least=0.9",
        "gates.3.metric=accuracy",
        "gates.3.beats = baseline",
        "budget.time=90s",
        "data.positive=1",
        'data.drop=["a", "b"]',
        'data.types."my = col"=category',
        "project.question=a = b",
        "slices=[]",
    )
    assert spec.split.seed == 11
    assert spec.gates[0].at_least == 0.9
    assert spec.gates[3] == GateSpec(metric="accuracy", beats="baseline")
    assert spec.budget.time == 90.0
    assert spec.data.positive == "1"
    assert spec.data.drop == ("a", "b")
    assert spec.data.types == {"my = col": "category"}
    assert spec.project.question == "a = b"
    assert spec.slices == ()


@pytest.mark.parametrize(
    ("override", "code", "where", "hint"),
    [
        ("metric.primry=x", "SPEC-UNKNOWN-KEY", "--set metric.primry", "metric.primary"),
        ("colour.red=x", "SPEC-UNKNOWN-KEY", "--set colour", "allowed sections"),
        ("seed=7", "SPEC-UNKNOWN-KEY", "--set seed", "split.seed"),
        ("split.test=2", "SPEC-BAD-VALUE", "--set split.test", "change split.test"),
        ("data.types.a=wood", "SPEC-BAD-VALUE", "--set data.types", "types"),
        ("gates.0.at_least=10ms", "SPEC-BAD-VALUE", "--set gates.0.at_least", "ROC-AUC"),
        ("gates.9.at_least=0.9", "SPEC-BAD-OVERRIDE", "--set gates.9.at_least", "count from 0"),
        ("gates.x.at_least=0.9", "SPEC-BAD-OVERRIDE", "--set gates.x.at_least", "count from 0"),
        ("data.target.x=1", "SPEC-BAD-OVERRIDE", "--set data.target.x", "count from 0"),
        ("data.drop.0=a", "SPEC-BAD-OVERRIDE", "--set data.drop.0", "count from 0"),
        ("split.seed", "SPEC-BAD-OVERRIDE", "--set", "--set split.seed=7"),
        ("=3", "SPEC-BAD-OVERRIDE", "--set", "--set split.seed=7"),
        ("a b=3", "SPEC-BAD-OVERRIDE", "--set", "--set split.seed=7"),
    ],
)
def test_bad_overrides(override: str, code: str, where: str, hint: str, errors: Errors) -> None:
    (error,) = errors(DESIGN, override)
    assert (error.code, error.where) == (code, where)
    assert hint in error.hint
    assert isinstance(error, SpecError | UsageError)


def test_mistakes_of_flags_and_file_come_together(errors: Errors, read: Read) -> None:
    text = DESIGN.replace("seed = 7", "sed = 7")
    assert len(errors(text, "nonsense", "split.test=7")) == 3
    with pytest.raises(Mistakes) as caught:
        read(text, "nonsense", "split.test=7")
    assert caught.value.message == "3 mistakes found"


def test_who_chose(read: Read, minimal: str) -> None:
    spec = read(minimal + "[split]\nseed = 3\n", "split.folds=4")
    chosen = agencies(spec)
    assert chosen["split.seed"] == "user"
    assert chosen["split.folds"] == "user"
    assert chosen["split.test"] == "default"
    values = {choice.path: choice.value for choice in spec.choices}
    assert (values["split.folds"], values["split.test"], values["data.drop"]) == (4, 0.2, [])


def test_a_proposal_left_as_it_was_is_accepted_and_an_edit_is_the_users(read: Read) -> None:
    proposals = {c.path: c.value for c in read(DESIGN).choices if c.agency == "user"}
    assert set(agencies(read(DESIGN, proposals=proposals)).values()) == {"accepted", "default"}
    edited = read(DESIGN.replace("0.80", "0.7"), "split.seed=7", proposals=proposals)
    users = [path for path, agency in agencies(edited).items() if agency == "user"]
    assert sorted(users) == ["gates.0.at_least", "split.seed"]


def test_a_template_left_as_it_was(read: Read) -> None:
    digest = template_digest(read(DESIGN).choices)
    text = DESIGN.replace("[project]\n", f'[project]\ntemplate = "telco@{digest[:16]}"\n')
    spec = read(text)
    assert set(agencies(spec).values()) == {"template", "default"}
    assert template_digest(spec.choices) == digest
    for edited in (read(text.replace("0.80", "0.81")), read(text, "split.folds=4")):
        assert "template" not in agencies(edited).values()
        assert agencies(edited)["gates.0.metric"] == "user"
    named_only = read(DESIGN.replace("[project]\n", '[project]\ntemplate = "telco"\n'))
    assert "template" not in agencies(named_only).values()


@pytest.mark.parametrize(
    "line",
    [
        'connection = "postgresql://ann:hunter2@db/x"',
        'connection = "postgresql://db/x?password=hunter2"',
        'connection = ["postgresql://ann:hunter2@db/x"]',
        'conection = "postgresql://ann:hunter2@db/x"',
        'source = "postgresql://ann:hunter2@db/x"',
        'drop = { a = "postgresql://ann:hunter2@db/x" }',
        '"postgresql://ann:hunter2@db/x" = 1',
    ],
)
def test_no_password_gets_into_an_error(line: str, errors: Errors) -> None:
    found = errors(f"[project]\nname = 'p'\n[data]\ntarget = 'y'\nsql = 'select 1'\n{line}\n")
    assert found
    assert "hunter2" not in "\n".join(map(str, found))
    assert b"hunter2" not in msgspec.json.encode([error.to_dict() for error in found])


def test_an_environment_variable_stays_a_name(read: Read) -> None:
    spec = read(
        "[project]\nname='p'\n[data]\ntarget='y'\nsql='select 1'\nconnection='$DB'",
    )
    assert spec.data.connection == "$DB"
    assert Choice(path="data.connection", value="$DB", agency="user") in spec.choices


def test_hostile_text_is_kept_as_text_and_shown_escaped(read: Read, errors: Errors) -> None:
    evil = '<script>alert(1)</script>"; import os #'
    spec = read(DESIGN, f"project.question='''{evil}'''")
    assert spec.project.question == evil
    (error,) = errors(DESIGN + '\n["a\\u001b[31m\\nb"]\nx = 1\n')
    assert error.where.endswith('"a\\u001b[31m\\nb"')
    assert "\x1b" not in str(error)
    (error,) = errors(DESIGN.replace('"Churn"', "[" + '"x",' * 50_000 + "]"))
    assert len(str(error)) < 1000


@pytest.mark.parametrize("name", ["../up", "a/b", "a\\\\b", "a@1", "-x", ".x", "a\\nb", "x" * 101])
def test_names_that_no_model_can_have(name: str, errors: Errors) -> None:
    (error,) = errors(DESIGN.replace('"telco-churn"', f'"{name}"'))
    assert (error.code, error.where) == ("SPEC-BAD-VALUE", "assay.toml:3 project.name")


@pytest.mark.parametrize("line", ["k" * 100_000 + " = 1", "a." * 5000 + "a = 1"])
def test_long_and_deep_keys_are_cut_short(line: str, errors: Errors) -> None:
    (error,) = errors(f"{line}\n{DESIGN}")
    assert error.code == "SPEC-UNKNOWN-KEY"
    assert error.where.startswith("assay.toml:1 ")
    assert len(str(error)) < 1000


def load_or_explain(text: str, *overrides: str) -> None:
    """Load a text; whatever it holds, the answer is a spec or mistakes that say where."""
    with TemporaryDirectory() as folder:
        (Path(folder) / "assay.toml").write_text(text)
        mistakes: tuple[AssayError, ...] = ()
        try:
            assert isinstance(load(Path(folder), overrides), ProjectSpec)
        except AssayError as error:
            mistakes = all_errors(error)
    assert all(mistake.where and mistake.hint for mistake in mistakes)


@settings(max_examples=100, deadline=None)
@given(st.text(), st.sampled_from(["", "split.seed=", "gates.0.", "data.types.", "data="]))
def test_any_override_is_taken_or_explained(text: str, start: str) -> None:
    load_or_explain(DESIGN, start + text)


@settings(max_examples=100, deadline=None)
@given(
    st.integers(0, len(DESIGN)),
    st.integers(0, 40),
    st.sampled_from(["", '"', "[", "}", "=", ".", "\n", "nan", "[[gates]]", "'''", "1", "\x7f"]),
)
def test_any_damage_to_a_file_is_explained(start: int, length: int, new: str) -> None:
    load_or_explain(DESIGN[:start] + new + DESIGN[start + length :])


def test_huge_numbers_are_refused_without_a_traceback(errors: Errors) -> None:
    huge = "0x" + "f" * 5000
    for key in ("budget.time", "data.positive", "split.seed", "gates.0.at_least", "data.drop"):
        assert errors(DESIGN, f"{key}={huge}")[0].code == "SPEC-BAD-VALUE"
        assert errors(DESIGN, f"{key}=[{huge}]")[0].code == "SPEC-BAD-VALUE"
