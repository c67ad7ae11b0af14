"""A file read in parts is the file read whole, whatever is in its cells."""

from __future__ import annotations

import csv
import io
import random

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from assay.data import stream, survey
from assay.data.source import read_any
from assay.data.stream import Indivisible, parts_of
from assay.errors import AssayError, DataError


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    monkeypatch.setattr(stream, "PART_BYTES", 200)
    monkeypatch.setattr(stream, "PART_CELLS", 1)
    monkeypatch.setattr(survey, "BLOCK", 64)


def read_in_parts(path):
    parts = parts_of(path)
    assert parts is not None, "it was not cut"
    assert parts.count > 1
    assert (round(parts.share(0), 1), parts.share(parts.count)) == (0.0, 1.0)
    return pl.concat([parts.read(part) for part in range(parts.count)])


def same(path):
    whole = read_any(path)
    found = read_in_parts(path)
    assert found.equals(whole)
    assert found.schema == whole.schema


def rows(count=200):
    words = random.Random(1)
    for i in range(count):
        yield [str(i), words.choice(["", "a b", "x,y", 'say "hi"', "two\nlines", "é 東"]), "1.50"]


def write(path, table, *, header=("id", "text", "n"), encoding="utf-8", end="\n", **form):
    text = io.StringIO()
    csv.writer(text, lineterminator=end, **form).writerows([header, *table])
    path.write_bytes(text.getvalue().encode(encoding))


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_text_with_quoted_cells(tmp_path, separator, end):
    path = tmp_path / "t.csv"
    write(path, rows(), delimiter=separator, end=end)
    same(path)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "cp1252", "latin-1"])
def test_encodings(tmp_path, encoding):
    path = tmp_path / "t.csv"
    odd = "\x81" if encoding == "latin-1" else "€"
    table = [[str(i), "größer " + (odd if i > 190 else "")] for i in range(200)]
    write(path, table, header=("nr", "wörter"), encoding=encoding)
    same(path)


def test_quotation_marks_inside_of_cells(tmp_path):
    path = tmp_path / "t.csv"
    lines = ["id,size,note"] + [f'{i},{i % 9}" pipe,"a, b"' for i in range(100)]
    lines.append('7,"a\nb",5" again')
    path.write_text("\n".join(lines) + "\n")
    same(path)


def test_blank_lines_short_endings_and_no_newline_at_the_end(tmp_path):
    path = tmp_path / "t.csv"
    body = "".join(f"{i},b,\n" + "\n" * (i % 7 == 0) + ",,\n" * (i % 11 == 0) for i in range(100))
    path.write_text("\n\r\n a ,b,c\n" + body + "9,9,9")
    same(path)


