"""What cannot work is refused in plain words, with exit 2, and nothing is left half-written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from conftest import make_table

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
    lines[3] = lines[3] + b""
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
        "DATA-TARGET-MISSING", toml=HEAD.replace('"left"', '"leaft"'), says=("leaft", "left")
    ),
    "empty file": Case("DATA-EMPTY", lambda: b""),
    "no rows": Case("DATA-EMPTY", rows(0)),
    "one row": Case("DATA-TOO-FEW-ROWS", rows(1)),
    "one class": Case("DATA-ONE-CLASS", with_column("left", pl.lit("yes"))),
    "all-missing column": Case(
        "DATA-COLUMN-EMPTY", with_column("hollow", pl.lit(None, pl.String)), says=("hollow",)
    ),
    "all-missing target": Case("DATA-COLUMN-EMPTY", with_column("left", pl.lit(None, pl.String))),
    "10,000 columns": Case("DATA-TOO-MANY-COLUMNS", ten_thousand_columns),
    "50 MB cell": Case("DATA-CELL-TOO-LARGE", huge_cell),
    "NUL bytes": Case("DATA-NUL", nul_bytes),
    "mixed encodings": Case("DATA-ENCODING", mixed_encodings),
    "target with NaN": Case(
        "TARGET-MISSING",
        with_column("left", pl.Series(["yes", "no", "NaN", None] * 20)),
        says=("left",),
    ),
    "regression target as text": Case(
        "TARGET-NOT-NUMBER", toml=HEAD.replace('"shop"', '"shop"\ntask = "regression"')
    ),
    "dates in three formats": Case("DATA-DATE-FORMATS", dates_in_three_formats, says=("since",)),
    "duplicate column names": Case("DATA-DUPLICATE-COLUMN", target_twice, says=("left",)),
    "spec not TOML": Case("SPEC-NOT-TOML", toml=HEAD + "what is this\n", says=("assay.toml:7",)),
    "spec not UTF-8": Case("SPEC-NOT-TOML", toml=HEAD + '# caf\udce9\n'),
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
        "SPEC-BAD-VALUE", toml=HEAD + '[[gates]]\nmetric = "roc_auk"\nat_least = 0.9\n'
    ),
    "gate without a threshold": Case("GATE-EMPTY", toml=HEAD + '[[gates]]\nmetric = "roc_auc"\n'),
    "slice on no column": Case(
        "SPEC-COLUMN", toml=HEAD + '[[slices]]\ncolumn = "regio"\n', says=("region",)
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
    print(name, said.code, [(e["code"], e["where"], e["message"], e["try"]) for e in errors])
    assert (said.code, said.codes[0]) == (2, case.code), said.err
    assert "Traceback" not in said.err
    assert len(said.err) < 3_000
    for error in errors:
        assert error["message"]
        assert len(str(error["got"])) < 500
        assert error["try"]
    for word in case.says:
        assert word in said.out
    assert {path.name for path in folder.iterdir()} - before <= {".assay"}
    left = [p.name for p in (folder / ".assay").rglob("*") if p.is_file()]
    assert not [n for n in left if n.endswith((".html", ".onnx", "manifest.json", ".tmp"))]
