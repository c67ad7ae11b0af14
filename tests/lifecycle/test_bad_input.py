"""What cannot work is refused in plain words, with exit 2, and nothing is left half-written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from projects import make_table

HEAD = '[project]\nname = "shop"\n\n[data]\nsource = "table.csv"\ntarget = "left"\n'


def text_of(table: pl.DataFrame) -> bytes:
    return table.write_csv().encode()


def good() -> bytes:
    return text_of(make_table("binary", 80))


def with_column(name: str, values: pl.Series | pl.Expr) -> Callable[[], bytes]:
    return lambda: text_of(make_table("binary", 80).with_columns(values.alias(name)))


def rows(count: int) -> Callable[[], bytes]:
    return lambda: text_of(make_table("binary", 80).head(count))


def ten_thousand_columns() -> bytes:
    noise = np.random.default_rng(0).normal(size=(60, 10_000)).round(3)
    table = pl.DataFrame(noise, schema=[f"x{i}" for i in range(10_000)])
    return text_of(table.with_columns(pl.Series("left", ["yes", "no"] * 30)))


def huge_cell() -> bytes:
    return good() + b"1,2," + b"w" * 50_000_000 + b",true,170,yes\n"


def nul_bytes() -> bytes:
    return good().replace(b"north", b"no\0th", 1)


def mixed_encodings() -> bytes:
    lines = good().splitlines()
    umlaut = b"50,6,M\xfcnchen,true,170,yes", "50,6,Köln,true,170,no".encode()
    return b"\n".join([*lines, *umlaut, b""])


def dates_in_three_formats() -> bytes:
    days = ["2024-05-13", "13.05.2024", "May 13, 2024"] * 27
    return with_column("since", pl.Series(days[:80]))()


def target_twice() -> bytes:
    header, _, body = good().partition(b"\n")
    return header + b",left\n" + b"\n".join(line + b",no" for line in body.splitlines()) + b"\n"


@dataclass(frozen=True)
class Case:
    """A table and a project file that do not work, and the code of the answer."""

    code: str
    table: Callable[[], bytes] | None = good
    toml: str = HEAD
    says: tuple[str, ...] = field(default_factory=tuple)


CASES = {
    "missing file": Case("DATA-NOT-FOUND", None, says=("table.csv",)),
    "wrong target": Case(
        "DATA-TARGET-UNKNOWN", toml=HEAD.replace('"left"', '"leaft"'), says=("leaft", "left")
    ),
    "empty file": Case("DATA-EMPTY", lambda: b""),
    "no rows": Case("DATA-EMPTY", rows(0)),
    "one row": Case("DATA-TOO-FEW-ROWS", rows(1)),
    "one class": Case("DATA-ONE-CLASS", with_column("left", pl.lit("yes"))),
    "all-missing column": Case(
        "DATA-COLUMN-EMPTY", with_column("hollow", pl.lit(None, pl.String)), says=("hollow",)
    ),
    "all-missing target": Case("DATA-TARGET-MISSING", with_column("left", pl.lit(None, pl.String))),
    "10,000 columns": Case("DATA-TOO-WIDE", ten_thousand_columns),
    "50 MB cell": Case("DATA-CELL-TOO-LARGE", huge_cell),
    "NUL bytes": Case("DATA-NUL", nul_bytes),
    "mixed encodings": Case("DATA-ENCODING", mixed_encodings),
    "target with NaN": Case(
        "DATA-TARGET-MISSING",
        with_column("left", pl.Series(["yes", "no", "NaN", None] * 20)),
        says=("left",),
    ),
    "regression target as text": Case(
        "DATA-TARGET-TEXT", toml=HEAD.replace('"shop"', '"shop"\ntask = "regression"')
    ),
    "dates in three formats": Case("DATA-DATE-FORMATS", dates_in_three_formats, says=("since",)),
    "duplicate column names": Case("DATA-DUPLICATE-COLUMN", target_twice, says=("left",)),
    "spec not TOML": Case("SPEC-NOT-TOML", toml=HEAD + "what is this\n", says=("assay.toml:7",)),
    "spec not UTF-8": Case("SPEC-NOT-UTF8", toml=HEAD + "# caf\udce9\n"),
    "unknown key": Case(
        "SPEC-UNKNOWN-KEY", toml=HEAD + 'droop = ["fee"]\n', says=("assay.toml:7", "drop")
    ),
    "unknown section": Case("SPEC-UNKNOWN-KEY", toml=HEAD + "[metrics]\nprimary = 1\n"),
    "negative budget": Case("SPEC-BAD-VALUE", toml=HEAD + '[budget]\ntime = "-5s"\n'),
    "budget as a number below zero": Case("SPEC-BAD-VALUE", toml=HEAD + "[budget]\ntime = -5\n"),
    "gate on a metric of another task": Case(
        "METRIC-TASK", toml=HEAD + '[[gates]]\nmetric = "rmse"\nat_most = 3\n', says=("rmse",)
    ),
    "gate on no metric": Case(
        "METRIC-UNKNOWN", toml=HEAD + '[[gates]]\nmetric = "roc_auk"\nat_least = 0.9\n'
    ),
    "gate without a threshold": Case(
        "SPEC-CONFLICT", toml=HEAD + '[[gates]]\nmetric = "roc_auc"\n'
    ),
    "slice on no column": Case(
        "SLICE-COLUMN", toml=HEAD + '[[slices]]\ncolumn = "regio"\n', says=("region",)
    ),
    "split on no column": Case("SPLIT-COLUMN", toml=HEAD + '[split]\ngroup_on = "shop"\n'),
    "drop of no column": Case(
        "DATA-COLUMN-UNKNOWN", toml=HEAD + 'drop = ["hight"]\n', says=("height",)
    ),
    "positive that is no class": Case(
        "SPEC-POSITIVE", toml=HEAD + 'positive = "maybe"\n', says=("maybe", "yes")
    ),
    "a candidate that does not exist": Case(
        "BUDGET-ONLY", toml=HEAD + '[budget]\nonly = ["bosting"]\n', says=("boosting",)
    ),
    "a gate that can never be judged": Case(
        "GATE-BASELINE",
        None,  # it is refused before the table is even looked for
        toml=HEAD + '[[gates]]\nmetric = "latency_p99"\nbeats = "baseline"\n',
        says=("gates.0.beats", "at_most"),
    ),
    "a password in the file": Case(
        "SPEC-SECRET", toml=HEAD + 'connection = "postgresql://me:hunter2@db/x"\n'
    ),
    "a family that does not exist": Case(
        "FAMILY-UNKNOWN", toml=HEAD.replace('"shop"', '"shop"\nfamily = "tables"')
    ),
}


@pytest.fixture
def folder(tmp_path) -> Path:
    return tmp_path / "shop"


def write(folder: Path, case: Case) -> set[str]:
    folder.mkdir()
    (folder / "assay.toml").write_bytes(case.toml.encode("utf-8", "surrogateescape"))
    if case.table is not None:
        (folder / "table.csv").write_bytes(case.table())
    return {path.name for path in folder.iterdir()}


@pytest.mark.parametrize("name", CASES)
def test_run_refuses_what_cannot_work(name, folder, cli):
    case = CASES[name]
    before = write(folder, case)
    said = cli("run", folder)
    errors = said.envelope["errors"]
    assert (said.code, said.codes[0]) == (2, case.code), said.err
    assert "Traceback" not in said.err
    assert len(said.err) < 3_000
    for error in errors:
        assert error["message"]
        assert len(str(error["got"])) < 500
    for word in case.says:
        assert word in said.out
    assert "hunter2" not in said.out + said.err
    if case.code.startswith("SPEC-") and case.code != "SPEC-POSITIVE":
        assert not (folder / ".assay").exists()  # a broken file leaves nothing behind
    assert {path.name for path in folder.iterdir()} - before <= {".assay"}
    left = [p.name for p in (folder / ".assay").rglob("*") if p.is_file()]
    assert not [n for n in left if n.endswith((".html", ".onnx", "manifest.json", ".tmp"))]


def test_every_mistake_of_the_file_is_told_at_once(folder, cli):
    toml = HEAD.replace("target", "targt") + '[budget]\ntime = -1\n[metrik]\nprimary = "mae"\n'
    write(folder, Case("", toml=toml))
    said = cli("run", folder)
    assert said.code == 2
    assert {"SPEC-UNKNOWN-KEY", "SPEC-BAD-VALUE"} <= set(said.codes)
    assert len(said.codes) >= 3
    assert [e["where"].partition(" ")[0] for e in said.envelope["errors"]].count(
        "assay.toml:6"
    ) == 1


@pytest.mark.parametrize(
    ("setting", "code"),
    [
        ("budget.time=-3", "SPEC-BAD-VALUE"),
        ("budget.tme=3", "SPEC-UNKNOWN-KEY"),
        ("budget.time", "SPEC-BAD-OVERRIDE"),
        ("gates.4.at_least=0.9", "SPEC-BAD-OVERRIDE"),
    ],
)
def test_a_wrong_setting_is_refused_by_name(setting, code, folder, cli):
    write(folder, Case(""))
    said = cli("run", folder, "--set", setting)
    assert (said.code, said.codes[0]) == (2, code), said.err
    assert setting.partition("=")[0].split(".")[1].rstrip("4") in said.out


@pytest.mark.parametrize(
    ("option", "value"), [("--budget", "soon"), ("--seed", "-4"), ("--seed", "x")]
)
def test_a_wrong_option_is_refused(option, value, folder, cli):
    write(folder, Case(""))
    assert cli("run", folder, option, value).code == 2


@pytest.mark.parametrize("name", ["missing file", "wrong target", "empty file", "50 MB cell"])
def test_init_writes_nothing_when_the_table_does_not_work(name, tmp_path, cli):
    case = CASES[name]
    if case.table is not None:
        (tmp_path / "table.csv").write_bytes(case.table())
    target = "leaft" if name == "wrong target" else "left"
    said = cli("init", tmp_path / "new", "--data", tmp_path / "table.csv", "--target", target)
    assert (said.code, said.codes) == (2, [case.code]), said.err
    assert not (tmp_path / "new" / "assay.toml").exists()
    assert not (tmp_path / "new").exists()


def test_init_leaves_a_project_file_that_is_there(folder, cli):
    write(folder, Case(""))
    said = cli("init", folder, "--data", folder / "table.csv", "--target", "left")
    assert (said.code, said.codes) == (2, ["INIT-EXISTS"])
    assert (folder / "assay.toml").read_text() == HEAD


def test_init_in_the_place_of_a_file_is_refused(tmp_path, cli):
    (tmp_path / "table.csv").write_bytes(good())
    words = ("--data", tmp_path / "table.csv", "--target", "left")
    said = cli("init", tmp_path / "table.csv", *words)
    assert (said.code, said.codes) == (2, ["INIT-NOT-FOLDER"])
    (tmp_path / "file").write_text("")
    said = cli("init", tmp_path / "file" / "shop", *words, "--store", tmp_path / "store")
    assert (said.code, said.codes) == (2, ["INIT-NOT-WRITTEN"]), said.err


@pytest.mark.parametrize("command", ["run", "check"])
def test_no_project_file_here(command, tmp_path, cli):
    said = cli(command, tmp_path)
    assert (said.code, said.codes) == (2, ["PROJECT-NOT-FOUND"])
    assert "assay init" in said.out
    assert not list(tmp_path.iterdir())
