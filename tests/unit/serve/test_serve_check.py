"""Rows against what training saw: ignored, warned of, or refused, as the project file says."""

from __future__ import annotations

import time
from typing import Any

import msgspec
import polars as pl
import pytest
from asking import STREAM, Server, codes, orders, post, rows_of, said, servable
from test_serve_answer import as_bytes

from assay.records.spec import ServeSection
from assay.serve.answering.check import MOST, Checker, Found

ROW = rows_of(orders(1))[0] | {"fee": 50.0, "region": "west"}
ODD: dict[str, dict[str, Any]] = {
    "unknown": {"agee": 3},
    "outside": {"age": 130.0},
    "unseen": {"region": "wesst"},
}
CODES = {
    "unknown": "SERVE-UNKNOWN-COLUMN",
    "outside": "SERVE-OUTSIDE-RANGE",
    "unseen": "SERVE-UNSEEN-CATEGORY",
}
WHERE = {"unknown": "row 1, agee", "outside": "row 1, age", "unseen": "row 1, region"}


@pytest.mark.parametrize("what", ODD)
@pytest.mark.parametrize("rows", [1, 80])
def test_odd_cells_are_ignored_warned_of_or_refused(what, rows):
    body = {"rows": [ROW | ODD[what], *[ROW] * (rows - 1)]}
    server = Server()
    (ignored,) = server.serve(**{what: "ignore"}).ask(post(body))
    (warned,) = server.serve(**{what: "warn"}).ask(post(body))
    (refused,) = server.serve(**{what: "error"}).ask(post(body))
    assert (ignored.status, warned.status, refused.status) == (200, 200, 422)
    assert said(ignored)["warnings"] == []
    assert said(ignored)["predictions"] == said(warned)["predictions"]
    (warning,) = said(warned)["warnings"]
    assert said(refused)["errors"] == [warning]
    assert (warning["code"], warning["where"]) == (CODES[what], WHERE[what])


def test_a_warning_says_what_would_have_been_right():
    odd = ROW | {"agee": 3} | ODD["outside"] | ODD["unseen"]
    (response,) = Server().serve().ask(post(odd))
    unknown, outside, unseen = said(response)["warnings"]
    assert unknown["allowed"] == ["age"]
    assert (outside["got"], outside["allowed"]) == (130.0, ["18.0 to 79.0"])
    assert (unseen["got"], unseen["allowed"], unseen["try"]) == (
        "wesst",
        ["west"],
        "did you mean west?",
    )


def test_a_date_is_compared_as_a_date():
    (response,) = Server().serve().ask(post(ROW | {"since": "2031-05-01"}))
    (warning,) = said(response)["warnings"]
    assert warning["where"] == "row 1, since"
    assert warning["got"] == "2031-05-01 00:00:00"
    assert warning["allowed"][0].startswith("2024-01-01 00:00:00 to 2024-12-")


@pytest.mark.parametrize("rows", [1, 3, 80])
def test_absent_columns_are_refused_by_name(rows):
    short = {name: cell for name, cell in ROW.items() if name != "age"} | {"agee": 1}
    body = {"rows": [*[ROW] * (rows - 1), short]}
    (response,) = Server().serve().ask(post(body))
    assert response.status == 422
    error = next(e for e in said(response)["errors"] if e["code"] == "SERVE-ABSENT-COLUMN")
    assert (error["where"], error["got"]) == (f"row {rows}, age", "agee")


@pytest.mark.parametrize("rows", [1, 80])
def test_absent_columns_may_be_missing_cells(rows):
    short = {name: cell for name, cell in ROW.items() if name != "fee"}
    server = Server().serve(absent="warn")
    bare, null = server.ask(
        post({"rows": [short] * rows}), post({"rows": [ROW | {"fee": None}] * rows})
    )
    assert said(bare)["predictions"] == said(null)["predictions"]
    assert said(bare)["warnings"][0]["code"] == "SERVE-ABSENT-COLUMN"
    assert server.traffic().warned == rows


def test_absent_columns_of_a_table():
    frame = orders(5).drop("fee")
    whole = orders(5).with_columns(pl.lit(None, pl.Float64).alias("fee"))
    for kind, body, full in (
        (STREAM, as_bytes(frame, "stream"), as_bytes(whole, "stream")),
        ("text/csv", as_bytes(frame, "csv"), as_bytes(whole, "csv")),
    ):
        (refused,) = Server().serve().ask(post(body, kind=kind))
        assert (refused.status, codes(refused)) == (422, ["SERVE-ABSENT-COLUMN"])
        one, other = Server().serve(absent="warn").ask(post(body, kind=kind), post(full, kind=kind))
        assert said(one)["predictions"] == said(other)["predictions"]
        assert said(one)["warnings"][0]["where"] == "fee"


def test_warnings_are_counted_and_only_the_first_are_listed():
    server = Server().serve()
    (response,) = server.ask(post({"rows": [ROW | ODD["outside"] | ODD["unseen"]] * 300}))
    warnings = said(response)["warnings"]
    assert len(warnings) == MOST + 1
    assert (warnings[-1]["code"], warnings[-1]["got"]) == ("SERVE-MORE-WARNINGS", 600)
    assert server.traffic().warned == 300
    (response,) = Server().serve(unseen="error").ask(post({"rows": [ROW | ODD["unseen"]] * 300}))
    assert len(said(response)["errors"]) == MOST


def test_rows_and_tables_are_told_the_same():
    rows = [ROW, ROW | ODD["outside"], ROW | ODD["unseen"], ROW | {"fee": None, "region": None}]
    columns = {name: [row[name] for row in rows] for name in ROW}
    first, second = Server().serve().ask(post({"rows": rows}), post({"columns": columns}))
    assert said(first)["warnings"] == said(second)["warnings"]
    assert [w["where"] for w in said(first)["warnings"]] == ["row 2, age", "row 3, region"]


def test_a_list_of_categories_that_is_not_whole_judges_nothing():
    model = servable()
    fields = tuple(msgspec.structs.replace(f, more=True) for f in model.signature.inputs)
    signature = msgspec.structs.replace(model.signature, inputs=fields)
    found = Found()
    cells = model.read(ROW | {"region": "elsewhere"})
    assert cells is not None
    assert Checker(signature, ServeSection()).clean(ROW, cells)
    assert not Checker(model.signature, ServeSection()).clean(ROW, cells)
    Checker(signature, ServeSection()).row(ROW, cells, 0, found)
    assert found.count == 0


def test_a_clean_row_costs_little():
    model = servable()
    check, cells = Checker(model.signature, ServeSection()), model.read(ROW)
    assert cells is not None
    assert check.clean(ROW, cells)
    taken = []
    for _ in range(20):
        start = time.perf_counter()
        for _ in range(500):
            check.clean(ROW, cells)
        taken.append(time.perf_counter() - start)
    assert min(taken) / 500 < 10e-6  # 0.6 µs where the machine is quiet
