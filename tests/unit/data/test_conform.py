"""Rows at prediction time become what training saw."""

from __future__ import annotations

import datetime as dt

import polars as pl
import pytest

from assay.data.conform import conform
from assay.data.content import read_table
from assay.data.ingest import readings_of
from assay.data.source import read_any
from assay.data.transform import apply_transform, code_of
from assay.errors import DataError, Mistakes, Tampered
from assay.records.fitted import Field

FIELDS = [
    Field(name="n", type="number", missing=True),
    Field(name="b", type="boolean", missing=True),
    Field(name="d", type="datetime", missing=True),
    Field(name="c", type="category", missing=True),
]


def row(**cells):
    return {"n": 1, "b": True, "d": None, "c": "x", **cells}


def one(field, cell, **options):
    frame = pl.DataFrame([pl.Series(n, [v]) for n, v in row(**{field: cell}).items()])
    return conform(frame, FIELDS, **options).get_column(field)[0]


@pytest.mark.parametrize(
    ("cell", "expected"),
    [("1,5", 1.5), (" $1,200.50 ", 1200.5), ("", None), ("NA", None), (7, 7.0), (True, 1.0)],
)
def test_numbers(cell, expected):
    assert one("n", cell) == expected


def test_an_ambiguous_number_follows_training():
    assert one("n", "1,234") == 1234.0
    assert one("n", "1,234", readings={"n": "decimal-comma"}) == 1.234
    assert one("n", "1.234", readings={"n": "decimal-comma"}) == 1234.0
    assert one("n", "1.5", readings={"n": "decimal-comma"}) == 1.5


@pytest.mark.parametrize(
    ("cell", "expected"),
    [("YES", True), ("f", False), (0, False), (1.0, True), ("1", True), (None, None), ("?", None)],
)
def test_booleans(cell, expected):
    assert one("b", cell) is expected


@pytest.mark.parametrize(
    "cell", ["2020-02-01", "2020-02-01T00:00Z", "1.2.2020", "Feb 1, 2020", dt.date(2020, 2, 1)]
)
def test_dates(cell):
    assert str(one("d", cell)) == "2020-02-01 00:00:00"


def test_an_ambiguous_date_follows_training():
    assert one("d", "1/2/2020").month == 1
    assert one("d", "1/2/2020", readings={"d": "day-first"}).month == 2
    assert one("d", "1/31/2020", readings={"d": "day-first"}).day == 31


@pytest.mark.parametrize(("cell", "expected"), [(5, "5"), (5.0, "5"), (" x ", "x"), (True, "true")])
def test_words(cell, expected):
    assert one("c", cell) == expected


@pytest.mark.parametrize("word", ["True", "true", "TRUE"])
def test_true_among_words_is_one_word_in_training_and_serving(project, word):
    lines = [f"{(word, 'False', 'Unknown')[i % 3]},{(word, 'no')[i % 2]}" for i in range(12)]
    project.file("t.csv", "\n".join(["c,y", *lines]))
    snapshot = project.ingest()
    trained = read_table(snapshot, project.store)
    assert set(trained["c"]) == {"true", "false", "Unknown"}
    assert set(trained["y"]) == {word, "no"}  # the target keeps its spelling, as data.positive does
    for cell in (True, "True", "true"):
        assert one("c", cell) == "true"


def test_missing_words_of_the_project():
    assert one("c", "unknown", missing=["unknown"]) is None


def test_order_types_and_extra_columns():
    frame = conform(pl.DataFrame([row(extra=5), row()]).select("extra", "c", "d", "b", "n"), FIELDS)
    assert frame.columns == ["n", "b", "d", "c"]
    assert frame.dtypes == [pl.Float64, pl.Boolean, pl.Datetime("us"), pl.String]


def test_no_rows_are_no_error():
    frame = pl.DataFrame(schema=["n", "b", "d", "c"])
    assert conform(frame, FIELDS).height == 0


def test_all_missing_columns_are_named():
    with pytest.raises(DataError) as caught:
        conform(pl.DataFrame({"N": [1], "c": ["x"]}), FIELDS)
    assert caught.value.code == "DATA-COLUMNS-MISSING"
    assert caught.value.where == "n, b, d"


def test_a_cell_that_cannot_be_read_is_named():
    frame = pl.DataFrame({"n": ["1", "abc"], "b": ["yes", "no"], "d": [None, None], "c": "x"})
    with pytest.raises(DataError) as caught:
        conform(frame, FIELDS)
    assert (caught.value.code, caught.value.where) == ("DATA-CELL-TYPE", "column n, row 2")
    with pytest.raises(Mistakes) as several:
        conform(frame.with_columns(b=pl.lit("perhaps"), c=[[1], [2]]), FIELDS)
    assert [e.code for e in several.value.errors] == [
        "DATA-CELL-TYPE",
        "DATA-CELL-TYPE",
        "DATA-NESTED",
    ]


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_training_rows_come_back_the_same(project, table, suffix):
    """Training and serving read every cell alike, whatever file the rows came in."""
    frame = table().with_columns(
        price=pl.Series([f"{i},{i % 100:03d}" for i in range(60)]),
        other=pl.Series([f"{i},5" for i in range(60)]),
        when=pl.Series([f"{1 + i % 28}/{1 + i % 12}/2020" for i in range(60)]),
        gaps=pl.Series([None if i % 5 else f"{i}.5" for i in range(60)]),
    )
    frame.write_csv(project.folder / "t.csv")
    frame.write_parquet(project.folder / "t.parquet")
    frame.write_ndjson(project.folder / "t.jsonl")
    snapshot = project.ingest("t.csv")
    typed = read_table(snapshot, project.store)
    fields = [Field(name=c.name, type=c.type, missing=c.missing > 0) for c in snapshot.columns]
    rows = read_any(project.folder / f"t.{suffix}")
    readings = readings_of(snapshot)
    assert readings["when"] == "day-first"
    assert readings["other"] == "decimal-comma"
    assert conform(rows, fields, readings=readings).equals(typed)
    singles = [conform(rows[i], fields, readings=readings) for i in range(0, 60, 7)]
    assert pl.concat(singles).equals(typed[::7])


def test_a_transform_sees_the_same_columns_when_predicting(project):
    project.file("t.csv", "a;c;y\n1,5;Yes;1\n2,5;no;2\n3,5;no;5\n")
    project.file(
        "features.py",
        "import polars as pl\n"
        "def add(frame):\n"
        "    return frame.select('a', b=pl.when('c').then(pl.col('a') * 2).otherwise(0))\n",
    )
    after = project.ingest(transform="features:add")
    code = code_of("features:add", project.folder)
    assert [column.name for column in after.raw] == ["a", "c"]
    raw = [Field(name=c.name, type=c.type, missing=False) for c in after.raw]
    inputs = [Field(name=n, type=after.column(n).type, missing=False) for n in ("a", "b")]
    rows = conform(pl.DataFrame({"a": ["1,5", "3.5"], "c": ["YES", "n"]}), raw)
    made = apply_transform(code, rows, project.folder, allow_code=True)
    assert conform(made, inputs).rows() == [(1.5, 3.0), (3.5, 0.0)]
    project.file("features.py", "def add(frame):\n    return frame\n")
    with pytest.raises(Tampered):
        apply_transform(code, rows, project.folder, allow_code=True)