def test_cells_too_many_are_forgiven_where_they_are_empty(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a,b\n" + "1,2\n" * 100 + "3,4,,\n" + "5,6\n" * 100)
    same(path)


def test_a_nameless_column_and_one_that_is_twice_there(tmp_path):
    path = tmp_path / "t.csv"
    write(path, [[str(i), "x", str(i * i)] for i in range(100)], header=("", "n", "n"))
    same(path)
    assert read_in_parts(path).columns == ["column_1", "n", "n_2"]


@pytest.mark.parametrize(
    "header", [("id", "", "n"), ("id", "n", "n"), ("", "", "")], ids=["empty", "twice", "none"]
)
def test_a_file_whose_columns_depend_on_all_of_it_is_not_cut(tmp_path, header):
    path = tmp_path / "t.csv"
    write(path, [["7", "", ""] for _ in range(200)], header=header)
    assert parts_of(path) is None


def test_utf_16_small_files_and_archives_are_not_cut(tmp_path):
    path = tmp_path / "t.csv"
    write(path, rows(), encoding="utf-16")
    assert parts_of(path) is None
    path.write_text("a,b\n1,2\n")
    assert parts_of(path) is None
    path.write_bytes(b"\x1f\x8b" + bytes(1000))
    assert parts_of(path) is None
    path.write_text("a\r" * 1000)
    assert parts_of(path) is None


@pytest.mark.parametrize(
    ("tail", "code"),
    [
        (b"1,2,3\n", "DATA-RAGGED"),
        (b"1,\0\n", "DATA-NUL"),
        (b"caf\xe9,1\n" + "é".encode() * 9 + b",2\n", "DATA-ENCODING"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(tmp_path, tail, code):
    path = tmp_path / "t.csv"
    path.write_bytes(b"a,b\n" + b"1,2\n" * 200 + tail + b"1,2\n" * 200)
    errors = []
    for read in (read_any, read_in_parts):
        with pytest.raises(DataError) as caught:
            read(path)
        errors.append((caught.value.code, caught.value.where))
    assert errors[0] == errors[1]
    assert errors[0][0] == code
    assert ":202" in errors[0][1]


def test_a_quotation_mark_that_is_never_closed_takes_no_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(survey, "CELL_LIMIT", 1000)
    path = tmp_path / "t.csv"
    path.write_text("a,b\n" + "1,2\n" * 100 + '1,"2\n' + "1,2\n" * 10_000)
    with pytest.raises(DataError) as caught:
        parts_of(path)
    assert caught.value.code == "DATA-CELL-TOO-LARGE"


cells = st.text(st.sampled_from('ab,;"\n\r é1.'), max_size=8)
tables = st.integers(1, 4).flatmap(
    lambda width: st.lists(
        st.lists(cells, min_size=width, max_size=width), min_size=30, max_size=60
    )
)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(tables, st.sampled_from(["minimal", "all", "none"]), st.sampled_from(["\n", "\r\n"]))
def test_any_table_is_read_as_the_whole_is(tmp_path, table, quoting, end):
    path = tmp_path / "t.csv"
    if quoting == "none":
        text = end.join(",".join(row) for row in table)
        path.write_bytes(text.encode())
    else:
        style = {"minimal": csv.QUOTE_MINIMAL, "all": csv.QUOTE_ALL}[quoting]
        write(path, table, header=[f"c{i}" for i in range(len(table[0]))], end=end, quoting=style)
    parts = whole = None
    try:
        whole = read_any(path)
    except AssayError as error:
        whole = error.code
    try:
        cut = parts_of(path)
        if cut is None:
            return
        parts = pl.concat([cut.read(part) for part in range(cut.count)])
    except AssayError as error:
        parts = error.code
    if isinstance(whole, str) or isinstance(parts, str):
        assert parts == whole
    else:
        assert parts.equals(whole)


def test_parquet_and_arrow(tmp_path):
    frame = pl.DataFrame({"a": range(2500), "b": ["x", None] * 1250, "c": [1.5] * 2500})
    frame.write_parquet(tmp_path / "t[1].parquet", row_group_size=700)
    frame.write_ipc(tmp_path / "t*.arrow", compression="lz4")
    same(tmp_path / "t[1].parquet")
    same(tmp_path / "t*.arrow")


def lines(path, *documents):
    path.write_text("".join(f"{document}\n" for document in documents))


def test_json_lines_get_the_types_of_all_of_them(tmp_path):
    path = tmp_path / "t.jsonl"
    common = ['{"a": 1, "b": null, "d": "2020-01-01"}'] * 30
    lines(path, *common, "", '{"a": 2.5, "b": "x", "c": true}', *common, '{"a": null}', "  ")
    same(path)
    assert read_in_parts(path).schema["a"] == pl.Float64


def test_json_that_polars_cannot_read_is_read_whole(tmp_path):
    path = tmp_path / "t.jsonl"
    lines(path, *['{"a": 1}'] * 50, '{"a": true}')
    cut = parts_of(path)
    if cut is not None:
        with pytest.raises(Indivisible):
            [cut.read(part) for part in range(cut.count)]
    path.write_text("[" + ",\n".join(['{"a": 1}'] * 50) + "]")
    assert parts_of(path) is None
    path.write_bytes(b'{"a": "caf\xe9"}\n' * 50)
    assert parts_of(path) is None
